"""Recording leaves no trace: torch is as it was found, and weights are the same to the last bit."""

import copy
import gc
import pickle
import threading
import weakref
from contextlib import ExitStack

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import clip_grad
from torch.optim import lr_scheduler, optimizer

import gradlab
from gradlab import Recipe
from gradlab.clip import ClippingRule
from gradlab.data import NumberWords
from gradlab.ledger import record
from gradlab.ledger.observe import edit, patches
from gradlab.model import cross_entropy
from gradlab.train import make_model, make_optimizer

CLASSES = [torch.Tensor, nn.Module, nn.Linear, torch.optim.Optimizer, torch.amp.GradScaler, ClippingRule,
           torch.autocast, lr_scheduler.LRScheduler, *lr_scheduler.LRScheduler.__subclasses__()]
MODULES = [torch, torch.autograd, nn.utils, clip_grad]


def snapshot():
    """Every function of what is patched, by identity, and the hooks there are."""
    functions = {(owner, name): id(found) for owner in CLASSES + MODULES for name, found in vars(owner).items()
                 if callable(found) and not isinstance(found, type)}
    return functions, len(optimizer._global_optimizer_pre_hooks), len(optimizer._global_optimizer_post_hooks)


def hooks_of(model):
    return [len(hooks) for hooks in (model._forward_hooks, model._forward_pre_hooks, model._forward_hooks_always_called,
                                     model._forward_hooks_with_kwargs, model._backward_hooks)]


@pytest.fixture(autouse=True)
def torch_is_left_alone():
    make()  # torch finishes importing itself when it makes its first optimizer
    before, *hooks = snapshot()
    yield
    after, *hooks_after = snapshot()
    assert {key for key in before | after if before.get(key) != after.get(key)} == set()
    assert hooks == hooks_after
    assert patches.recording() == ()


def make():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def train(model, sgd, steps=1):
    for _ in range(steps):
        sgd.zero_grad()
        model(torch.ones(4, 3)).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        sgd.step()


KINDS = ["zero_grad", "backward", "clip", "step"]


def kinds(events):
    return [event.kind for event in events]


def test_while_recording_everything_is_patched_that_is_put_back():
    before = snapshot()[0]
    with record(*make()):
        patched = {key for key, found in snapshot()[0].items() if before.get(key) != found}
    assert {(torch.autograd, "_engine_run_backward"), (clip_grad, "_clip_grads_with_norm_"), (torch.Tensor, "mul_"),
            (nn.Module, "zero_grad"), (ClippingRule, "__call__"), (lr_scheduler.LRScheduler, "step")} <= patched


def test_a_model_gets_its_hooks_back():
    model, sgd = make()
    before = hooks_of(model)
    with record(model, sgd):
        assert hooks_of(model) != before
    assert hooks_of(model) == before


def test_a_hundred_times():
    model, sgd = make()
    for _ in range(100):
        with record(model, sgd) as events:
            train(model, sgd)
        assert kinds(events) == KINDS


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_however_the_block_ends(error):
    model, sgd = make()
    with pytest.raises(error), record(model, sgd) as events:
        train(model, sgd)
        raise error
    assert kinds(events) == KINDS and events.finished


def test_whatever_raises_inside_a_recorded_function():
    model, sgd = make()
    model.weight.grad = torch.full_like(model.weight, float("nan"))
    with record(model, sgd) as events:
        with pytest.raises(RuntimeError, match="non-finite"):
            nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
        with pytest.raises(gradlab.NonFiniteGradientError):
            gradlab.ClipByGlobalNorm(1.0)(model.parameters())
        with pytest.raises(RuntimeError):
            torch.ones(3).sum().backward()
        with pytest.raises(TypeError):
            nn.utils.clip_grad_norm_(3, 1.0)
        with pytest.raises(ZeroDivisionError):
            sgd.step(lambda: 1 / 0)
        train(model, sgd)
    assert kinds(events) == KINDS
    assert not any(event.in_step for event in events), "the step that raised is over"


@given(st.permutations(range(4)))
def test_nested_recorders_end_in_any_order(order):
    things = [make() for _ in range(4)]
    with ExitStack() as last_resort:
        recorders = [record(*thing) for thing in things]
        ledgers = [last_resort.enter_context(recorder) for recorder in recorders]
        for ended, place in enumerate(order):
            for thing in things:
                train(*thing)
            recorders[place].__exit__(None, None, None)
            assert len(ledgers[place]) == 4 * (ended + 1)
        last_resort.pop_all()


def test_two_recorders_of_one_model_write_the_same():
    model, sgd = make()
    with record(model, sgd) as outer, record(model, sgd) as inner:
        train(model, sgd, 2)
    assert kinds(outer) == kinds(inner) == KINDS * 2
    assert [event.where for event in outer] == [event.where for event in inner]


def test_each_of_two_recorders_sees_its_own_model():
    one, two = make(), make()
    with record(*one) as first, record(*two) as second:
        train(*one, 1)
        train(*two, 2)
    assert kinds(first) == KINDS and kinds(second) == KINDS * 2


def test_an_abandoned_generator_ends_its_recording():
    model, sgd = make()

    def steps():
        with record(model, sgd) as events:
            while True:
                train(model, sgd)
                yield events

    running = steps()
    events = next(running)
    next(running)
    assert patches.recording() != ()
    del running
    gc.collect()
    assert patches.recording() == () and kinds(events) == KINDS * 2


def test_a_patch_on_top_stays_and_ours_below_passes_calls_on():
    model, sgd = make()
    ours = None
    found = torch.nn.utils.clip_grad_value_
    calls = []
    with record(model, sgd) as events:
        ours = torch.nn.utils.clip_grad_value_

        def theirs(*args, **kwargs):
            calls.append(args)
            return ours(*args, **kwargs)

        torch.nn.utils.clip_grad_value_ = theirs
        train(model, sgd)
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.01)
    try:
        assert torch.nn.utils.clip_grad_value_ is theirs
        torch.nn.utils.clip_grad_value_(model.parameters(), 0.01)
        with record(model, sgd) as again:
            torch.nn.utils.clip_grad_value_(model.parameters(), 0.001)
        assert torch.nn.utils.clip_grad_value_ is theirs
    finally:
        torch.nn.utils.clip_grad_value_ = found
    assert len(calls) == 3 and kinds(events) == [*KINDS, "clip"]
    assert kinds(again) == ["clip"], "seen once, although two of ours are in the chain"


def test_another_thread_training_another_model_is_ignored():
    mine, theirs, ready, done = make(), make(), threading.Event(), threading.Event()

    def elsewhere():
        ready.wait(30)
        while not done.is_set():
            train(*theirs)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    with record(*mine) as events:
        ready.set()
        train(*mine, 100)
        done.set()
        thread.join(30)
    assert kinds(events) == KINDS * 100


def test_the_loop_may_run_in_another_thread_than_the_recorder():
    model, sgd = make()
    with record(model, sgd) as events:
        thread = threading.Thread(target=train, args=(model, sgd, 3))
        thread.start()
        thread.join(30)
    assert kinds(events) == KINDS * 3


def test_a_copy_of_a_recorded_model_is_a_model():
    model, sgd = make()
    with record(model, sgd):
        copied, pickled = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    for other in (copied, pickled):
        assert torch.equal(other(torch.ones(3)), model(torch.ones(3)))


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
