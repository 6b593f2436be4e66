"""Clips are recorded with what they were given and what they did, under whatever name they are called."""

import math
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils import clip_grad_norm_ as early_clip  # before anything is recorded
from torch.nn.utils import clip_grad_value_ as early_value_clip
from torch.nn.utils import clip_grads_with_norm_ as early_split_clip
from two_layers import kinds, loss, make, norm

import gradlab
from gradlab.ledger import Clip, Measure, record
from gradlab.ledger.observe import backward, clip, patches


@pytest.mark.parametrize("clip", [early_clip, lambda p, m: nn.utils.clip_grad_norm_(p, m),
                                  lambda p, m: torch.nn.utils.clip_grad.clip_grad_norm_(p, m, foreach=False),
                                  lambda p, m: early_clip(parameters=p, max_norm=m, foreach=True)])
def test_torch_s_clip_is_seen_under_any_name(clip):
    model, sgd = make()
    loss(model).backward()
    before = norm(model)
    with record(model, sgd) as events:
        clip(model.parameters(), 0.25)
    (event,) = events
    assert isinstance(event, Clip) and event.how == "norm" and event.given == 4 and event.max_norm == 0.25
    assert event.norm == pytest.approx(before)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_deprecated_clip_is_seen():
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        nn.utils.clip_grad_norm(model.parameters(), 0.25)
    assert kinds(events) == ["clip"]


@pytest.mark.parametrize("foreach", [True, False])
def test_clips_that_escape_by_an_early_name_are_seen_by_what_they_do(foreach):
    model, sgd = make()
    loss(model).backward()
    before = norm(model)
    with record(model, sgd) as events:
        early_value_clip(model.parameters(), 0.1, foreach=foreach)
        after = norm(model)
        early_split_clip(list(model.parameters()), 0.05, torch.tensor(after), foreach=foreach)
    value, split = events
    assert (value.how, value.max_norm, value.norm) == ("value", 0.1, pytest.approx(before))
    assert value.coefficient == pytest.approx(after / before)
    assert (split.how, split.max_norm, split.norm, split.given) == ("norm", 0.05, pytest.approx(after), 4)


def test_the_two_halves_of_the_clip():
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        total = nn.utils.get_total_norm([p.grad for p in model.parameters()])
        nn.utils.clip_grads_with_norm_(model.parameters(), 0.1, total)
    measure, clip = events
    assert isinstance(measure, Measure) and measure.given == 4 and measure.norm == clip.norm == total.item()
    assert clip.given == 4 and clip.max_norm == 0.1


@pytest.mark.parametrize("norm_type", [1.0, float("inf"), 2.0])
def test_the_order_of_the_norm_is_recorded(norm_type):
    model, sgd = make()
    with record(model, sgd) as events:
        loss(model).backward()
        total = clip_grad_norm_(model.parameters(), 0.1, norm_type=norm_type)
        length = norm(model)
        sgd.step()
    backward, clip, step = events
    assert clip.norm_type == norm_type and clip.norm == pytest.approx(total.item())
    assert step.norm == pytest.approx(length) and backward.norm == pytest.approx(length / clip.coefficient, rel=1e-4)


def test_what_a_clip_was_given():
    model, sgd = make()
    stranger = nn.Parameter(torch.ones(2))
    stranger.grad = torch.ones(2)
    loss(model).backward()
    model[0].bias.grad = None
    with record(model, sgd) as events:
        clip_grad_norm_([*model.parameters(), model[2].bias, stranger], 0.5)
    (clip,) = events.of("clip")
    assert (clip.given, clip.missing, clip.foreign, clip.parameters) == (6, 1, 1, (0, 1, 2, 3, 3))


@pytest.mark.parametrize("exhausted", [iter([]), filter(None, []), map(abs, []), [], (never for never in ())])
def test_a_clip_of_nothing_is_a_clip_of_no_tensors(exhausted):
    model, sgd = make()
    loss(model).backward()
    with warnings.catch_warnings(), record(model, sgd) as events:
        warnings.simplefilter("ignore")
        clip_grad_norm_(exhausted, 0.5)
    (clip,) = events
    assert clip.given == 0 and clip.norm == 0.0 and clip.parameters == ()


