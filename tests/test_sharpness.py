"""Laws of the sharpness: the largest eigenvalue of a Hessian that can be written down, and the edge of stability."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradlab import NonFiniteGradientError
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe
from gradlab.sharpness import sharpness, twice_differentiable
from gradlab.train import make_model


def quadratic(eigenvalues, seed=0):
    """A loss whose Hessian has these eigenvalues, in directions at random, with its parameter and the Hessian."""
    n = len(eigenvalues)
    generator = torch.Generator().manual_seed(seed)
    axes, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    hessian = axes @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ axes.T
    point = torch.randn(n, generator=generator, dtype=torch.float64).requires_grad_()
    return 0.5 * point @ hessian @ point, point, hessian


@pytest.mark.parametrize("eigenvalues", [
    [3.0, 1.0, 0.5], [3.0, -2.0, 1.0], [-5.0, 2.0, 1.0], [-5.0, -4.0, 0.25], [-5.0, -1.0, -3.0], [7.0], [-7.0],
    [0.0, -1.0], [2.0, 2.0, 2.0], [1e-6, 1e-7, 0.0], [1e6, 1.0, -1e5], [-1.0] * 4,
])
def test_it_is_the_largest_eigenvalue_with_its_sign(eigenvalues):
    loss, point, hessian = quadratic(eigenvalues)
    found = sharpness(loss, [point], iterations=400, rtol=1e-6)
    assert found.converged, found
    assert found.value == pytest.approx(max(eigenvalues), rel=1e-3, abs=1e-9)
    assert float(found.vector.norm()) == pytest.approx(1.0)
    away = float((hessian @ found.vector - found.value * found.vector).norm())
    assert away == pytest.approx(found.residual, abs=1e-3 * max(map(abs, eigenvalues)))
    assert 1 <= found.iterations <= 400


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=2, max_size=8), st.integers(0, 50))
def test_what_it_calls_converged_lies_at_an_eigenvalue_and_none_is_larger_by_much(eigenvalues, seed):
    loss, point, hessian = quadratic(eigenvalues, seed)
    found = sharpness(loss, [point], iterations=3000, rtol=1e-7)
    true = torch.linalg.eigvalsh(hessian)
    if found.converged:
        assert float((true - found.value).abs().min()) <= found.residual + 1e-6
        assert found.value <= float(true.max()) + 1e-6


@given(st.floats(0.01, 100))
@settings(max_examples=15, deadline=None)
def test_a_loss_times_a_factor_has_its_sharpness_times_the_factor(factor):
    one, other = quadratic([3.0, -1.0, 0.5]), quadratic([3.0, -1.0, 0.5])
    assert sharpness(factor * other[0], [other[1]]).value == pytest.approx(factor * sharpness(one[0], [one[1]]).value)


def test_the_same_generator_gives_the_same_number_to_the_bit():
    def found(generator=None):
        loss, point, _ = quadratic([3.0, 2.9, -1.0])
        return sharpness(loss, [point], iterations=7, generator=generator)

    assert found().value == found().value
    one, other = (found(torch.Generator().manual_seed(5)) for _ in range(2))
    assert one.value == other.value != found().value
    state = torch.random.get_rng_state()
    found()
    assert torch.equal(state, torch.random.get_rng_state())


def test_what_has_not_settled_says_so():
    loss, point, _ = quadratic([3.0, 2.999, 1.0])
    found = sharpness(loss, [point], iterations=2)
    assert not found.converged and found.iterations == 2 and "not converged" in repr(found)
    loss, point, _ = quadratic([-3.0, 1.0, 0.5])
    found = sharpness(loss, [point], iterations=12, rtol=1e-4)
    assert not found.converged and found.iterations == 12


def test_the_last_direction_saves_most_of_the_work():
    loss, point, _ = quadratic([3.0, 2.5, *[0.1] * 30])
    first = sharpness(loss, [point], rtol=1e-5)
    loss, point, _ = quadratic([3.0, 2.5, *[0.1] * 30])
    again = sharpness(loss, [point], rtol=1e-5, start=first.vector)
    assert again.iterations <= 4 < first.iterations
    assert again.value == pytest.approx(first.value, rel=1e-4)


def test_a_network_agrees_with_its_hessian_written_out():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 1, dtype=torch.float64)
    names, values = zip(*model.named_parameters(), strict=True)
    shapes = [value.shape for value in values]

    def loss_at(flat):
        parts = torch.split(flat, [shape.numel() for shape in shapes])
        named = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return ((torch.func.functional_call(model, named, x) - y) ** 2).mean()

    flat = torch.cat([value.detach().flatten() for value in values])
    true = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss_at, flat)).max()
    found = sharpness(((model(x) - y) ** 2).mean(), model.parameters(), iterations=300, rtol=1e-6)
    assert found.converged and found.value == pytest.approx(float(true), rel=1e-3)


def test_at_a_point_without_a_slope_there_is_still_a_bend():
    point = torch.zeros(3, requires_grad=True)
    assert sharpness((point * torch.tensor([1.0, 2.0, 3.0])) @ point, [point]).value == pytest.approx(6.0, rel=1e-3)


def test_a_plane_has_sharpness_zero():
    point = torch.ones(3, requires_grad=True)
    for loss in (point.sum(), 2 * point.sum() + 0 * (point**2).sum()):
        found = sharpness(loss, [point])
        assert (found.value, found.converged) == (0.0, True)


def test_parameters_that_have_no_part_in_the_loss_do_no_harm():
    loss, point, _ = quadratic([4.0, 1.0])
    unused, frozen = torch.ones(5, dtype=torch.float64, requires_grad=True), torch.ones(2)
    found = sharpness(loss, [unused, point, frozen])
    assert found.value == pytest.approx(4.0, rel=1e-3) and found.vector.shape == (7,)


def test_gradients_and_weights_stay_as_they_were():
    loss, point, _ = quadratic([4.0, 1.0])
    point.grad, before = torch.ones(2, dtype=torch.float64), point.detach().clone()
    sharpness(loss, [point])
    assert torch.equal(point, before) and torch.equal(point.grad, torch.ones(2, dtype=torch.float64))


def test_attention_is_differentiated_twice():
    model = make_model(Recipe(n_layers=1))
    inputs = torch.arange(20).view(2, 10) % 20
    with twice_differentiable():
        loss = cross_entropy(model(inputs), inputs.roll(1, 1))
    assert sharpness(loss, model.parameters(), rtol=0.01).value > 0.1


@pytest.mark.parametrize("loss, said", [
    (lambda p: p, "one number, got a tensor of shape"), (lambda p: 3.0, "got 3.0"), (lambda p: None, "got None"),
    (lambda p: p.sum() * math.nan, "the loss is nan"), (lambda p: p.sum() / 0, "the loss is inf"),
    (lambda p: p.sum().detach(), "no graph"),
    (lambda p: torch.ones((), requires_grad=True) * 2, "hang on any of the 1"),
])
def test_what_is_no_loss_is_refused(loss, said):
    point = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match=said):
        sharpness(loss(point), [point])


@pytest.mark.parametrize("change, said", [
    ({"iterations": 0}, "iterations .* got 0"), ({"iterations": True}, "got True"), ({"iterations": 2.5}, "got 2.5"),
    ({"rtol": 0}, "rtol .* got 0"), ({"rtol": math.nan}, "got nan"), ({"rtol": True}, "got True"),
    ({"start": torch.ones(4)}, "3 numbers.* got 4 numbers"), ({"start": torch.zeros(3)}, "norm 0.0"),
    ({"start": torch.full((3,), math.nan)}, "norm nan"), ({"start": "ones"}, "got 'ones'"),
    ({"parameters": []}, "got none"),
])
def test_bad_input_is_named(change, said):
    point = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match=said):
        sharpness((point**2).sum(), **{"parameters": [point]} | change)


def test_a_slope_or_a_bend_without_end_is_refused():
    point = torch.zeros(2, requires_grad=True)
    with pytest.raises(NonFiniteGradientError, match="2 of 2 entries of the gradient"):
        sharpness((point.sqrt()).sum(), [point])
    with pytest.raises(NonFiniteGradientError, match="product number 1 is not finite"):
        sharpness((point.abs() ** 1.5).sum(), [point])


def descent(lr, seed, updates=1200):
    """Full-batch gradient descent on a small network; the loss and the network."""
    generator = torch.Generator().manual_seed(seed)
    x = 3 * torch.rand(64, 8, generator=generator) - 1.5
    y = (torch.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2])[:, None]
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(updates):
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
    return ((model(x) - y) ** 2).mean(), model


@pytest.mark.parametrize("lr, seed", [(0.05, 0), (0.1, 1), (0.2, 2)])
def test_gradient_descent_comes_to_the_edge_of_stability(lr, seed):
    begun, ended = (sharpness(loss, model.parameters())
                    for loss, model in (descent(lr, seed, updates=0), descent(lr, seed)))
    assert begun.value < 0.75 * 2 / lr
    assert ended.value == pytest.approx(2 / lr, rel=0.05)
