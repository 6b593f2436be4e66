"""Clips by gradlab_kernels are the library's clips, at the caller's line, under whatever name they are called."""

import inspect
import subprocess
import sys

import gradlab_kernels
import pytest
import torch
from gradlab_kernels import ClipPlan, clip_grad_value_, clip_grads_with_norm_
from gradlab_kernels import clip_grad_norm_ as early  # before anything is recorded
from two_layers import kinds, loss, make, norm

from gradlab.ledger import record


def early_plan(model):
    return ClipPlan(model.parameters()).clip_  # bound before the block


CLIPS = {
    "by an early name": lambda model: lambda limit: early(model.parameters(), limit),
    "of the package": lambda model: lambda limit: gradlab_kernels.clip_grad_norm_(model.parameters(), max_norm=limit),
    "of a generator": lambda model: lambda limit: early((p for p in model.parameters()), limit),
    "a plan": lambda model: lambda limit: ClipPlan(model.parameters()).clip_(limit),
    "a plan's method": early_plan,
}


@pytest.mark.parametrize("make_clip", CLIPS.values(), ids=CLIPS)
def test_a_clip_by_the_kernels_is_seen_with_its_line(make_clip):
    model, sgd = make()
    clip = make_clip(model)
    with record(model, sgd) as events:
        loss(model).backward()
        before = norm(model)
        line = inspect.currentframe().f_lineno + 1
        clip(0.25)
        after = norm(model)
        sgd.step()
    _, event, step = events
    assert (event.kind, event.how, event.given, event.max_norm) == ("clip", "norm", 4, 0.25)
    assert event.where.file == __file__ and event.where.line in (line, clip.__code__.co_firstlineno
                                                                if inspect.isfunction(clip) else line)
    assert event.norm == pytest.approx(before) and event.coefficient == pytest.approx(0.25 / before, rel=1e-4)
    assert step.norm == pytest.approx(after)


def test_clips_by_value_and_by_a_known_norm():
    model, sgd = make()
    loss(model).backward()
    before = norm(model)
    with record(model, sgd) as events:
        clip_grad_value_(model.parameters(), 0.1)
        ClipPlan(model.parameters()).clip_value_(0.05)
        clip_grads_with_norm_(model.parameters(), 0.01, torch.tensor(norm(model)), eps=0.0)
    assert [(event.how, event.max_norm) for event in events] == [("value", 0.1), ("value", 0.05), ("norm", 0.01)]
    assert events[0].norm == pytest.approx(before) and norm(model) == pytest.approx(0.01)


def test_an_infinite_limit_measures_whatever_the_norm():
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        early(model.parameters(), float("inf"))
        ClipPlan(model.parameters()).clip_(float("inf"))
    assert kinds(events) == ["measure", "measure"]


def test_afterwards_the_functions_are_as_they_were():
    model, sgd = make()
    watched = (early, ClipPlan.clip_, clip_grad_value_)
    before = [function.__wrapped__ for function in watched]
    with record(model, sgd):
        assert early.__wrapped__ is not before[0]
    assert [function.__wrapped__ for function in watched] == before


def test_recording_does_not_import_the_kernels():
    program = ("import sys, torch; from gradlab.ledger import record\n"
               "m = torch.nn.Linear(1, 1); s = torch.optim.SGD(m.parameters(), 0.1)\n"
               "with record(m, s): s.zero_grad()\n"
               "print('gradlab_kernels' in sys.modules)")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert run.stdout == "False\n", run.stderr
