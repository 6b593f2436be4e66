"""A stated number is tested, and what is printed about it is the same on every machine."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradlab.check import check, claim

FINITE = st.floats(-1e100, 1e100)
TOLERANCE = st.floats(0, 10)


@given(want=FINITE, rtol=TOLERANCE, atol=TOLERANCE)
def test_the_stated_number_itself_passes_under_any_tolerance(want, rtol, atol):
    check("n", want, want, rtol, atol)


@given(
    want=FINITE.filter(lambda x: abs(x) > 1e-100), rtol=st.floats(1e-6, 0.9), side=st.sampled_from([-1, 1])
)
def test_the_tolerance_is_a_fraction_of_the_stated_number(want, rtol, side):
    check("n", want * (1 + side * rtol * 0.999), want, rtol)
    with pytest.raises(AssertionError):
        check("n", want * (1 + side * rtol * 1.001), want, rtol)


def test_the_wider_of_the_two_tolerances_holds():
    check("n", 100.5, 100, rtol=0.01, atol=0.1)
    check("n", 100.5, 100, rtol=0.001, atol=1)
    with pytest.raises(AssertionError):
        check("n", 100.5, 100, rtol=0.001, atol=0.1)


@given(low=FINITE, high=FINITE, got=FINITE)
def test_a_bracket_holds_exactly_what_lies_between_its_ends(low, high, got):
    if not low < high:
        with pytest.raises(ValueError, match="lo < hi"):
            check("n", got, between=(low, high))
    elif low <= got <= high:
        check("n", got, between=(low, high))
    else:
        with pytest.raises(AssertionError):
            check("n", got, between=(low, high))


@pytest.mark.parametrize(
    "got",
    [
        2,
        2.0,
        np.float32(2),
        np.int64(2),
        np.array(2.0),
        np.array([2.0]),
        torch.tensor(2.0),
        torch.tensor([[2]]),
        torch.tensor(2.0, dtype=torch.bfloat16),
    ],
    ids=repr,
)
def test_one_number_in_any_wrapping_is_a_number(got):
    check("n", got, 2, rtol=0)


@pytest.mark.filterwarnings("error")
def test_a_tensor_with_a_gradient_is_checked_without_a_warning():
    # A warning goes to stderr, and nothing on stderr may be stored in a notebook.
    check("loss", torch.tensor(2.0, requires_grad=True), 2)


@pytest.mark.parametrize("got", ["2.0", None, [2.0], (2.0,), {}, 2j, print, np.array("2")], ids=repr)
def test_what_is_no_number_is_refused_by_type(got):
    with pytest.raises(TypeError, match="not a number"):
        check("loss", got, 2)


def test_a_truth_value_is_no_measurement():
    for got in (True, np.True_, torch.tensor(True)):
        with pytest.raises(TypeError, match=r"claim\(\)"):
            check("share", got, 1)


@pytest.mark.parametrize("many", [np.zeros(3), torch.zeros(2, 2), np.zeros(0)], ids=repr)
def test_many_numbers_are_refused_with_their_shape_and_a_way_out(many):
    with pytest.raises(TypeError, match=r"shape \(.*\.mean\(\)"):
        check("loss", many, 0)


def test_nan_fails_with_a_sentence_of_its_own():
    for statement in ({"want": 1.0, "rtol": 10}, {"between": (-math.inf, math.inf)}):
        with pytest.raises(AssertionError, match="got NaN.*equals nothing"):
            check("loss", math.nan, **statement)


def test_infinity_is_only_itself():
    check("n", math.inf, math.inf)
    check("n", -math.inf, -math.inf)
    for got, want in ((math.inf, 1.0), (1.0, math.inf), (-math.inf, math.inf)):
        with pytest.raises(AssertionError):
            check("n", got, want)


@pytest.mark.parametrize(
    "tolerance", [{"rtol": -0.1}, {"atol": -1}, {"rtol": math.nan}, {"atol": math.inf}], ids=str
)
def test_a_tolerance_that_is_no_tolerance_is_refused(tolerance):
    with pytest.raises(ValueError, match=next(iter(tolerance))):
        check("n", 1, 1, **tolerance)


def test_nan_cannot_be_stated():
    with pytest.raises(ValueError, match="isnan"):
        check("n", 1, math.nan)
    with pytest.raises(ValueError, match="lo < hi"):
        check("n", 1, between=(0, math.nan))


def test_exactly_one_of_want_and_between_is_stated():
    for statement in ({}, {"want": 1, "between": (0, 2)}):
        with pytest.raises(TypeError, match="either want or between"):
            check("n", 1, **statement)


@pytest.mark.parametrize("between", [3, (1,), (1, 2, 3)], ids=repr)
def test_a_bracket_is_a_pair(between):
    with pytest.raises(TypeError, match="pair"):
        check("n", 1, between=between)


def test_a_failure_carries_the_measured_the_stated_and_what_to_do():
    with pytest.raises(AssertionError) as failure:
        check("loss after 200 steps", 2.31, 2.05, rtol=0.1)
    for part in ("loss after 200 steps", "got 2.31", "stated 2.05", "1.845 to 2.255", "Restart the kernel"):
        assert part in str(failure.value)
    with pytest.raises(AssertionError, match="got 9, stated between 0 and 5"):
        check("spikes", 9, between=(0, 5))


def test_a_stated_zero_without_atol_fails_with_the_advice_to_give_one():
    with pytest.raises(AssertionError, match="give atol"):
        check("drift", 1e-12, 0)
    check("drift", 1e-12, 0, atol=1e-9)


@given(first=st.floats(1.99, 2.01), second=st.floats(1.99, 2.01))
def test_what_was_measured_leaves_no_trace_in_the_printed_text(first, second):
    assert _printed(check, "loss", first, 2.0) == _printed(check, "loss", second, 2.0)
    assert _printed(check, "loss", first, between=(1, 3)) == _printed(check, "loss", second, between=(1, 3))
    assert _printed(claim, "fell", True, f"{first}") == _printed(claim, "fell", True, f"{second}")


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((2.05,), {"rtol": 0.05}, "loss: 2.05 (checked, rtol 0.05)\n"),
        ((0,), {"atol": 0.1}, "loss: 0 (checked, rtol 0.02, atol 0.1)\n"),
        ((1234567,), {}, "loss: 1234567 (checked, rtol 0.02)\n"),
        ((), {"between": (1, 2.5)}, "loss: between 1 and 2.5 (checked)\n"),
    ],
)
def test_the_printed_text_is_the_statement(arguments, options, text):
    got = arguments[0] if arguments else 2
    assert _printed(check, "loss", got, *arguments, **options) == text


def test_a_claim_prints_true_and_a_false_one_carries_its_detail():
    assert _printed(claim, "clipping helps", np.float64(1) < 2) == "clipping helps: True\n"
    with pytest.raises(AssertionError, match="clipping helps: False. clipped 3, unclipped 2. Restart"):
        claim("clipping helps", 2 > 3, "clipped 3, unclipped 2.")


@pytest.mark.parametrize(
    "ok", [True, np.True_, np.array([True]), torch.tensor(True), torch.tensor([True])], ids=repr
)
def test_one_truth_value_in_any_wrapping_is_a_truth_value(ok):
    claim("it", ok)
    with pytest.raises(AssertionError):
        claim("it", ~ok if ok is not True else False)


@pytest.mark.parametrize(
    "many", [np.array([True, True]), torch.tensor([True, False]), np.zeros(0, bool)], ids=repr
)
def test_a_claim_about_many_truth_values_must_say_all_or_any(many):
    with pytest.raises(TypeError, match=r"\.all\(\) or \.any\(\)"):
        claim("all fell", many)


@pytest.mark.parametrize(
    "ok", [[False], "no", print, 1, 0, None, 0.3, np.float64(0.3), torch.tensor(2)], ids=repr
)
def test_what_is_merely_truthy_is_no_truth_value(ok):
    with pytest.raises(TypeError, match="not True or False"):
        claim("it", ok)


def test_a_detail_to_call_is_called_on_failure_only_and_never_hides_the_claim():
    calls = []
    claim("it", True, lambda: calls.append("called"))
    assert calls == []
    with pytest.raises(AssertionError, match="it: False. seed 3."):
        claim("it", False, lambda: "seed 3")
    with pytest.raises(AssertionError, match="it: False.*ZeroDivisionError"):
        claim("it", False, lambda: 1 / 0)


def _printed(function, *arguments, **options) -> str:
    # Not capsys: hypothesis runs a test many times over, and capsys does not tell the runs apart.
    with contextlib.redirect_stdout(io.StringIO()) as out:
        function(*arguments, **options)
    return out.getvalue()
