"""Laws of the sharpness in Adam's units: a change of units, and a limit above which Adam swings out."""

import math

import pytest
import torch
from torch import nn

from gradlab.adam_sharpness import adam_limit, adam_sharpness
from gradlab.sharpness import sharpness


class Bowl(nn.Module):
    """A loss of 0.5 * sum(bends * weights**2), with a frozen weight beside it."""

    def __init__(self, bends):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(len(bends), dtype=torch.float64))
        self.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
        self.bends = torch.tensor(bends, dtype=torch.float64)

    def forward(self):
        return 0.5 * (self.bends * self.weight**2).sum()


def trained(bowl, optimizer, updates):
    losses = []
    for _ in range(updates):
        optimizer.zero_grad()
        loss = bowl()
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return losses


KINDS = [(torch.optim.Adam, {}), (torch.optim.AdamW, {"amsgrad": True}), (torch.optim.Adam, {"betas": (0.9, 0.5)})]


@pytest.mark.parametrize("kind, options", KINDS)
def test_at_the_first_update_it_is_the_bend_over_the_size_of_the_gradient(kind, options):
    bowl = Bowl([4.0, 1.0, 9.0])
    optimizer = kind([bowl.weight], lr=1e-3, **options)
    bowl().backward()  # the gradients are the bends
    assert adam_sharpness(bowl, optimizer, lambda net: net()).value == pytest.approx(1.0, rel=1e-3)
    bowl.bends *= torch.tensor([1.0, 5.0, 2.0])
    assert adam_sharpness(bowl, optimizer, lambda net: net(), rtol=1e-6).value == pytest.approx(5.0, rel=1e-3)


@pytest.mark.parametrize("kind, options", KINDS)
def test_its_strides_are_those_of_the_update_that_follows(kind, options):
    bowl = Bowl([4.0])
    optimizer = kind([bowl.weight], lr=1e-3, weight_decay=0.0, **options)
    trained(bowl, optimizer, 3)
    optimizer.zero_grad()
    with torch.no_grad():
        bowl.weight.mul_(0.2)  # a gradient unlike the last ones
    bowl().backward()
    seen, before = adam_sharpness(bowl, optimizer, lambda net: net()).value, bowl.weight.item()
    optimizer.step()
    state, beta1 = optimizer.state[bowl.weight], optimizer.param_groups[0]["betas"][0]
    mean = state["exp_avg"].item() / (1 - beta1 ** state["step"].item())
    stride = (before - bowl.weight.item()) / 1e-3 / mean
    assert seen == pytest.approx(4.0 * stride, rel=1e-6)


def test_nothing_is_changed():
    bowl = Bowl([4.0, 1.0])
    optimizer = torch.optim.Adam(bowl.parameters(), lr=1e-3)
    trained(bowl, optimizer, 2)
    before, grad = bowl.weight.detach().clone(), bowl.weight.grad.clone()
    adam_sharpness(bowl, optimizer, lambda net: net())
    assert torch.equal(bowl.weight, before) and torch.equal(bowl.weight.grad, grad) and bowl.frozen.grad is None


def test_with_all_gradients_of_one_size_it_is_the_sharpness_over_that_size():
    bowl = Bowl([3.0, 3.0])
    optimizer = torch.optim.Adam(bowl.parameters(), lr=1e-9, eps=0.0)
    trained(bowl, optimizer, 3)
    bowl.weight.grad = 3 * torch.ones_like(bowl.weight)
    assert adam_sharpness(bowl, optimizer, lambda net: net()).value == pytest.approx(
        sharpness(bowl(), [bowl.weight]).value / 3.0, rel=1e-3)


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("factor, grows", [(0.98, False), (1.02, True)])
def test_above_the_limit_averaged_descent_swings_out_and_below_it_comes_to_rest(beta1, factor, grows):
    lr, x, mean = 0.3, 1.0, 0.0
    bend = factor * adam_limit(lr, beta1)
    for _ in range(2000):
        mean = beta1 * mean + (1 - beta1) * bend * x
        x -= lr * mean
    assert abs(x) > 100 if grows else abs(x) < 0.01


def test_what_adam_has_no_stride_for_is_refused():
    bowl = Bowl([1.0])
    with pytest.raises(ValueError, match="weight has no gradient"):
        adam_sharpness(bowl, torch.optim.Adam(bowl.parameters()), lambda net: net())
    with pytest.raises(ValueError, match="weight is not held by this optimizer"):
        adam_sharpness(bowl, torch.optim.Adam([torch.ones(1, requires_grad=True)]), lambda net: net())
    with pytest.raises(TypeError, match="Adam or AdamW, got SGD"):
        adam_sharpness(bowl, torch.optim.SGD(bowl.parameters(), lr=0.1), lambda net: net())


def test_the_limit_is_that_of_gradient_descent_times_what_averaging_bears():
    assert adam_limit(0.1) == pytest.approx(380.0) and adam_limit(0.5, beta1=0.0) == 4.0


@pytest.mark.parametrize("arguments, said", [((0.0,), "lr .* got 0.0"), ((math.nan,), "got nan"), ((-1.0,), "got -1.0"),
                                             ((True,), "got True"), ((0.1, 1.0), "beta1 .* got 1.0"),
                                             ((0.1, -0.1), "got -0.1"), ((math.inf,), "got inf")])
def test_what_is_no_rate_is_named(arguments, said):
    with pytest.raises(ValueError, match=said):
        adam_limit(*arguments)
