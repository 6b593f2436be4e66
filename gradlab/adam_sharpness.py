"""The sharpness that Adam sees: the bends of a loss, each measured in the strides that Adam takes there."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradlab.sharpness import Sharpness, sharpness, twice_differentiable


def adam_sharpness(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[Callable], Tensor],
                   **options) -> Sharpness:
    """The largest eigenvalue of `D H D`, where `H` is the Hessian and `D` scales each weight as Adam's update does.

        adam_sharpness(model, optimizer, lambda net: cross_entropy(net(inputs), targets))

    Adam divides the gradient of each weight by `sqrt(v) + eps`, with `v` the running mean of its squares, corrected for
    its beginning at 0. That is gradient descent on weights measured in other units, and `D = (sqrt(v) + eps) ** -0.5`
    is the change of units. `v` is that of the coming update, so call it between `backward()` and `step()`. Updates
    swing out where the result is above `adam_limit`.

    - `model`: its parameters are those that count; it stays as it is
    - `optimizer`: torch's Adam or AdamW over all of them
    - `loss`: called with what stands for the model, returns the loss as a tensor of one number
    - `options`: of `gradlab.sharpness.sharpness`: `iterations`, `rtol`, `start`, `generator`

    Source: Cohen and others, "Adaptive gradient methods at the edge of stability", https://arxiv.org/abs/2207.14484.

    Errors: TypeError for another optimizer; ValueError for a parameter that it does not hold or that has no
    gradient, and what `sharpness` refuses.
    """
    if not isinstance(optimizer, torch.optim.Adam | torch.optim.AdamW):
        raise TypeError(f"adam_sharpness needs torch's Adam or AdamW, got {type(optimizer).__name__}; for plain "
                        "gradient descent gradlab.sharpness.sharpness is the measure")
    groups = {p: group for group in optimizer.param_groups for p in group["params"]}
    scales, shifts = {}, {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter not in groups or parameter.grad is None:
            lacks = "is not held by this optimizer" if parameter not in groups else "has no gradient"
            raise ValueError(f"{name} {lacks}, so Adam has no stride for it; measure after backward() and before "
                             "zero_grad(), with the optimizer that updates it, or freeze it")
        scales[name] = _stride(parameter, optimizer.state.get(parameter, {}), groups[parameter]).sqrt()
        shifts[name] = torch.zeros_like(parameter, requires_grad=True)
    moved = {name: parameter.detach() + scales[name] * shifts[name] if name in shifts else parameter
             for name, parameter in model.named_parameters()}
    with twice_differentiable():
        value = loss(lambda *inputs, **named: torch.func.functional_call(model, moved, inputs, named))
    return sharpness(value, shifts.values(), **options)


def _stride(parameter: nn.Parameter, state: dict, group: dict) -> Tensor:
    """What the coming update multiplies the mean gradient of each entry by, but for the learning rate."""
    beta2, updates = group["betas"][1], float(state.get("step", 0)) + 1
    squares = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * parameter.grad**2
    if group["amsgrad"] and state:
        squares = torch.maximum(squares, state["max_exp_avg_sq"])
    return 1 / ((squares / (1 - beta2**updates)).sqrt() + group["eps"])


def adam_limit(lr: float, beta1: float = 0.9) -> float:
    """The sharpness in Adam's units above which its updates swing out further and further: `2 (1 + b) / ((1 - b) lr)`.

    That of gradient descent, 2 / lr, times what averaging over the last gradients with `beta1` bears: 38 / lr at 0.9.
    The same paper. Errors: ValueError for a rate that is not above 0 or a `beta1` outside 0 … 1.
    """
    if isinstance(lr, bool) or not 0 < lr < float("inf"):
        raise ValueError(f"lr must be above 0 and finite, got {lr!r}")
    if isinstance(beta1, bool) or not 0 <= beta1 < 1:
        raise ValueError(f"beta1 must be at least 0 and below 1, got {beta1!r}")
    return 2 * (1 + beta1) / ((1 - beta1) * lr)
