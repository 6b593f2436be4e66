"""An exercise says what to do, helps by degrees, and names one mistake at a time."""

import subprocess
import sys

import pytest

from gradlab import exercises, pitfalls
from gradlab.exercises.calling import asked_for
from gradlab.exercises.exercise import Exercise
from gradlab.exercises.mistakes import Diagnosis, Wrong
from gradlab.exercises.note import Note
from gradlab.exercises.trial import Fixture, Reading, Setup, number

NAMES = exercises.names()


def doubling(**options):
    """An exercise of its own: twice a number."""

    def fixture(value, **more):
        return Fixture(f"number {value}", f"the number {value}", lambda: Setup((value,)),
                       lambda setup, returned: Reading({"double": number(returned)}), **more)

    settings = {
        "name": "double", "title": "Double", "minutes": 1, "difficulty": 1, "lab": "01_clipping", "task": "Double it.",
        "signature": "def double(x) -> float", "right": _double, "hints": ("gently", "strongly"),
        "wrong": (
            Wrong("always-clipped", "chosen", lambda x: x, lambda mine, right: {
                "max_norm": mine.result["double"], "percent": 1, "norm_med": 2}),
            Wrong(None, "square", lambda x: x * x, lambda mine, right: {"got": mine.result["double"]}, "{got} squared"),
        ),
        "fixtures": (fixture(3.0), fixture(5.0), fixture(-1.0, raises=ValueError)),
    }
    return Exercise(**settings | options)


def _double(x):
    if x < 0:
        raise ValueError
    return 2 * x


def test_names_are_in_the_order_of_the_course_and_lead_to_the_exercise():
    assert NAMES == (
        "clip-by-global-norm", "training-step", "choose-max-norm", "warmup", "cosine-after-warmup", "scheduler-step",
        "accumulate-tokens", "leftover-window", "noise-scale", "loss-scale", "amp-step", "half-norm", "init-gain",
        "layer-norms", "skip-nonfinite", "block-sum", "grid-norm", "clip-kernel")
    labs = [exercises.get(name).lab for name in NAMES]
    assert labs == sorted(labs)
    assert all(exercises.get(name).name == name for name in NAMES)
    assert exercises.get("warmup") is exercises.get("warmup")


@pytest.mark.parametrize("name, close", (("clip_by_global_norm", "clip-by-global-norm"), ("warm-up", "warmup")))
def test_an_unknown_name_brings_the_close_ones(name, close):
    with pytest.raises(KeyError, match=f"no exercise '{name}'.*'{close}'"):
        exercises.get(name)


def test_an_exercise_is_loaded_when_it_is_asked_for():
    code = ("import sys; from gradlab import exercises; exercises.names(); "
            "assert not [m for m in sys.modules if m.startswith('gradlab.exercises.w')], 'loaded'; "
            "exercises.get('warmup'); assert 'gradlab.exercises.choose_max_norm' not in sys.modules")
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_says_what_it_takes(name):
    exercise = exercises.get(name)
    assert 1 <= exercise.difficulty <= 5 and 1 <= exercise.minutes <= 30
    assert set(exercise.pitfalls) <= set(pitfalls.ids()) and exercise.pitfalls
    bundle = exercise._repr_mimebundle_()
    for said in (exercise.title, f"{exercise.minutes} minutes", f"difficulty {exercise.difficulty} of 5",
                 exercise.task.strip(), exercise.signature):
        assert said in bundle["text/markdown"]


