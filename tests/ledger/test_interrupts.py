"""An interrupt at any line of the ledger's own leaves torch as it was, and the next recording whole.

A trace function raises KeyboardInterrupt where a Ctrl-C might: at each line that runs while a recording begins, records
and ends, the last time that line is met.
"""

import os
import sys

import pytest
import torch
from one_layer import KINDS, make, train
from test_leaves_torch_alone import snapshot
from two_layers import kinds

from gradlab import ledger
from gradlab.ledger import record
from gradlab.ledger.observe import patches
from gradlab.ledger.observe.patches import here

LEDGER = os.path.dirname(ledger.__file__)


def traced(at_line):
    """One short recording, with `at_line(file, line, function)` called before each line of the ledger's."""
    def local(frame, event, argument):
        if event == "line":
            at_line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        return local

    def function(frame, event, argument):
        return local if frame.f_code.co_filename.startswith(LEDGER) else None

    model, sgd = make()
    outer = sys.gettrace()
    sys.settrace(function)
    try:
        with record(model, sgd):
            train(model, sgd)
    finally:
        sys.settrace(outer)


def moments():
    """The turn, counted over all lines, at which each line is met for the last time."""
    met = []
    traced(lambda *place: met.append(place))
    return sorted({place: turn for turn, place in enumerate(met)}.values())


def interrupt(turn):
    """Interrupt at that turn and return where it was."""
    turns, place = iter(range(turn)), None

    def at_line(*here):
        nonlocal place
        if next(turns, None) is None:
            place = here
            raise KeyboardInterrupt

    try:
        traced(at_line)
    except KeyboardInterrupt:
        return place


def test_an_interrupt_at_any_line_leaves_torch_as_it_was_and_the_next_recording_whole():
    make(), train(*make())
    traced(lambda *place: None)  # what is remembered from a first time is met once
    clean, met = snapshot(), set()
    for turn in moments():
        file, line, function = place = interrupt(turn)
        met.add(place)
        # As `__exit__` begins, nothing of ours can answer.
        assert function == "__exit__" or (snapshot() == clean and not patches.recording()), place
        model, sgd = make()
        with record(model, sgd) as events:
            train(model, sgd)
        assert kinds(events) == KINDS, place
        assert snapshot() == clean and not patches.recording(), place
        assert not (here.inside or here.updating or here.scaling or here.forward)
    assert len(met) > 300 and {os.path.basename(file) for file, _, _ in met} >= {"record.py", "patches.py", "step.py"}


@pytest.mark.parametrize("name", ["_sweep", "stop"])
def test_a_second_interrupt_while_the_first_is_answered_is_healed_by_the_next_recording(name, monkeypatch):
    clean, found = snapshot(), getattr(patches, name)

    def interrupted(*args):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), record(*make()):
        monkeypatch.setattr(patches, name, interrupted)
    assert snapshot() != clean
    monkeypatch.setattr(patches, name, found)
    with record(*make()):
        pass
    assert snapshot() == clean


def test_a_recording_that_goes_on_is_not_taken_for_a_leftover():
    model, sgd = make()
    outer = record(model, sgd)
    events = outer.__enter__()
    with record(*make()):
        train(model, sgd)
    train(model, sgd)
    outer.__exit__(None, None, None)
    assert kinds(events) == KINDS * 2


def test_ending_once_more_changes_nothing():
    recording = record(*make())
    events = recording.__enter__()
    recording.__exit__(None, None, None)
    before = events.in_model, events.held, len(events), events.finished
    recording.__exit__(None, None, None)
    assert (events.in_model, events.held, len(events), events.finished) == before and events.in_model == (0, 1)


def test_an_interrupt_inside_an_optimizer_that_is_not_recorded_leaves_edits_seen():
    model, sgd = make()

    class Interrupted(torch.optim.SGD):
        def step(self, closure=None):
            raise KeyboardInterrupt

    other = Interrupted([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    with pytest.raises(KeyboardInterrupt), record(model, sgd):
        other.step()
    with record(model, sgd) as events:
        model(torch.ones(4, 3)).sum().backward()
        model.weight.grad.add_(1)
        sgd.step()
    assert kinds(events) == ["backward", "edit", "step"]