@pytest.mark.parametrize("clip", [clip_grad_norm_, lambda p, m: nn.utils.clip_grad_value_(p, m),
                                  lambda p, m: gradlab.ClipByGlobalNorm(m)(p),
                                  lambda p, m: nn.utils.clip_grads_with_norm_(p, m, torch.tensor(9.0))])
def test_a_generator_still_clips_what_it_gives(clip):
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        clip((p for p in model.parameters()), 1e-3)
    assert norm(model) < 5e-3 and events[0].given == 4


def test_a_generator_that_raises_raises():
    model, sgd = make()

    def parameters():
        yield model[0].weight
        raise LookupError("mine")

    with record(model, sgd) as events, pytest.raises(LookupError, match="mine"):
        gradlab.ClipByGlobalNorm(1.0)(parameters())
    assert kinds(events) == []


def test_gradlab_s_rules():
    model, sgd = make()
    with record(model, sgd) as events:
        for rule in gradlab.ClipByGlobalNorm(0.3), gradlab.ClipByValue(0.02), gradlab.ClipByGroupNorm(0.05):
            loss(model).backward()
            result = rule(model.parameters())
            assert (events[-1].norm, events[-1].coefficient) == (result.norm_before, result.coefficient)
            assert events[-1].max_norm == rule.max_norm
            sgd.step()
            assert events[-1].norm == pytest.approx(result.norm_after)
            sgd.zero_grad()
        loss(model).backward()
        gradlab.ClipByGlobalNorm(float("inf"))(model.parameters())
    assert [event.how for event in events.of("clip")] == ["norm", "value", "norm"]
    assert kinds(events)[-1] == "measure"


def test_a_rule_that_takes_gradients_away_leaves_none_to_use():
    model, sgd = make()
    with record(model, sgd) as events:
        (loss(model) * float("inf")).backward()
        gradlab.ClipByGlobalNorm(1.0, nonfinite="skip")(model.parameters())
        sgd.step()
    assert kinds(events) == ["backward", "clip", "step"] and events[-1].parameters == ()
    assert events[-1].gradients == {} and events.leftover == {}


def test_an_infinite_limit_measures():
    model, sgd = make()
    loss(model).backward()
    with record(model, sgd) as events:
        clip_grad_norm_(model.parameters(), float("inf"))
        model[0].weight.grad[0, 0] = float("inf")
        clip_grad_norm_(model.parameters(), float("inf"))
    assert kinds(events) == ["measure", "edit", "clip"], "the second one made every gradient NaN or zero"
    assert math.isnan(events[-1].coefficient)


@pytest.mark.parametrize("max_norm", [0.0, -1.0])
def test_limits_that_are_no_limits(max_norm):
    model, sgd = make()
    loss(model).backward()
    before = norm(model)
    with record(model, sgd) as events:
        clip_grad_norm_(model.parameters(), max_norm)
        sgd.step()
    assert events[0].max_norm == max_norm and events[0].coefficient == pytest.approx(max_norm / before, rel=1e-4)
    assert events[1].norm == pytest.approx(-max_norm, abs=1e-6)


@pytest.fixture
def older_torch(monkeypatch):
    """Only the public functions are there to be patched."""
    monkeypatch.setattr(clip, "patches", lambda: [
        patches.Patch(nn.utils, "clip_grad_norm_", clip.OldNormClip()),
        patches.Patch(nn.utils, "clip_grad_value_", clip.ValueClip())])
    monkeypatch.setattr(backward, "patches", lambda: [
        patches.Patch(torch.autograd, "backward", backward.BackwardObserver())])


@pytest.mark.parametrize("norm_type", [2.0, 1.0])
def test_an_older_torch_without_the_private_functions(older_torch, norm_type):
    model, sgd = make()
    with record(model, sgd) as events:
        (loss(model) / 2).backward()
        total = nn.utils.clip_grad_norm_((p for p in model.parameters()), 0.1, norm_type)
        nn.utils.clip_grad_norm_(iter([]), 0.1)
        with pytest.raises(RuntimeError, match="non-finite"):
            (loss(model) * float("inf")).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1, error_if_nonfinite=True)
    assert kinds(events) == ["backward", "clip", "clip", "backward"] and events[0].divisor == 2.0
    assert (events[1].given, events[1].norm, events[1].norm_type) == (4, pytest.approx(total.item()), norm_type)
    assert events[2].given == 0
