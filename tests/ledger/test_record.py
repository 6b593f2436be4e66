"""What a loop did is what the ledger says, at the line where it was done."""

import inspect
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import lr_scheduler
from two_layers import kinds, loss, make, norm

import gradlab
from gradlab.ledger import Backward, Clip, Ledger, Step, Where, record
from gradlab.ledger.observe import backward


def test_a_plain_step():
    model, sgd = make()
    with record(model, sgd) as events:
        sgd.zero_grad()
        loss(model).backward()
        before = norm(model)
        clip_grad_norm_(model.parameters(), 0.5)
        sgd.step()
    assert kinds(events) == ["zero_grad", "backward", "clip", "step"]
    zero, backward, clip, step = events
    assert zero.parameters == zero.lost == () and zero.how == "optimizer"
    assert backward.parameters == (0, 1, 2, 3) and backward.number == 1 and backward.norm == pytest.approx(before)
    assert (backward.divisor, backward.scale, backward.autocast) == (None, 1.0, None)
    assert (clip.given, clip.missing, clip.foreign, clip.parameters) == (4, 0, 0, (0, 1, 2, 3))
    assert (clip.how, clip.norm_type, clip.max_norm) == ("norm", 2.0, 0.5)
    assert clip.norm == pytest.approx(before) and clip.coefficient == pytest.approx(0.5 / before, rel=1e-4)
    assert step.parameters == (0, 1, 2, 3) and step.lr == (0.1,) and step.norm == pytest.approx(0.5, rel=1e-4)
    assert math.isnan(step.moved) and not step.through_scaler
    assert [event.index for event in events] == [0, 1, 2, 3] and not any(event.in_step for event in events)
    assert events.parameters == ("0.weight", "0.bias", "2.weight", "2.bias")
    assert events.held == ((0, 1, 2, 3),) and events.in_model == (0, 1, 2, 3) and events.finished


def test_every_event_tells_its_line():
    model, sgd = make()
    schedule = lr_scheduler.StepLR(sgd, 1)
    with record(model, sgd) as events:
        model.zero_grad()
        loss(model).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        clip_grad_value_(model.parameters(), 0.1)
        gradlab.ClipByGlobalNorm(0.05)(model.parameters())
        model[0].weight.grad.mul_(0.123456)
        sgd.step()
        schedule.step()
    lines, first = inspect.getsourcelines(test_every_event_tells_its_line)
    assert [event.where.text for event in events] == [line.strip() for line in lines[4:12]]
    assert [event.where.line for event in events] == list(range(first + 4, first + 12))
    assert {event.where.function for event in events} == {"test_every_event_tells_its_line"}
    assert {event.where.file for event in events} == {__file__} and not any(event.after for event in events)


def test_the_place_is_known_after_the_file_is_gone_but_its_text_is_not():
    assert Where("nowhere.py", 3, "f").text == ""


def unsupervised(model, optimizer, parameters):
    """Whatever a loop may do with gradients, by name."""
    return {
        "zero_grad": lambda: optimizer.zero_grad(), "module": lambda: model.zero_grad(),
        "backward": lambda: loss(model).backward(),
        "clip": lambda: clip_grad_norm_(parameters, 0.3),
        "value": lambda: nn.utils.clip_grad_value_(model.parameters(), 0.01),
        "rule": lambda: gradlab.ClipByGlobalNorm(0.2)(optimizer.param_groups),
        "measure": lambda: nn.utils.clip_grad_norm_(model.parameters(), float("inf")),
        "step": lambda: optimizer.step(),
    }


NAMES = {"module": "zero_grad", "value": "clip", "rule": "clip"}


@given(st.lists(st.sampled_from(list(unsupervised(*make(), []))), max_size=25),
       st.sampled_from([torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop]))
def test_any_sequence_is_recorded_as_it_was_performed(sequence, kind):
    model, optimizer = make(kind)
    operations = unsupervised(model, optimizer, list(model.parameters()))
    performed = []
    with record(model, optimizer) as events:
        for name in sequence:
            if name != "value" or model[0].weight.grad is not None:  # without a gradient torch itself raises
                operations[name]()
                performed.append(NAMES.get(name, name))
    assert kinds(events) == performed
    updates = 0
    for event in events:
        assert event.window == (updates,)
        updates += isinstance(event, Step)


