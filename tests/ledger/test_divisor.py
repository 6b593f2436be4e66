"""What a loss was divided by is read from its graph, whatever the writing; what is no division is none."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from gradlab.ledger import record
from gradlab.ledger.observe.divisor import reaches, read

WEIGHT = nn.Parameter(torch.tensor([1.0, 2.0, 4.0]))


def loss():
    return (WEIGHT * 3).square().sum()


def divisor(value):
    return read((value,), ()).divisor


DIVISIONS = {
    "/": lambda k: loss() / k,
    "* 1/k": lambda k: loss() * (1 / k),
    "1/k *": lambda k: (1 / k) * loss(),
    "div": lambda k: loss().div(k),
    "/=": lambda k: _in_place(loss(), k),
    "tensor": lambda k: loss() / torch.tensor(float(k), dtype=torch.float64),
    "tensor of one element": lambda k: loss() / torch.tensor([float(k)], dtype=torch.float64),
    "tensor * loss": lambda k: torch.tensor(1.0 / k, dtype=torch.float64) * loss(),
    "then cast": lambda k: (loss() / k).double(),
    "then cloned": lambda k: (loss() / k).clone(),
}


def _in_place(value, k):
    value /= k
    return value


@pytest.mark.parametrize("way", DIVISIONS)
@given(k=st.integers(1, 10_000) | st.floats(0.01, 1e4))
def test_a_division_is_read_in_any_writing(way, k):
    assert divisor(DIVISIONS[way](k)) == pytest.approx(k, rel=1e-9)


@pytest.mark.parametrize("value", [
    lambda: loss(), lambda: loss() + 1, lambda: loss() / 4 + loss() / 4, lambda: -loss(), lambda: WEIGHT.mean(),
    lambda: loss() * loss(), lambda: loss() / loss(), lambda: (WEIGHT / torch.ones(3)).sum(),
    lambda: WEIGHT[0], lambda: (loss() / 4).sqrt(), lambda: loss() * float("inf"), lambda: loss() * 0])
def test_anything_else_has_no_divisor(value):
    assert divisor(value()) is None


def test_the_outermost_division_counts():
    assert divisor(loss() / 2 / 8) == 8.0


DIFFERENCE = WEIGHT - 1
OWN_HALVES = {
    "sum of squares": lambda: 0.5 * (WEIGHT - 1).pow(2).sum(),
    "mean of squares": lambda: ((WEIGHT - 1) ** 2).mean() / 2,
    "a product with itself": lambda: 0.5 * (DIFFERENCE * DIFFERENCE).sum(),
    "two terms": lambda: ((WEIGHT - 1).square().mean() + WEIGHT.square().mean()) / 2,
    "a norm squared": lambda: 0.5 * WEIGHT.norm() ** 2,
    "divided before": lambda: 0.5 * (WEIGHT.sum() / 4),
}
COUNTS = {
    "a mean": lambda: WEIGHT.mean() / 2,
    "torch's squared error": lambda: nn.functional.mse_loss(WEIGHT, torch.ones(3)) * 0.5,
    "squares by four": lambda: WEIGHT.square().sum() / 4,
    "cubes": lambda: (WEIGHT**3).sum() / 2,
    "two that are multiplied": lambda: (WEIGHT * WEIGHT.exp()).sum() / 2,
}


@pytest.mark.parametrize("name, value, halved", [
    *((name, value, True) for name, value in OWN_HALVES.items()),
    *((name, value, False) for name, value in COUNTS.items())])
def test_a_half_of_squares_or_of_what_was_divided_is_the_losss_own(name, value, halved):
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    for found in read((value(),), ()), read((scaler.scale(value()),), [scaler]):
        assert found.divisor == (4.0 if name == "squares by four" else 2.0) and found.halved == halved


def test_a_scale_is_no_division_before():
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    assert not read((0.5 * scaler.scale(WEIGHT.sum()),), [scaler]).halved


def test_of_several_losses_none_is_read():
    assert read((loss() / 2, loss() / 2), ()).divisor is None


@given(st.integers(2, 64), st.floats(2, 2**24))
def test_a_scaler_s_factor_is_stepped_over(k, scale):
    assume(scale != k)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    for value in scaler.scale(loss() / k), scaler.scale(loss()) / k, scaler.scale(loss() * (1 / k)):
        found = read((value,), [scaler])
        assert found.scaler is scaler and found.divisor == pytest.approx(k)
    assert read((loss() / k,), [scaler]).scaler is None


def test_reading_leaves_the_graph_as_it_was():
    value = loss() / 4
    divisor(value)
    value.backward()
    assert WEIGHT.grad is not None
    WEIGHT.grad = None


def test_a_graph_that_was_freed_has_nothing_to_read():
    value = loss() / loss().detach()
    value.backward()
    assert divisor(value) is None
    WEIGHT.grad = None


def test_whether_a_loss_reaches_a_parameter():
    other = nn.Parameter(torch.ones(3))
    ours = {id(WEIGHT): 0}
    assert reaches((loss(),), ours) and reaches((WEIGHT[0],), ours)
    assert reaches(((other * 2).sum(), loss()), ours) and not reaches(((other * 2).sum(),), ours)
    assert not reaches((torch.ones(1),), ours)


def test_the_ledger_tells_the_divisor_of_each_backward():
    model = nn.Linear(3, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        for k in 1, 2, 7.5:
            (model(torch.ones(3)).sum() / k).backward()
        model(torch.ones(3)).sum().backward()
    assert [event.divisor for event in events] == [1.0, 2.0, 7.5, None]
