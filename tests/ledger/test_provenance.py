"""Where every gradient comes from, after any sequence of operations on any parameters."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import clip_grad_norm_

from gradlab.ledger import Provenance, record
from gradlab.ledger.observe import provenance as law

PARTS = 3


def make():
    torch.manual_seed(0)
    parts = nn.ModuleList([nn.Linear(2, 1) for _ in range(PARTS)])  # parameters 0 and 1, 2 and 3, 4 and 5
    return parts, [torch.optim.SGD(part.parameters(), lr=0.01) for part in parts]


OPERATIONS = st.tuples(st.sampled_from(["backward", "clip", "step", "zero_grad", "none", "double"]),
                       st.sets(st.integers(0, PARTS - 1), min_size=1))


FIELDS = {"backwards": "backward", "clips": "clip", "edits": "edit", "steps": "step"}


@settings(max_examples=150)
@given(st.lists(OPERATIONS, max_size=30))
def test_the_state_follows_every_operation(operations):
    """Against the simplest model of it: for each parameter with a gradient, how often what happened to it."""
    parts, optimizers = make()
    history = {}
    with record(parts, optimizers) as events:
        for name, chosen in operations:
            tensors = {place: p for place, p in enumerate(parts.parameters()) if place // 2 in chosen}
            if name == "backward":
                sum(parts[part](torch.tensor([0.3, 0.7])).sum() for part in chosen).backward()
                for place in tensors:
                    history.setdefault(place, Counter())["backwards"] += 1
            elif name == "zero_grad":
                for part in chosen:
                    optimizers[part].zero_grad()
            elif name == "none":
                for p in tensors.values():
                    p.grad = None
            elif name == "clip":
                clip_grad_norm_(list(tensors.values()), 0.77)
            elif name == "step":
                for part in chosen:
                    optimizers[part].step()
            else:
                for p in tensors.values():
                    if p.grad is not None:
                        p.grad.mul_(2)
            for place in tensors.keys() & history.keys():
                if name in ("zero_grad", "none"):
                    del history[place]
                elif name != "backward":
                    history[place][{"clip": "clips", "step": "steps", "double": "edits"}[name]] += 1
    counted = {place: Counter({field: len(getattr(provenance, field)) for field in FIELDS})
               for provenance, held in events.leftover.items() for place in held}
    assert counted == history
    for provenance in events.leftover:
        assert len(provenance.scales) == len(provenance.backwards)
        for field, kind in FIELDS.items():
            assert {events[at].kind for at in getattr(provenance, field)} <= {kind}


@given(st.lists(OPERATIONS, max_size=20))
def test_a_state_is_that_before_its_event_and_no_event_changes_it_later(operations):
    parts, optimizers = make()
    seen = []
    with record(parts, optimizers) as events:
        for name, chosen in operations:
            if name == "backward":
                sum(parts[part](torch.ones(2)).sum() for part in chosen).backward()
            elif name == "step":
                for part in chosen:
                    optimizers[part].step()
            else:
                for part in chosen:
                    optimizers[part].zero_grad()
            seen += [(event, dict(event.gradients)) for event in events[len(seen):]]
    for event, then in seen:
        assert event.gradients == then
        for provenance in then:
            everything = provenance.backwards + provenance.clips + provenance.edits + provenance.steps
            assert all(at < event.index for at in everything)


def test_what_was_lost():
    parts, (one, two, _) = make()

    def backward():
        (parts[0](torch.ones(2)) + parts[1](torch.ones(2))).sum().backward()

    with record(parts, [one, two]) as events:
        backward()       # 0
        one.step()       # 1
        one.zero_grad()  # 2: used by the first optimizer, and the second still has it
        backward()       # 3
        one.zero_grad()  # 4: lost here, but not in the second
        two.zero_grad()  # 5: now 0 was never used there, and 3 is gone everywhere
    assert [event.lost for event in events.of("zero_grad")] == [(), (), (0, 3)]


def test_a_stale_gradient_that_got_a_new_one():
    parts, (one, *_) = make()
    with record(parts, one) as events:
        for _ in range(2):
            parts[0](torch.ones(2)).sum().backward()
            one.step()
        one.zero_grad()
    (provenance,) = events[-1].gradients
    assert provenance == Provenance(backwards=(0, 2), scales=(1.0, 1.0), steps=(1, 3)) and provenance.stale
    assert events[-1].lost == ()


def test_gradients_from_before_have_no_history():
    parts, (one, *_) = make()
    parts[0](torch.ones(2)).sum().backward()
    with record(parts, one) as events:
        one.step()
        one.zero_grad()
    assert events[0].gradients == {Provenance(): (0, 1)} and events[1].lost == ()


def test_a_gradient_that_nobody_clears_forgets_its_oldest_windows():
    parts, (one, *_) = make()
    with record(parts, one) as events:
        for _ in range(law.UPDATES_KEPT + 10):
            for _ in range(2):
                parts[0](torch.ones(2)).sum().backward()
            one.step()
    (provenance,) = events.leftover
    assert provenance.steps == tuple(event.index for event in events.of("step")[-law.UPDATES_KEPT:])
    assert provenance.backwards == tuple(event.index for event in events.of("backward")[-2 * law.UPDATES_KEPT:])
    assert len(provenance.scales) == len(provenance.backwards)


def test_frozen_and_unused_parameters_have_no_state():
    parts, optimizers = make()
    parts[0].weight.requires_grad_(False)
    with record(parts, optimizers) as events:
        parts[0](torch.ones(2)).sum().backward()
        optimizers[0].step()
    assert events[1].gradients == {Provenance(backwards=(0,), scales=(1.0,)): (1,)} and events[1].parameters == (1,)


def test_tied_weights_are_one_parameter():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        model(torch.ones(2)).sum().backward()
        clip_grad_norm_(model.parameters(), 0.1)
    assert events.parameters == ("0.weight",) and events[1].given == 1


def test_a_part_replaced_in_mid_training_is_met():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        model(torch.ones(2)).sum().backward()
        model[1] = nn.Linear(2, 1)
        for _ in range(3):
            model(torch.ones(2)).sum().backward()
            sgd.step()
    assert events.parameters[4:] == ("1.weight (2)", "1.bias (2)")
    assert events.held == ((0, 1, 2, 3),) and events.in_model == (0, 1, 4, 5)
    assert events.of("backward")[-1].parameters == (0, 1, 4, 5)


def test_a_group_added_in_mid_training_is_met():
    model, head = nn.Linear(2, 2), nn.Linear(2, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        model(torch.ones(2)).sum().backward()
        sgd.step()
        sgd.add_param_group({"params": list(head.parameters()), "lr": 0.5})
        sgd.zero_grad()
        head(model(torch.ones(2))).sum().backward()
        sgd.step()
    assert events.parameters == ("weight", "bias", "optimizer[0].2", "optimizer[0].3")
    assert events.held == ((0, 1, 2, 3),) and events.in_model == (0, 1)
    assert events[-1].parameters == (0, 1, 2, 3) and events[-1].lr == (0.1, 0.5)


STRANGE = {
    "sparse": lambda: nn.Embedding(5, 2, sparse=True),
    "complex": lambda: nn.ParameterList([nn.Parameter(torch.ones(2, dtype=torch.complex64))]),
    "several dtypes": lambda: nn.ParameterList([nn.Parameter(torch.ones(2, dtype=d)) for d in
                                                (torch.float64, torch.bfloat16, torch.float16, torch.float32)]),
    "empty": lambda: nn.ParameterList([nn.Parameter(torch.ones(0)), nn.Parameter(torch.ones(1))]),
    "meta": lambda: nn.Linear(2, 1, device="meta"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_parameters_are_recorded_like_any(kind):
    model = STRANGE[kind]()
    parameters = list(model.parameters())
    sgd = torch.optim.SGD(parameters, lr=0.1)
    with record(model, sgd, moved=kind != "meta") as events:
        for _ in range(2):
            sgd.zero_grad()
            value = (model(torch.tensor([1, 3, 1])).sum() if kind == "sparse" else
                     model(torch.ones(2, device="meta")).sum() if kind == "meta" else
                     sum(p.abs().float().sum() for p in parameters))
            value.backward()
            if kind != "sparse":
                clip_grad_norm_(parameters, 0.5)
            for p in parameters:
                p.grad.mul_(3)
            sgd.step()
    assert {event.kind for event in events} >= {"zero_grad", "backward", "step"} and len(events.of("step")) == 2
    assert events.of("backward")[0].parameters == tuple(range(len(parameters)))
    if kind == "sparse":
        assert events[1].norm == pytest.approx((2 * 2**2 + 2 * 1) ** 0.5)
    if kind == "meta":
        assert events[1].norm != events[1].norm  # NaN: there is nothing to measure


def test_optimizers_may_hold_nothing_the_model_has():
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    sgd = torch.optim.SGD(other.parameters(), lr=0.1)
    with record(model, sgd) as events:
        model(torch.ones(2)).sum().backward()
        sgd.step()
    assert events.held == ((2, 3),) and events.in_model == (0, 1) and events[1].parameters == ()
    assert events[1].norm == 0.0


def test_a_recorder_may_know_only_an_optimizer_or_only_a_model():
    model = nn.Linear(2, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with record([], sgd) as by_optimizer, record(model, []) as by_model:
        model(torch.ones(2)).sum().backward()
        sgd.step()
    assert [event.kind for event in by_optimizer] == ["backward", "step"]
    assert by_optimizer.parameters == ("optimizer[0].0", "optimizer[0].1") and by_optimizer.in_model == ()
    assert [event.kind for event in by_model] == ["backward"] and by_model.held == ()


def test_parameters_met_late_bring_no_event_of_their_own():
    model, head = nn.Linear(2, 2), nn.Linear(2, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        head(model(torch.ones(2))).sum().backward()
        sgd.add_param_group({"params": list(head.parameters())})
        sgd.step()
        sgd.zero_grad()
    assert [event.kind for event in events] == ["backward", "step", "zero_grad"]
    assert events[1].gradients == {Provenance(backwards=(0,), scales=(1.0,)): (0, 1), Provenance(): (2, 3)}
    assert events[1].parameters == events[2].parameters == (0, 1, 2, 3)