@given(st.lists(st.sampled_from(["zero_grad", "backward", "clip", "step"]), max_size=25), st.booleans())
def test_norms_are_those_of_the_gradients_whatever_came_before(sequence, set_to_none):
    model, optimizer = make()
    operations = unsupervised(model, optimizer, list(model.parameters()))
    operations["zero_grad"] = lambda: optimizer.zero_grad(set_to_none=set_to_none)
    seen = []
    with record(model, optimizer) as events:
        for name in sequence:
            before = norm(model)
            operations[name]()
            seen.append((before, norm(model)))
    for event, (before, after) in zip(events, seen, strict=True):
        if isinstance(event, Backward):
            assert event.norm == pytest.approx(after, rel=1e-5)
        if isinstance(event, Clip | Step):
            assert event.norm == pytest.approx(before, rel=1e-4, abs=1e-9)
        if isinstance(event, Clip):
            assert event.norm * event.coefficient == pytest.approx(after, rel=1e-4, abs=1e-9)


def test_accumulation_counts_micro_batches_and_reads_the_divisor():
    model, sgd = make()
    with record(model, sgd) as events:
        for _ in range(2):
            for _ in range(3):
                (loss(model) / 3).backward()
            sgd.step()
            sgd.zero_grad()
    assert [event.number for event in events.of("backward")] == [1, 2, 3, 1, 2, 3]
    assert {event.divisor for event in events.of(Backward)} == {3.0}


def test_a_full_ledger_counts_what_it_leaves_out():
    model, sgd = make()
    with record(model, sgd, keep=5) as events:
        for _ in range(4):
            sgd.zero_grad()
            loss(model).backward()
            sgd.step()
    assert len(events) == 5 and events.dropped == 7 and not events.finished and events.leftover == {}
    assert "7 later events" in events.text()


def test_leftover_is_what_no_update_used():
    model, sgd = make()
    with record(model, sgd) as events:
        assert not events.finished
        loss(model).backward()
    ((provenance, places),) = events.leftover.items()
    assert provenance.backwards == (0,) and places == (0, 1, 2, 3) and events.finished


MODEL, SGD = make()


@pytest.mark.parametrize("arguments, error, words", [
    ((MODEL.parameters(), SGD), TypeError, "model must be a torch.nn.Module"),
    ((MODEL, MODEL), TypeError, "optimizer must be a torch.optim.Optimizer"),
    ((MODEL, [SGD, None]), TypeError, "optimizer must be"),
    ((MODEL, SGD, lr_scheduler.StepLR(SGD, 1)), TypeError, "schedulers are given as scheduler="),
    ((MODEL, SGD, None, SGD), TypeError, "scheduler must have a step"),
    ((MODEL, SGD, None, lr_scheduler.StepLR(make()[1], 1)), ValueError, "steers an optimizer that record was not"),
    (([], []), ValueError, "nothing to observe"),
])
def test_bad_input_is_refused_in_words(arguments, error, words):
    with pytest.raises(error, match=words):
        record(*arguments)


@pytest.mark.parametrize("keep, error", [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError)])
def test_keep_is_a_number_of_events(keep, error):
    with pytest.raises(error, match="keep must be"):
        record(MODEL, SGD, keep=keep)


def test_a_record_is_entered_once():
    once = record(*make())
    with once:
        pass
    with pytest.raises(RuntimeError, match="entered before"), once:
        pass


def test_a_ledger_reads_like_a_list():
    model, sgd = make()
    with record(model, sgd) as events:
        loss(model).backward()
        sgd.step()
    assert isinstance(events, Ledger) and events[0] is list(events)[0] and events[:1] == [events[0]]
    assert events.of("backward") == events.of(Backward) == [events[0]]
    with pytest.raises(ValueError, match="there is no event 'clipp'; the kinds are zero_grad, backward"):
        events.of("clipp")
    with pytest.raises(ValueError, match="there is no optimizer 1"):
        events.windows(1)
    with pytest.raises(ValueError, match="level must be one of"):
        events.findings("warning")


def test_the_text_has_a_line_for_each_event():
    model, sgd = make()
    with record(model, sgd) as events:
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        (loss(model) / 2).backward()
        clip_grad_norm_(model.parameters(), 0.5)
        sgd.step()
        sgd.zero_grad()
    lines = str(events).splitlines()
    assert len(lines) == 5 and len({line.index(event.kind) for line, event in zip(lines, events, strict=True)}) == 1
    assert "micro-batch 1, 4 gradients" in lines[1] and "loss / 2" in lines[1]
    assert "-> 0.5 (max_norm 0.5), of 4 tensors" in lines[2] and "used norm 0.5" in lines[3]
    assert str(Ledger(finished=True)) == "no events"


def test_a_mistake_of_the_ledger_s_does_not_end_the_loop(monkeypatch):
    model, sgd = make()
    monkeypatch.setattr(backward, "_write", lambda *args: 1 / 0)
    with record(model, sgd) as events:
        with pytest.warns(RuntimeWarning, match="the ledger stopped recording.*ZeroDivisionError"):
            loss(model).backward()
        sgd.step()
    assert kinds(events) == [] and not events.finished
