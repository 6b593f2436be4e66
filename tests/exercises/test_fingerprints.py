"""What can be called is told from what cannot, a number from what is none, and equal results from different ones."""

import numpy as np
import pytest
import torch

from gradlab.exercises.calling import refusal, untouched
from gradlab.exercises.fingerprints import match, same
from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial, Unfit, number


@pytest.mark.parametrize("function, why", (
    (lambda x: x, ""), (lambda *x: x, ""), (lambda x, y=1: x, ""), (max, ""), (lambda: 1, "takes (nothing)"),
    (lambda x, y: 1, "takes (x, y), and it is called with (x)"), (7, "given an int"), (None, "given None"),
    (int, "a class"),
))
def test_what_cannot_be_called_as_asked_is_refused_in_words(function, why):
    told = refusal(function, "def double(x) -> float")
    assert (why in told) if why else not told


def test_a_body_with_anything_in_it_is_not_untouched():
    assert not untouched(lambda x: 1) and not untouched(lambda x: x) and not untouched(max)
    assert untouched(lambda x: None) and untouched(lambda x: ...)


@pytest.mark.parametrize("value, expected", ((2, 2.0), (2.5, 2.5)))
def test_a_number_may_be_wrapped(value, expected):
    for wrapped in (value, np.float32(value), np.array([value]), torch.tensor(value), torch.tensor([[value]])):
        assert number(wrapped) == expected


@pytest.mark.parametrize("value", (None, "2", True, [2.0], 1j, {}))
def test_what_is_no_number_is_unfit(value):
    with pytest.raises(Unfit, match="your function returned"):
        number(value)


def test_results_are_the_same_up_to_rounding():
    inf, nan = float("inf"), float("nan")
    a = torch.tensor([1.0, -5.0, 0.0])
    assert same(a, a + 1e-4) and not same(a, a + 0.1) and not same(a, -a) and not same(a, a[:2])
    assert same(torch.tensor([1.0, nan, inf]), torch.tensor([1.0, nan, inf]))
    assert not same(torch.tensor([inf]), torch.tensor([-inf])) and not same(torch.tensor([nan]), torch.tensor([1.0]))
    assert same({"a": [a, 1.0], "b": "x"}, {"b": "x", "a": [a, 1.0005]}) and not same({"a": 1.0}, {"b": 1.0})
    assert same(nan, nan) and same(inf, inf) and not same(inf, -inf) and not same(1.0, nan) and not same(1.0, "1.0")
    assert same(0.0, 0.0) and not same(0.0, 1e-9) and not same(None, 0.0) and not same([1.0], 1.0)


def test_programs_that_explain_equally_much_explain_nothing():
    fixture = Fixture("one", "one", lambda: Setup(()), lambda setup, returned: Reading({}))
    trials = {value: [Trial(fixture, {"double": value})] for value in (1.0, 2.0)}
    one, other = (Wrong(id, "", abs) for id in ("wrong-norm", "always-clipped"))
    left = [Trial(fixture, {"double": 1.0, "rest": 5.0})]
    assert match(left, trials[2.0], [(one, trials[1.0])]) is one
    assert match(left, trials[2.0], [(one, trials[1.0]), (other, trials[1.0])]) is None
    assert match(trials[2.0], trials[2.0], [(one, trials[1.0])]) is None
