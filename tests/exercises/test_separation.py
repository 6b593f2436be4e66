"""The situations of an exercise tell its catalogued programs apart, so that a result has one name."""

import math
from itertools import combinations

import pytest

from gradlab import exercises
from gradlab.exercises.fingerprints import agree, same

NAMES = exercises.names()


def alike(a, b):
    return all(map(agree, a, b))


def pairs(exercise):
    return [(a, b) for (a, one), (b, other) in combinations(exercise.wrong_trials, 2)
            if (a.id, a.variant) != (b.id, b.variant) and alike(one, other)]


@pytest.mark.parametrize("name", NAMES)
def test_no_wrong_program_leaves_behind_what_the_right_one_does(name):
    exercise = exercises.get(name)
    assert not [wrong for wrong, trials in exercise.wrong_trials if alike(trials, exercise.right_trials)]


@pytest.mark.parametrize("name", NAMES)
def test_different_mistakes_leave_different_things_behind(name):
    assert not pairs(exercises.get(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_catalogued_program_is_named_by_its_own_result(name):
    exercise = exercises.get(name)
    for wrong, _ in exercise.wrong_trials:
        told = exercise.check(wrong.program)
        assert told.pitfall == wrong.id, str(told)
        if not exercise.structure:  # rules come first, and have words of their own
            assert told.variant == wrong.variant, str(told)


def test_a_rounded_norm_is_no_wrong_one():
    exercise = exercises.get("clip-by-global-norm")
    norm = exercise.right_trials[0].result["norm"]  # of the situation in which a wrong norm is told
    known = [trials[0].result["norm"] for _, trials in exercise.wrong_trials]
    for rounded in (math.floor(norm), math.ceil(norm), round(norm), round(norm, 1)):
        assert not same(float(rounded), norm)
        assert not [other for other in known if isinstance(other, float) and same(float(rounded), other)]


@pytest.mark.parametrize("name", NAMES)
def test_the_right_program_fits_everywhere(name):
    exercise = exercises.get(name)
    assert exercise.check(exercise.right)
    for fixture, trial in zip(exercise.fixtures, exercise.right_trials, strict=True):
        assert trial.fault is None and not trial.unfit and not trial.changed, fixture.name
        assert fixture.accepts is None or fixture.accepts(trial), fixture.name


@pytest.mark.parametrize("name", NAMES)
def test_a_right_verdict_is_the_same_every_time(name):
    exercise = exercises.get(name)
    cards = {str(exercise.check(exercise.right)._repr_mimebundle_()) for _ in range(2)}
    assert len(cards) == 1


@pytest.mark.parametrize("name", NAMES)
def test_situations_have_names_and_words_of_their_own(name):
    fixtures = exercises.get(name).fixtures
    assert len({fixture.name for fixture in fixtures}) == len({fixture.words for fixture in fixtures}) == len(fixtures)
