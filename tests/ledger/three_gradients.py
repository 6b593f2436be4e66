"""Three gradients of known norm, and the ways in which a loop may edit them by hand."""

import math

import pytest
import torch
from torch import nn

from gradlab.ledger import record

NORM = math.sqrt(3**2 + 4**2 + 12**2 + 0.5**2)


def make(dtype=torch.float32):
    """Three parameters with the gradients (3, 4), (-12) and (0.5), that one backward made."""
    weights = nn.ParameterList([nn.Parameter(torch.zeros(n, dtype=dtype)) for n in (2, 1, 1)])
    return weights, torch.optim.SGD(weights.parameters(), lr=0.1)


def backward(weights):
    a, b, c = weights
    (a @ torch.tensor([3.0, 4.0], dtype=a.dtype) - 12 * b.sum() + 0.5 * c.sum()).backward()


def recorded(edit, dtype=torch.float32):
    """The events between a backward and a step that are made by `edit(parameters)`."""
    weights, sgd = make(dtype)
    with record(weights, sgd) as events:
        backward(weights)
        edit(list(weights))
        sgd.step()
    assert events[0].kind == "backward" and events[-1].kind == "step"
    used = [p.grad.double().norm().item() for p in weights if p.grad is not None]
    assert events[-1].norm == pytest.approx(math.sqrt(sum(n * n for n in used)), rel=1e-2, nan_ok=True)
    return events[1:-1]


def each(operation):
    def edit(parameters):
        for parameter in parameters:
            operation(parameter)
    return edit


def replace(parameter, factor):
    parameter.grad = parameter.grad * factor


def multiply_numpy(parameter, factor):
    parameter.grad.numpy()[...] *= factor


MULTIPLY = {
    "mul_": lambda ps, c: [p.grad.mul_(c) for p in ps],
    "*=": lambda ps, c: each(lambda p: p.grad.__imul__(c))(ps),
    "data": lambda ps, c: [p.grad.data.mul_(c) for p in ps],
    "detach": lambda ps, c: [p.grad.detach().mul_(c) for p in ps],
    "div_": lambda ps, c: [p.grad.div_(1 / c) for p in ps],
    "tensor": lambda ps, c: [p.grad.mul_(torch.tensor(c)) for p in ps],
    "view": lambda ps, c: [p.grad.view(-1, 1).mul_(c) for p in ps],
    "copy_": lambda ps, c: [p.grad.copy_(p.grad * c) for p in ps],
    "data.copy_": lambda ps, c: [p.grad.data.copy_(p.grad * c) for p in ps],
    "foreach": lambda ps, c: torch._foreach_mul_([p.grad for p in ps], c),
    "foreach, one each": lambda ps, c: torch._foreach_mul_([p.grad for p in ps], [c, c, c]),
    "replaced": lambda ps, c: [replace(p, c) for p in ps],
    "out": lambda ps, c: [torch.mul(p.grad, c, out=p.grad) for p in ps],
    "numpy": lambda ps, c: [multiply_numpy(p, c) for p in ps],
    "grad.data =": lambda ps, c: [setattr(p.grad, "data", p.grad.data * c) for p in ps],
}
UNSEEN = ("replaced", "out", "numpy", "grad.data =")
