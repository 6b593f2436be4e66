"""A loop that is trusted after its first windows is recorded as well as one that is not, and numbers that lie on an
accelerator are the same when they are read later."""

import gc
import math
import weakref
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradlab.ledger import later, record
from gradlab.ledger.observe import recorder

X = torch.linspace(-1, 1, 12).reshape(4, 3)


@contextmanager
def trusting():
    """From the first backward on, and for good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "CLOSELY", -1)
        patch.setattr(recorder, "THEN_EACH", 10**9)
        yield


@contextmanager
def far_away():
    """As if the CPU were an accelerator whose numbers are read only when somebody asks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(later, "NEAR", "nowhere")
        yield


def make():
    torch.manual_seed(0)
    models = nn.ModuleList([nn.Linear(3, 1), nn.Linear(3, 2)])
    return models, [torch.optim.SGD(models[0].parameters(), lr=0.01, momentum=0.5),
                    torch.optim.AdamW(models[1].parameters(), lr=0.01)]


OPERATIONS = {
    "backward": lambda models, optimizers: (models[0](X).square().mean() / 2 + models[1](X).sum()).backward(),
    "backward of one": lambda models, optimizers: models[1](X).square().sum().backward(),
    "zero_grad": lambda models, optimizers: optimizers[0].zero_grad(),
    "module": lambda models, optimizers: models.zero_grad(),
    "zeros": lambda models, optimizers: optimizers[1].zero_grad(set_to_none=False),
    "clip": lambda models, optimizers: nn.utils.clip_grad_norm_(list(models.parameters()), 0.3),
    "clip one": lambda models, optimizers: nn.utils.clip_grad_norm_(models[0].parameters(), 0.1),
    "measure": lambda models, optimizers: nn.utils.get_total_norm(
        [p.grad for p in models.parameters() if p.grad is not None]),
    "step": lambda models, optimizers: optimizers[0].step(),
    "other step": lambda models, optimizers: optimizers[1].step(),
    "edit": lambda models, optimizers: [p.grad.add_(0.1) for p in models.parameters() if p.grad is not None],
}


def perform(sequence):
    models, optimizers = make()
    with record(models, optimizers, moved=True) as events:
        for name in sequence:
            OPERATIONS[name](models, optimizers)
    return events


def told(events):
    """What can be compared, numbers to six digits."""
    def plain(value):
        if isinstance(value, float):
            return "NaN" if math.isnan(value) else f"{value:.4e}"
        return [plain(item) for item in value] if isinstance(value, tuple | list) else value

    names = ("index", "where", "window", "gradients", "parameters", "lost", "number", "divisor", "norm", "given",
             "coefficient", "norm_before", "norm_after", "factor", "lr", "moved", "optimizer")
    return [(event.kind, [(name, plain(getattr(event, name))) for name in names if hasattr(event, name)])
            for event in events]


@pytest.mark.parametrize("otherwise", [trusting, far_away])
@given(sequence=st.lists(st.sampled_from(list(OPERATIONS)), max_size=20))
def test_every_event_is_the_same_however_closely_one_looks_and_whenever_one_reads(otherwise, sequence):
    usual = perform(sequence)
    with otherwise():
        unusual = perform(sequence)
        numbers = told(unusual)
    assert numbers == told(usual) and unusual.leftover == usual.leftover


def test_an_event_s_number_does_not_change_with_the_gradient_it_came_from():
    models, optimizers = make()
    with far_away(), record(models, optimizers) as events:
        OPERATIONS["backward"](models, optimizers)
        before = math.hypot(*[p.grad.norm().item() for p in models.parameters()])
        total = nn.utils.clip_grad_norm_(list(models.parameters()), 0.3)
        total.fill_(77.0)
        for p in models.parameters():
            p.grad.fill_(55.0)
        optimizers[0].param_groups[0]["lr"] = 3.0
        optimizers[0].step()
    assert events[0].norm == events[1].norm == pytest.approx(before) and events[-1].lr == (3.0,)


WINDOWS = 70


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("clear", ["optimizer", "module", "by hand", "zeros"])
def test_every_window_of_a_long_run_reads_like_the_first(k, clear):
    model = nn.Linear(3, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.001)
    with record(model, sgd) as events:
        for _ in range(WINDOWS):
            for _ in range(k):
                (model(X).square().mean() / k).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
            sgd.step()
            if clear == "by hand":
                for p in model.parameters():
                    p.grad = None
            else:
                {"optimizer": sgd.zero_grad, "module": model.zero_grad,
                 "zeros": lambda: sgd.zero_grad(set_to_none=False)}[clear]()
        model(X).sum().backward()
    order = (["backward"] * k + ["clip", "step", "zero_grad"]) * WINDOWS + ["backward"]
    assert [event.kind for event in events] == order
    assert not any(event.lost for event in events.of("zero_grad"))
    for event in events.of("step"):
        ((provenance, places),) = event.gradients.items()
        assert len(provenance.backwards) == k and not provenance.stale and places == (0, 1)
        assert event.norm == pytest.approx(1e-3, rel=1e-2)


LATE = {
    "cleared": lambda p: setattr(p, "grad", None),
    "replaced": lambda p: setattr(p, "grad", p.grad * 0.123456),
    "out": lambda p: torch.mul(p.grad, 0.123456, out=p.grad),
}


@pytest.mark.parametrize("way", LATE)
def test_what_a_loop_begins_to_do_late_is_noticed(way):
    model = nn.Linear(3, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.001)
    with record(model, sgd) as events:
        for window in range(40):
            sgd.zero_grad()
            model(X).square().mean().backward()
            if window >= 20:
                for p in model.parameters():
                    LATE[way](p)
            sgd.step()
    late = [event for event in events if event.after]
    assert [event.window for event in late] == [(window,) for window in range(20, 40)]
    assert {event.kind for event in late} <= {"clip", "edit", "zero_grad"}


def test_a_loop_of_two_models_in_turn():
    models, optimizers = make()
    with record(models, optimizers) as events:
        for _ in range(30):
            optimizers[1].zero_grad()
            OPERATIONS["backward of one"](models, optimizers)
            optimizers[1].step()
            optimizers[0].zero_grad()
            OPERATIONS["backward"](models, optimizers)
            optimizers[0].step()
    assert [event.kind for event in events] == ["zero_grad", "backward", "step"] * 60
    assert [event.parameters for event in events.of("backward")] == [(2, 3), (0, 1, 2, 3)] * 30
    assert [event.parameters for event in events.of("zero_grad")][2:] == [(2, 3), (0, 1)] * 29
    assert all(event.norm == event.norm for event in events.of("step"))


def test_zero_grad_gives_memory_back_at_once_however_long_the_run():
    model = nn.Linear(3, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.001)
    with record(model, sgd):
        for _ in range(25):
            model(X).square().mean().backward()
            sgd.step()
            memory = weakref.ref(model.weight.grad.untyped_storage())
            sgd.zero_grad()
            gc.collect()
            assert memory() is None
