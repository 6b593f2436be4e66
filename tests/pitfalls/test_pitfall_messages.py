"""A message quotes the evidence it is given, all of it and nothing else, in numbers that a person would write."""

import math
import re
import string

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradlab import pitfalls
from gradlab.ledger.words import number
from gradlab.pitfalls.pitfall import written

TEMPLATES = [pytest.param(pitfall, variant, id=f"{pitfall.id}:{variant}")
             for pitfall in pitfalls.CATALOGUE for variant in pitfall.variants]
every = pytest.mark.parametrize(("pitfall", "variant"), TEMPLATES)


@every
def test_every_message_can_be_said_with_its_evidence(pitfall, variant):
    evidence = {name: f"<{name}>" for name in pitfall.evidence(variant)}
    said = pitfall.say(variant, **evidence)
    assert evidence, "a message quotes at least one thing"
    assert all(quote in said for quote in evidence.values())
    assert "{" not in said and "}" not in said and "|" not in said


@every
def test_a_message_is_a_sentence_for_one_and_for_many(pitfall, variant):
    for value in (0, 1, 2, 7.5, math.inf, math.nan):
        said = pitfall.say(variant, **{name: value for name in pitfall.evidence(variant)})
        assert said.endswith((".", "°.")) and "  " not in said and "—" not in said


@every
def test_missing_and_unknown_evidence_is_named(pitfall, variant):
    first, *rest = names = pitfall.evidence(variant)
    with pytest.raises(TypeError, match=rf"{pitfall.id}.*missing: {first}$"):
        pitfall.say(variant, **{name: 1 for name in rest})
    with pytest.raises(TypeError, match=rf"quotes {', '.join(names)}; not in it: colour"):
        pitfall.say(variant, **{name: 1 for name in names}, colour="red")


@every
def test_templates_are_plain(pitfall, variant):
    for _, name, spec, conversion in string.Formatter().parse(pitfall.messages[variant]):
        assert conversion is None
        if name is not None:
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
            assert not spec or re.fullmatch(r"[^|{}]+\|[^|{}]+", spec)


def test_no_two_messages_are_the_same():
    templates = [template for pitfall in pitfalls.CATALOGUE for template in pitfall.messages.values()]
    assert len(set(templates)) == len(templates)


def test_the_usual_variant_comes_first_and_variants_are_kebab_case():
    for pitfall in pitfalls.CATALOGUE:
        first, *rest = pitfall.variants
        assert first == "" and all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", variant) for variant in rest)


def test_an_unknown_variant_is_met_with_the_known_ones():
    with pytest.raises(ValueError, match="always-normalise has no variant 'jumps'; it has '', 'jump'"):
        pitfalls.get("always-normalise").say("jumps", norm=1)
    with pytest.raises(ValueError, match="it has '', 'jump'"):
        pitfalls.get("always-normalise").evidence("jumps")


def test_a_message_carries_the_learners_own_numbers():
    said = pitfalls.get("clip-before-unscale").say(norm=torch.tensor(7593.9), scale=1024.0, norm_true=7.41620,
                                                   max_norm=0.5, max_norm_eff=0.5 / 1024)
    assert said == "Clip saw norm 7,594 = 1,024 × 7.416, so your limit of 0.5 acted as 0.0004883."


def test_the_word_fits_the_number():
    def say(n):
        return pitfalls.get("zero-grad-before-step").say(n_backward=2, n_lost=n, n_left=2 - n, divisor=2)

    assert "2 backward passes" in say(1) and "1 was cleared" in say(1)
    assert "0 were cleared" in say(0) and "2 were cleared" in say(2)


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (0.0, "0"), (-0.0, "0"), (1, "1"), (1.0, "1"), (1024, "1024"), (1024.0, "1,024"), (65536.0, "65,536"),
    (34701, "34,701"), (2**24 * 1.0, "16,777,216"), (123456789, "123,456,789"), (1e10, "1e10"), (-3.0, "-3"),
    (7.41619849, "7.416"), (0.25, "0.25"), (1 / 3, "0.3333"), (1234.5678, "1,235"), (999.97, "1,000"),
    (-34952.53, "-34,953"),
    (348160.7, "348,161"), (12345678.9, "1.235e7"), (1.5e-5, "1.5e-5"), (0.0066, "0.0066"), (-1e-300, "-1e-300"),
    (1.9999998, "2"), (math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "NaN"), (True, "on"), (False, "off"),
    ("head.weight", "head.weight"), ((0.1, 0.2), "0.1, 0.2"), ([], ""), (np.float32(0.1), "0.1"), (np.int64(3), "3"),
    (torch.tensor(0.1), "0.1"), (torch.tensor([0.5, 2.0]), "0.5, 2"), (torch.tensor(5), "5")])
def test_numbers_are_written_as_people_write_them(value, text):
    assert written(value) == text


@given(st.floats(-1e308, 1e308))
def test_a_written_number_reads_back_to_four_digits(value):
    assert math.isclose(float(written(value).replace(",", "")), value, rel_tol=5.1e-4, abs_tol=0)
    assert not re.search(r"e\+|e-?0", written(value))


@given(st.integers())
def test_a_whole_number_is_written_whole(value):
    assert int(written(value).replace(",", "")) == value


@given(st.floats(1000, 9e6))
def test_a_size_in_the_thousands_reads_the_same_on_a_card_and_in_a_drawing(value):
    assert written(value) == number(value)


@pytest.mark.parametrize("value", [None, object(), 1j, {"norm": 1}])
def test_what_has_no_words_is_refused_by_name(value):
    with pytest.raises(TypeError, match=r"clip-missing: a message quotes numbers and text, not .*, got norm="):
        pitfalls.get("clip-missing").say(norm=value, max_norm=1.0)