@pytest.mark.parametrize("name", NAMES)
def test_the_right_program_has_the_name_and_parameters_of_the_signature(name):
    exercise = exercises.get(name)
    function, parameters = asked_for(exercise.signature)
    code = exercise.right.__code__
    assert (code.co_name, list(code.co_varnames[:code.co_argcount])) == (function, parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_stub_is_not_attempted(name):
    exercise = exercises.get(name)
    namespace = {}
    for body in ('"""Do it."""', "...", "pass", "return", "raise NotImplementedError",
                 'raise NotImplementedError("here")', '"""Do it."""\n    x = 1\n    raise NotImplementedError'):
        exec(compile(f"{exercise.signature}:\n    {body}\n", "<cell>", "exec"), namespace)
        told = exercise.check(namespace[asked_for(exercise.signature)[0]])
        assert told.outcome == "not attempted" and told.pitfall is None and not told


def test_there_are_two_hints_and_no_others():
    exercise = doubling()
    assert "gently" in str(exercise.hint(1)) and "strongly" in str(exercise.hint(2))
    for other in (0, 3, "1", None):
        with pytest.raises(ValueError, match="hints 1 and 2"):
            exercise.hint(other)


def test_the_solution_comes_after_the_second_hint():
    exercise = doubling()
    exercise.check(lambda x: x)
    exercise.hint(1)
    assert "hint(2)" in str(exercise.solution()) and "1 attempt checked" in str(exercise.solution())
    exercise.hint(2)
    assert str(exercise.solution()).startswith("```python\ndef _double(x):\n    if x < 0:")


@pytest.mark.parametrize("name", NAMES)
def test_no_hint_is_the_solution(name):
    exercise = exercises.get(name)
    exercise.hint(2)
    lines = [line.strip() for line in str(exercise.solution()).splitlines()[2:-1] if line.strip()]
    gentle, strong = exercise.hints
    assert not any(line in gentle for line in lines)
    assert sum(line in strong for line in lines) <= 0.6 * len(lines)


def test_the_solution_is_right():
    for name in NAMES:
        exercise = exercises.get(name)
        assert exercise.check(exercise.right)


def test_a_result_like_a_known_mistakes_is_named():
    told = doubling().check(lambda x: x)
    assert (told.outcome, told.pitfall, told.variant) == ("wrong", "always-clipped", "chosen")
    assert told.experiment == pitfalls.get("always-clipped").experiment and told.fixture == "the number 3.0"


def test_a_second_mistake_does_not_hide_the_first():
    told = doubling().check(lambda x: x if x < 4 else 77.0)
    assert told.pitfall == "always-clipped"


def test_a_result_that_fits_no_mistake_gets_the_numbers():
    told = doubling().check(lambda x: 10.0)
    assert told.pitfall is None and "double: expected 6, got 10" in told.message


def test_a_mistake_without_a_pitfall_has_its_own_words():
    told = doubling().check(lambda x: x * x)
    assert (told.outcome, told.pitfall, told.message) == ("wrong", None, "9 squared.")


def test_an_error_that_is_asked_for_is_right_and_its_absence_is_told():
    def lenient(x):
        return 2 * x

    told = doubling().check(lenient)
    assert told.outcome == "wrong" and "ValueError is asked for" in told.message and told.fixture == "the number -1.0"

    def other(x):
        if x < 0:
            raise KeyError("no")
        return 2 * x

    told = doubling().check(other)
    assert told.outcome == "error" and "KeyError" in told.message and "ValueError is asked for here" in told.message


def test_an_error_on_a_later_fixture_comes_after_a_wrong_result_on_the_first():
    def both(x):
        return x if x < 4 else 1 / 0

    assert doubling().check(both).pitfall == "always-clipped"


def test_rules_on_structure_come_before_results_and_symptoms_after():
    always = Diagnosis("wrong-norm", "by a rule", "try it")
    assert doubling(structure=[lambda mine, right: always]).check(lambda x: x).message == "By a rule."
    assert doubling(symptoms=[lambda mine, right: always]).check(lambda x: x).pitfall == "always-clipped"
    assert doubling(symptoms=[lambda mine, right: always]).check(lambda x: 10.0).message == "By a rule."


def test_a_rule_is_asked_only_where_the_result_is_wrong():
    asked = []
    doubling(structure=[lambda mine, right: asked.append(mine.fixture.name)]).check(lambda x: 2 * x if x > 4 else 0.5)
    assert asked == ["number 3.0", "number -1.0"]


def test_rules_and_words_that_fail_are_silent():
    def fails(mine, right):
        raise ZeroDivisionError

    told = doubling(structure=[fails], symptoms=[fails], unexplained=fails).check(lambda x: 10.0)
    assert "expected 6" in told.message


def test_what_was_edited_is_told_first():
    fixture = Fixture("a list", "a list of one", lambda: Setup(([1.0],)), lambda setup, returned: Reading(
        {"first": number(returned)}, changed="" if setup.arguments[0] else "your function emptied the list"))
    told = doubling(fixtures=(fixture,), right=lambda x: x[0], wrong=()).check(lambda x: x.pop())
    assert told.message == "Your function emptied the list."


def test_time_is_shared_by_all_fixtures():
    def slow(x):
        if x == 5:
            while True:
                pass
        return 2 * x

    told = doubling().check(slow, seconds=0.3)
    assert told.outcome == "error" and told.fixture == "the number 5.0"
    assert "stopped when its 0.3 seconds were up" in told.message


def test_who_ran_out_of_time_does_not_wait_for_the_known_mistakes():
    tried = []
    wrong = Wrong(None, "slow", tried.append, message="slow")

    def endless(x):
        while True:
            pass

    told = doubling(wrong=(wrong,)).check(endless, seconds=0.1)
    assert told.outcome == "error" and "seconds were up" in told.message and not tried
    assert not doubling(wrong=(wrong,)).check(lambda x: 10.0) and tried  # otherwise they are tried


def test_a_power_in_a_solution_stays_one_on_a_terminal():
    assert str(Note("**Hint.** `x**2`\n```python\ny = x**2\n```")) == "Hint. `x**2`\n```python\ny = x**2\n```"
