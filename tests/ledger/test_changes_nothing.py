"""What a loop computes, keeps and is warned of is the same to the last bit, recorded or not."""

import copy
import gc
import pickle
import weakref
from contextlib import ExitStack

import pytest
import torch
from one_layer import KINDS, make, train
from torch import nn
from torch.optim import lr_scheduler
from two_layers import kinds

import gradlab
from gradlab import Recipe
from gradlab.data import NumberWords
from gradlab.ledger import record
from gradlab.ledger.observe import edit
from gradlab.model import cross_entropy
from gradlab.train import make_model, make_optimizer


def test_nothing_of_the_loop_is_kept_alive_afterwards():
    model, sgd = make()
    with record(model, sgd) as events:
        train(model, sgd)
    tensors = [weakref.ref(parameter) for parameter in model.parameters()]
    held = weakref.ref(sgd)
    del model, sgd
    gc.collect()
    assert [tensor() for tensor in tensors] == [None, None] and held() is None
    assert kinds(events) == KINDS


@pytest.mark.parametrize("clear", ["zero_grad", "by hand"])
def test_gradients_are_not_kept_alive_once_they_are_cleared(clear):
    model, sgd = make()
    with record(model, sgd):
        train(model, sgd)
        gradient = weakref.ref(model.weight.grad.untyped_storage())
        if clear == "zero_grad":
            sgd.zero_grad()
        else:
            model.weight.grad = None
        gc.collect()
        assert gradient() is None


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("max_norm", [None, 0.05])
def test_weights_are_the_same_to_the_last_bit(kind, max_norm):
    recipe = Recipe(optimizer=kind, lr=0.003, steps=6, accumulation_steps=2, max_norm=max_norm)

    def weights(recording):
        model = make_model(recipe)
        optimizer = make_optimizer(recipe, model)
        data = NumberWords(recipe.seed, recipe.digits, recipe.batch_size)
        schedule = lr_scheduler.StepLR(optimizer, 2)
        with ExitStack() as stack:
            events = stack.enter_context(record(model, optimizer, moved=True)) if recording else None
            for _ in range(recipe.steps):
                optimizer.zero_grad()
                for _ in range(2):
                    batch = next(data)
                    (cross_entropy(model(batch.inputs), batch.targets) / 2).backward()
                if max_norm is not None:
                    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
                for parameter in model.parameters():
                    parameter.grad.mul_(0.9)
                optimizer.step()
                schedule.step()
        if recording:
            assert len(events.of("step")) == recipe.steps and len(events.of("edit")) == recipe.steps
        return [parameter.detach().clone() for parameter in model.parameters()]

    assert all(map(torch.equal, weights(True), weights(False)))


def test_the_lab_s_own_loop_trains_to_the_same_bits_while_another_is_recorded():
    recipe = Recipe(steps=3)
    alone = [step.loss for step in gradlab.train(recipe)]
    with record(*make()):
        watched = [step.loss for step in gradlab.train(recipe)]
    assert alone == watched


def test_patched_operations_compute_what_they_always_did():
    def compute():
        tensor = torch.arange(6.0)
        tensor *= 2
        tensor /= 3
        tensor[2:4] = 7
        tensor.clamp_(max=5).add_(1, alpha=0.5).sub_(0.25)
        torch.nan_to_num_(tensor)
        torch._foreach_mul_([tensor], 2.0)
        return tensor

    alone = compute()
    with record(*make()):
        assert torch.equal(compute(), alone)
        assert torch.Tensor.mul_.__name__ == "mul_" and torch.ones(2).mul_(torch.tensor(2.0)).tolist() == [2.0, 2.0]
        with pytest.raises(RuntimeError):
            torch.ones(2).mul_(torch.ones(3))


def test_every_listed_operation_exists_here():
    assert all(hasattr(torch.Tensor, name) for name in edit.METHODS)
    assert all(hasattr(torch, name) for name in edit.FUNCTIONS)


def test_warnings_of_torch_point_where_they_always_did(recwarn):
    import warnings

    model, sgd = make()
    model(torch.ones(3)).sum().backward()
    used_up = model.parameters()
    list(used_up)
    with warnings.catch_warnings(record=True) as caught, record(model, sgd):
        warnings.simplefilter("always")
        nn.utils.clip_grad_norm_(used_up, 1.0)
    assert [warning.filename for warning in caught] == [__file__]
    assert "empty generator" in str(caught[0].message)


def test_a_copy_of_a_recorded_model_is_a_model():
    model, sgd = make()
    with record(model, sgd):
        copied, pickled = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    for other in (copied, pickled):
        assert torch.equal(other(torch.ones(3)), model(torch.ones(3)))
