"""The one-unit network of Pascanu and others: exact gradients, a cliff, and what clipping does there."""

import numpy as np
import pytest
import torch

from gradlab.depth import cost_and_gradient, descend, landscape


@pytest.mark.parametrize(("w", "b"), [(5.5, -2.0), (4.1, -3.3), (-2.0, 0.5), (0.0, 0.0), (6.9, -1.6)])
def test_the_gradient_is_that_of_autograd(w, b):
    point = torch.tensor([w, b], dtype=torch.float64, requires_grad=True)
    x = torch.tensor(0.5, dtype=torch.float64)
    for _ in range(50):
        x = point[0] * torch.sigmoid(x) + point[1]
    ((x - 0.7) ** 2).backward()
    cost, gradient = cost_and_gradient(w, b)
    assert cost == pytest.approx(((x - 0.7) ** 2).item(), rel=1e-9)
    assert gradient == pytest.approx(point.grad.numpy(), rel=1e-6, abs=1e-12)


def test_arrays_are_many_numbers_at_once():
    w, b = np.array([[5.0, 6.0], [4.5, 5.5]]), np.array([-2.0, -3.0])
    cost, gradient = cost_and_gradient(w, b)
    assert cost.shape == (2, 2) and gradient.shape == (2, 2, 2)
    alone, slope = cost_and_gradient(4.5, -2.0)
    assert cost[1, 0] == alone and np.array_equal(gradient[:, 1, 0], slope)


def test_nothing_overflows_however_far_away():
    cost, gradient = cost_and_gradient(np.array([1e6, -1e6]), np.array([1e6, 1e6]))
    assert np.isfinite(cost).all() and np.isfinite(gradient).all()


def test_the_longest_gradient_stands_at_the_cliff_far_above_the_median():
    ground = landscape()
    assert ground.cost.shape == ground.norm.shape == (301, 201)
    assert ground.norm.max() / np.median(ground.norm) > 500
    assert ground.steepest == pytest.approx((4.98, -2.60), abs=0.05)
    assert np.percentile(ground.norm, 99) < 15


def test_until_the_wall_clipping_changes_nothing_and_there_it_bounds_the_step():
    free, clipped = descend(), descend(max_norm=15.0)
    hit = int(np.argmax(free.norm > 15))
    assert 50 < hit < 400
    for one, other in zip((free.w, free.b, free.cost), (clipped.w, clipped.b, clipped.cost), strict=True):
        assert np.array_equal(one[:hit + 1], other[:hit + 1])
    assert clipped.longest_step <= 0.001 * 15 * (1 + 1e-9)
    assert free.longest_step > 1000 * clipped.longest_step
    assert free.cost[-1] > 100 > 10 > clipped.cost[-50:].max()


def test_from_twenty_five_starts_clipping_loses_none_and_the_bare_descent_most():
    w, b = (axis.ravel() for axis in np.meshgrid(np.linspace(5, 6, 5), np.linspace(-2.4, -1.6, 5)))
    ends = [np.median(descend(w, b, max_norm=limit).cost[-50:], axis=0) for limit in (None, 15.0)]
    assert (ends[0] > 1).sum() >= 12 and (ends[1] > 1).sum() <= 3


def test_a_descent_from_several_starts_is_each_alone():
    together, alone = descend(np.array([5.0, 5.5]), -2.0, updates=20), descend(5.5, -2.0, updates=20)
    assert together.w.shape == (21, 2) and alone.w.shape == (21,)
    assert np.array_equal(together.w[:, 1], alone.w) and np.array_equal(together.cost[:, 1], alone.cost)


def test_a_limit_is_only_ever_a_limit():
    assert np.array_equal(descend(updates=50).w, descend(updates=50, max_norm=1e9).w)


@pytest.mark.parametrize(("call", "match"), [
    (lambda: landscape(w=(5, 5)), "w must rise"), (lambda: landscape(b=(0, float("nan"))), "b must be finite"),
    (lambda: landscape(points=(1, 5)), "points must lie between 2"),
    (lambda: descend(float("inf")), "w must be finite"), (lambda: descend(w="5"), "w must be a number"),
    (lambda: descend(b=np.array([1.0, float("nan")])), "b must be finite"),
    (lambda: descend(w=True), "w must be a number")])
def test_bad_input_is_named(call, match):
    with pytest.raises((TypeError, ValueError), match=match):
        call()
