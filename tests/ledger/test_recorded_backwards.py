"""What adds to gradients is a backward, once, in the precision of its forward pass; nothing else is."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional
from two_layers import X, Y, kinds, loss, make

from gradlab.ledger import record


def test_autograd_grad_is_no_backward():
    model, sgd = make()
    with record(model, sgd) as events:
        gradients = torch.autograd.grad(loss(model), list(model.parameters()), create_graph=True)
        sum(g.square().sum() for g in gradients).backward()
    assert kinds(events) == ["backward"]


def test_a_backward_that_touches_none_of_ours_is_none():
    model, sgd = make()
    with record(model, sgd) as events:
        nn.Linear(2, 1)(torch.ones(2)).sum().backward()
        torch.autograd.backward([loss(model), loss(model)])
    assert kinds(events) == ["backward"]


def test_a_backward_that_raises_half_way_is_recorded_for_what_it_did():
    class Raises(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            raise ArithmeticError("half way")

    model, sgd = make()
    with record(model, sgd) as events, pytest.raises(ArithmeticError, match="half way"):
        hidden = Raises.apply(model[0](X))
        functional.mse_loss(model[2](model[1](hidden)), Y).backward()
    assert [event.parameters for event in events] == [(2, 3)]


def test_reentrant_checkpointing_is_one_backward():
    model, sgd = make()
    with record(model, sgd) as events:
        x = X.clone().requires_grad_()
        torch.utils.checkpoint.checkpoint(model, x, use_reentrant=True).sum().backward()
    assert kinds(events) == ["backward"]


def test_an_optimizer_that_steps_inside_backward_is_passed_over_in_silence():
    model, _ = make()
    optimizers = [torch.optim.SGD([p], lr=0.1) for p in model.parameters()]

    def step(place):
        def hook(parameter):
            optimizers[place].step()
            optimizers[place].zero_grad()
        return hook

    for place, parameter in enumerate(model.parameters()):
        parameter.register_post_accumulate_grad_hook(step(place))
    with record(model, optimizers) as events:
        loss(model).backward()
    assert len(events) == 0


@pytest.fixture(scope="module")
def compiler():
    """torch's compiler, with all that its first use imports; what that warns of is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.compile(lambda x: x + 1, backend="eager")(X)
    yield torch.compile
    torch.compiler.reset()


@pytest.mark.parametrize("fullgraph", [False, True])
@pytest.mark.parametrize("meanwhile", [False, True])
@pytest.mark.parametrize("whole", [lambda model: model, lambda model: lambda x: model(x)], ids=["model", "function"])
def test_a_compiled_model_may_be_recorded(compiler, whole, meanwhile, fullgraph):
    model, sgd = make()
    compiled = None if meanwhile else compiler(whole(model), backend="eager", fullgraph=fullgraph)
    with record(model, sgd) as events:
        compiled = compiled or compiler(whole(model), backend="eager", fullgraph=fullgraph)
        for _ in range(2):
            compiled(X).square().mean().backward()
            sgd.step()
    assert kinds(events) == ["backward", "step"] * 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("how", ["around", "outside", "inside", "off", "no grad"])
def test_autocast_is_that_of_the_forward_pass(how, dtype):
    kind = getattr(torch, dtype)

    class Model(nn.Linear):
        def forward(self, x):
            with torch.autocast("cpu", kind, enabled=how == "inside"):
                return super().forward(x)

    model = Model(3, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        with torch.autocast("cpu", kind, enabled=how == "around"):
            if how == "outside":
                with torch.autocast("cpu", kind):
                    output = nn.functional.linear(X, model.weight)
                    model.forward(X)
                    functional.mse_loss(output.float(), Y).backward()
            elif how == "no grad":
                with torch.no_grad(), torch.autocast("cpu", kind):
                    model(X)
            if how != "outside":
                output = model(X)
        if how != "outside":
            functional.mse_loss(output.float(), Y).backward()
    assert [e.autocast for e in events] == [dtype if how in ("around", "outside", "inside") else None]
