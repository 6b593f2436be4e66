"""Recording leaves no trace: torch is as it was found, however many record and however they end."""

import copy
import gc
import io
import pickle
import threading
from contextlib import ExitStack

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from one_layer import KINDS, make, train
from torch import fx, nn
from torch.nn.utils import clip_grad
from torch.optim import lr_scheduler, optimizer
from two_layers import kinds

import gradlab
from gradlab.clip import ClippingRule
from gradlab.ledger import record
from gradlab.ledger.observe import patches

CLASSES = [torch.Tensor, nn.Module, nn.Linear, torch.optim.Optimizer, torch.amp.GradScaler, ClippingRule,
           torch.autocast, lr_scheduler.LRScheduler, *lr_scheduler.LRScheduler.__subclasses__()]
MODULES = [torch, torch.autograd, nn.utils, clip_grad]


def snapshot():
    """Every function of what is patched, by identity, and the hooks there are."""
    functions = {(owner, name): id(found) for owner in CLASSES + MODULES for name, found in vars(owner).items()
                 if callable(found) and not isinstance(found, type)}
    return functions, len(optimizer._global_optimizer_pre_hooks), len(optimizer._global_optimizer_post_hooks)


@pytest.fixture(autouse=True)
def torch_is_left_alone():
    make()  # torch finishes importing itself when it makes its first optimizer
    before, *hooks = snapshot()
    yield
    after, *hooks_after = snapshot()
    assert {key for key in before | after if before.get(key) != after.get(key)} == set()
    assert hooks == hooks_after
    assert patches.recording() == ()


def hooks_of(model):
    return [len(hooks) for hooks in (model._forward_hooks, model._forward_pre_hooks, model._forward_hooks_always_called,
                                     model._forward_hooks_with_kwargs, model._backward_hooks)]


def test_while_recording_everything_is_patched_that_is_put_back():
    before = snapshot()[0]
    with record(*make()):
        patched = {key for key, found in snapshot()[0].items() if before.get(key) != found}
    assert {(torch.autograd, "_engine_run_backward"), (clip_grad, "_clip_grads_with_norm_"), (torch.Tensor, "mul_"),
            (nn.Module, "zero_grad"), (ClippingRule, "__call__"), (lr_scheduler.LRScheduler, "step")} <= patched


def test_a_model_has_no_hooks_of_ours():
    model, sgd = make()
    with record(model, sgd):
        train(model, sgd)
        assert hooks_of(model) == [0] * 5


COPIES = {"pickle": lambda model: pickle.loads(pickle.dumps(model)), "deepcopy": copy.deepcopy,
          "torch.save": lambda model: _saved(model)}


def _saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_made_meanwhile_carries_nothing_of_ours(how):
    model, sgd = make()
    with record(model, sgd):
        train(model, sgd)
        copied = COPIES[how](model)
        written = pickle.dumps(copied)
    assert hooks_of(copied) == [0] * 5 and b"gradlab" not in written
    assert vars(copied).keys() == vars(model).keys() and type(copied) is type(model)
    assert torch.equal(copied(torch.ones(3)), model(torch.ones(3)))


@pytest.mark.parametrize("wrap", [lambda model: model, nn.Sequential])
def test_a_graph_traced_meanwhile_is_the_graph_traced_otherwise(wrap):
    model, sgd = make()
    traced = nn.Sequential(model, nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    plain = fx.symbolic_trace(traced).code
    with record(wrap(model), sgd):
        assert fx.symbolic_trace(traced).code == plain


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
