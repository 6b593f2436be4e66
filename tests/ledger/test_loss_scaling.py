"""What a GradScaler does, and what it leaves undone, is in the ledger."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradlab.ledger import Provenance, record

X = torch.linspace(-1, 1, 12).reshape(4, 3)
SCALE = 1024.0


def make(kind=torch.optim.SGD, enabled=True, **options):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE, enabled=enabled)
    return model, kind(model.parameters(), lr=0.1, **options), scaler


def kinds(events):
    return [event.kind for event in events]


def norm(model):
    return sum(p.grad.double().square().sum().item() for p in model.parameters()) ** 0.5


OPTIMIZERS = [(torch.optim.SGD, {}), (torch.optim.AdamW, {"fused": True}), (torch.optim.SGD, {"fused": True})]


@pytest.mark.parametrize("kind, options", OPTIMIZERS)
@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_the_full_order(kind, options, explicit, named):
    model, optimizer, scaler = make(kind, **options)
    with record(model, optimizer, scaler if named else None) as events:
        scaler.scale(model(X).square().mean() / 2).backward()
        scaled = norm(model)
        if explicit:
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.1 if explicit else 100.0)
        scaler.step(optimizer)
        scaler.update()
    assert kinds(events) == (["backward", "unscale", "clip", "step", "update"] if explicit else
                             ["backward", "clip", "unscale", "step", "update"])
    (backward,), (unscale,), (step,), (update,) = map(events.of, ("backward", "unscale", "step", "update"))
    assert (backward.scale, backward.divisor, backward.norm) == (SCALE, 2.0, pytest.approx(scaled))
    assert (unscale.scale, unscale.found_inf, unscale.explicit, unscale.refused) == (SCALE, False, explicit, False)
    assert step.through_scaler and step.norm == pytest.approx(0.1 if explicit else 100 / SCALE, rel=1e-3)
    assert (update.before, update.scale) == (SCALE, SCALE)
    assert [provenance.scales for provenance in step.gradients] == [(1.0,)]
    assert [provenance.scaled for provenance in unscale.gradients] == [True]


@pytest.mark.parametrize("kind, options", OPTIMIZERS)
@pytest.mark.parametrize("explicit", [True, False])
def test_an_update_that_is_left_out_is_a_skip(kind, options, explicit):
    model, optimizer, scaler = make(kind, **options)
    with record(model, optimizer, scaler) as events:
        scaler.scale(model(X).sum() * float("inf")).backward()
        if explicit:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        scaler.scale(model(X).sum()).backward()
        scaler.step(optimizer)
    assert kinds(events) == ["backward", "unscale", "skip", "update", "zero_grad", "backward", "unscale", "step"]
    assert [event.found_inf for event in events.of("unscale")] == [True, False]
    assert [event.explicit for event in events.of("unscale")] == [explicit, False]
    assert (events[3].before, events[3].scale) == (SCALE, SCALE / 2) and events[5].scale == SCALE / 2
    assert events[4].lost == (0,) and {event.window for event in events} == {(0,)}
    assert [len(window) for window in events.windows()] == [3, 5]


def test_a_disabled_scaler_does_nothing_and_nothing_is_recorded_of_it():
    model, sgd, scaler = make(enabled=False)
    with record(model, sgd, scaler) as events:
        scaler.scale(model(X).sum() / 2).backward()
        scaler.unscale_(sgd)
        scaler.step(sgd)
        scaler.update()
        sgd.step()
    assert kinds(events) == ["backward", "step", "step"]
    assert events[0].scale == 1.0 and events[0].divisor == 2.0
    assert [event.through_scaler for event in events.of("step")] == [True, False]


def test_a_second_unscale_is_refused_and_changes_nothing():
    model, sgd, scaler = make()
    with record(model, sgd, scaler) as events:
        scaler.scale(model(X).sum()).backward()
        scaler.unscale_(sgd)
        with pytest.raises(RuntimeError, match="already been called"):
            scaler.unscale_(sgd)
        scaler.step(sgd)
    assert kinds(events) == ["backward", "unscale", "unscale", "step"]
    assert [event.refused for event in events.of("unscale")] == [False, True]
    assert [provenance.scales for provenance in events[-1].gradients] == [(1.0,)]


def test_a_scaled_gradient_added_to_an_unscaled_one():
    model, sgd, scaler = make()
    with record(model, sgd, scaler) as events:
        scaler.scale(model(X).sum()).backward()
        scaler.unscale_(sgd)
        scaler.scale(model(X).sum()).backward()
        scaler.step(sgd)
    (provenance,) = events[-1].gradients
    assert provenance == Provenance(backwards=(0, 2), scales=(1.0, SCALE)) and provenance.scaled


def test_a_loss_that_was_never_scaled():
    model, sgd, scaler = make()
    scaler.scale(torch.ones(1))
    with record(model, sgd, scaler) as events:
        model(X).sum().backward()
        scaler.step(sgd)
    assert events[0].scale == 1.0
    assert [provenance.scales for provenance in events[-1].gradients] == [(1 / SCALE,)]


def test_the_scaler_passed_by():
    model, sgd, scaler = make()
    with record(model, sgd, scaler) as events:
        scaler.scale(model(X).sum()).backward()
        sgd.step()
    step = events[-1]
    assert not step.through_scaler and [provenance.scales for provenance in step.gradients] == [(SCALE,)]


@pytest.mark.parametrize("how", [
    lambda scaler, a, b: scaler.scale(a) + scaler.scale(b), lambda scaler, a, b: scaler.scale(a + b),
    lambda scaler, a, b: sum(scaler.scale([a, b])), lambda scaler, a, b: scaler.scale(a + b) / 3,
    lambda scaler, a, b: scaler.scale((a + b) / 3).clone()])
def test_the_scale_is_found_in_any_writing(how):
    model, sgd, scaler = make()
    with record(model, sgd, scaler) as events:
        how(scaler, model(X).sum(), model(X).square().sum()).backward()
    assert events[0].scale == SCALE


def test_unscaling_by_hand_is_an_edit_that_takes_the_scale_out():
    model, sgd, scaler = make()
    with record(model, sgd, scaler) as events:
        scaler.scale(model(X).sum()).backward()
        for p in model.parameters():
            p.grad.div_(scaler.get_scale())
        sgd.step()
    assert kinds(events) == ["backward", "edit", "step"] and events[1].factor == 1 / SCALE
    assert [provenance.scales for provenance in events[-1].gradients] == [(1.0,)]


@given(st.lists(st.sampled_from([16.0, 3.0, 4096.0]), min_size=1, max_size=5))
def test_a_scale_set_by_hand_is_the_one_recorded(scales):
    model, sgd, scaler = make()
    with record(model, sgd, scaler) as events:
        for scale in scales:
            scaler.scale(model(X).sum()).backward()
            scaler.step(sgd)
            scaler.update(scale)
            sgd.zero_grad()
    assert [event.scale for event in events.of("backward")] == [SCALE, *scales[:-1]]
    assert [event.scale for event in events.of("update")] == scales
    true = (X.sum(0).square().sum().item() + len(X) ** 2) ** 0.5
    assert [event.norm for event in events.of("step")] == pytest.approx([true] * len(scales))


def test_one_scaler_for_two_optimizers():
    first, one, scaler = make()
    second, two, _ = make()
    with record([first, second], [one, two], scaler) as events:
        scaler.scale(second(X).sum() + first(X).sum()).backward()
        scaler.unscale_(two)
        for optimizer in one, two:
            scaler.step(optimizer)
        scaler.update()
    assert [(event.kind, getattr(event, "optimizer", None)) for event in events] == [
        ("backward", None), ("unscale", 1), ("unscale", 0), ("step", 0), ("step", 1), ("update", None)]
    assert events.parameters == ("model[0].weight", "model[0].bias", "model[1].weight", "model[1].bias")
    assert [{places: p.scales for p, places in event.gradients.items()} for event in events[1:4]] == [
        {(0, 1, 2, 3): (SCALE,)}, {(0, 1): (SCALE,), (2, 3): (1.0,)}, {(0, 1, 2, 3): (1.0,)}]


def test_scalers_that_serve_other_optimizers_are_not_ours():
    model, sgd, scaler = make()
    other, their_sgd, their_scaler = make()
    with record(model, sgd, scaler) as events:
        their_scaler.scale(other(X).sum()).backward()
        their_scaler.unscale_(their_sgd)
        their_scaler.step(their_sgd)
    assert len(events) == 0


def test_something_that_is_no_scaler_is_refused():
    model, sgd, _ = make()
    with pytest.raises(TypeError, match="scaler must be a GradScaler, got a SGD, which has no scale"):
        record(model, sgd, sgd)
