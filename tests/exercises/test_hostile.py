"""Whatever a learner hands over, `check` answers with words, in time, and harms nothing."""

import sys
import time

import pytest
import torch
from hostile import DEEDS, NOT_TO_BE_CALLED, TO_BE_CALLED, VALUES

from gradlab import exercises

SECONDS = 0.4
NAMES = exercises.names()


@pytest.fixture(autouse=True)
def errors_in_finalizers_pass(monkeypatch):
    """A recursion without end, or the end of the time, may meet a finalizer, and its error reaches nobody."""
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)


@pytest.fixture(autouse=True)
def everything_stays_as_it_was(capsys):
    state = torch.get_rng_state()
    yield
    print("still here")
    assert capsys.readouterr() == ("still here\n", "")
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled() and torch.get_num_threads() == 1
    assert torch.equal(torch.get_rng_state(), state)


def answered(name, function):
    began, streams = time.monotonic(), (sys.stdout, sys.stderr, sys.stdin)
    verdict = exercises.get(name).check(function, seconds=SECONDS)
    assert time.monotonic() - began < 30
    assert (sys.stdout, sys.stderr, sys.stdin) == streams
    assert verdict.outcome in ("wrong", "error") and not verdict
    assert verdict.message and len(verdict.message) < 1000
    bundle = verdict._repr_mimebundle_()
    assert len(bundle["text/html"]) < 10_000 and len(bundle["text/plain"]) < 10_000
    return verdict


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", VALUES)
def test_any_value_is_answered(name, value):
    answered(name, lambda *arguments: VALUES[value]())


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_any_deed_is_answered(name, deed):
    answered(name, deed)


@pytest.mark.parametrize("given", NOT_TO_BE_CALLED)
def test_what_cannot_be_called_is_not_called(given):
    verdict = answered("warmup", NOT_TO_BE_CALLED[given]())
    assert verdict.outcome == "error" and "def lr_at(step, base_lr, warmup_steps)" in verdict.experiment


@pytest.mark.parametrize("given", TO_BE_CALLED)
def test_whatever_can_be_called_is_tried(given):
    answered("warmup", TO_BE_CALLED[given]())
