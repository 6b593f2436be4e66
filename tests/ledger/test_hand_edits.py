"""Whatever else a loop does to gradients with its own hands is an edit, and what changes nothing is no event."""


import pytest
import torch
from three_gradients import NORM, backward, each, make, recorded

from gradlab.ledger import Edit, ZeroGrad, record


@pytest.mark.parametrize("way, clear", {
    "none": lambda p: setattr(p, "grad", None), "zero_": lambda p: p.grad.zero_(), "fill_": lambda p: p.grad.fill_(0),
    "data": lambda p: p.grad.data.zero_(), "replaced": lambda p: setattr(p, "grad", torch.zeros_like(p)),
    "foreach": lambda p: torch._foreach_zero_([p.grad]),
}.items())
def test_clearing_by_hand(way, clear):
    (zero,) = recorded(each(clear))
    assert isinstance(zero, ZeroGrad) and zero.how == "by hand"
    assert zero.parameters == (0, 1, 2) and zero.lost == (0,)
    assert (zero.after is not None) == (way in ("none", "replaced"))


def test_a_gradient_made_by_hand_is_an_edit_and_no_backward():
    weights, sgd = make()
    with record(weights, sgd) as events:
        for p in weights:
            p.grad = torch.ones_like(p)
        sgd.step()
    edit, step = events
    assert (edit.kind, edit.what, edit.parameters) == ("edit", "replaced", (0, 1, 2))
    ((provenance, places),) = step.gradients.items()
    assert provenance.backwards == () and provenance.edits == (0,) and places == (0, 1, 2)


def test_gradients_in_one_buffer_are_edited_together():
    weights, sgd = make()
    buffer = torch.zeros(4)
    for p, part in zip(weights, buffer.split([2, 1, 1]), strict=True):
        p.grad = part
    with record(weights, sgd) as events:
        backward(weights)
        buffer.mul_(2.0)
        buffer[:2].mul_(2.0)
        sgd.step()
    assert [event.parameters for event in events[1:3]] == [(0, 1, 2), (0,)]


def test_weights_and_other_tensors_may_be_edited_without_an_event():
    weights, sgd = make()
    with record(weights, sgd) as events:
        backward(weights)
        with torch.no_grad():
            for p in weights:
                p.mul_(0.5).add_(1.0)
                p.grad.clone().mul_(3.0)
        torch.zeros(3).fill_(1.0)
        sgd.step()
    assert [event.kind for event in events] == ["backward", "step"]


def test_what_an_optimizer_does_to_gradients_is_its_own_business():
    class Own(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad.mul_(0.3333)
                    p.grad = p.grad * 2
            return super().step(closure)

    weights, _ = make()
    own = Own(weights.parameters(), lr=0.1)
    with record(weights, own) as events:
        backward(weights)
        own.step()
        own.zero_grad()
    assert [event.kind for event in events] == ["backward", "step", "zero_grad"]


def test_zeros_put_there_before_backward_are_no_event():
    weights, sgd = make()
    with record(weights, sgd) as events:
        for p in weights:
            p.grad = torch.zeros_like(p)
        backward(weights)
        sgd.step()
    assert [event.kind for event in events] == ["backward", "step"]
    assert [len(places) for places in events[0].gradients.values()] == [3]


def test_a_copy_of_a_gradient_in_its_place_is_no_event():
    assert recorded(each(lambda p: setattr(p, "grad", p.grad.clone()))) == []


OTHERWISE = {
    "noise": each(lambda p: p.grad.add_(torch.ones_like(p))),
    "+=": each(lambda p: p.grad.__iadd__(1.0)),
    "centralised": each(lambda p: p.grad.sub_(p.grad.mean())),
    "one entry": lambda ps: ps[0].grad.__setitem__(0, 9.0),
    "a weight each": lambda ps: [p.grad.mul_(0.5 + place) for place, p in enumerate(ps)],
    "turned": each(lambda p: p.grad.neg_()),
    "mended": lambda ps: [ps[0].grad.fill_(float("nan")), ps[0].grad.nan_to_num_(7.0)],
    "by numpy": lambda ps: ps[1].grad.numpy().fill(40.0),
}


@pytest.mark.parametrize("way", OTHERWISE)
def test_anything_else_is_an_edit(way):
    events = recorded(OTHERWISE[way])
    assert events and all(isinstance(event, Edit) for event in events)
    if way in ("noise", "centralised", "one entry", "a weight each"):
        assert len(events) == 1 and events[0].factor is None
    if way == "turned":
        assert events[0].factor is None and events[0].what == "neg_", "its norms are the same"


PARTLY = {
    "zeroed": lambda g: g[:1].zero_(), "scaled": lambda g: g[:1].mul_(0.12345),
    "clamped": lambda g: g.data[1:].clamp_(-1, 1),
    "masked": lambda g: g.masked_fill_(torch.tensor([True, False]), 0.0), "set": lambda g: g.__setitem__(1, 0.0),
}


@pytest.mark.parametrize("way", PARTLY)
def test_what_happens_to_some_elements_is_an_edit(way):
    (edit,) = recorded(lambda ps: PARTLY[way](ps[0].grad))
    assert isinstance(edit, Edit) and edit.factor is None and edit.parameters == (0,)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("inf"), float("nan"), 1e-310, 5e-324])
def test_odd_factors_are_edits(factor):
    assert [event.kind for event in recorded(each(lambda p: p.grad.mul_(factor)))] == ["edit"]


@pytest.mark.parametrize("divisor", [0.0, -3.0, float("inf"), float("nan"), 1e308])
def test_odd_divisors_are_edits(divisor):
    assert [event.kind for event in recorded(each(lambda p: p.grad.div_(divisor)))] == ["edit"]


def test_nan_and_infinity_pass_through():
    def edit(parameters):
        parameters[0].grad[0] = float("inf")
        for p in parameters:
            p.grad.mul_(0.12345)
        parameters[1].grad[0] = float("nan")
        for p in parameters:
            p.grad.mul_(0.54321)

    assert [event.kind for event in recorded(edit)][0] == "edit"


def test_two_lines_that_take_turns_are_two_events():
    def edit(parameters):
        for p in parameters:
            p.grad.mul_(1 / 8)
            p.grad.add_(torch.ones_like(p))

    first, second = recorded(edit)
    assert (first.what, second.what) == ("mul_", "add_") and first.factor == 1 / 8
    assert first.parameters == second.parameters == (0, 1, 2)


def test_two_loops_one_after_the_other_are_two_events_with_their_norms():
    def edit(parameters):
        for p in parameters:
            p.grad.mul_(2.0)
        for p in parameters:
            p.grad.mul_(3.0)

    first, second = recorded(edit)
    assert (first.norm_before, first.norm_after) == pytest.approx((NORM, 2 * NORM))
    assert (second.norm_before, second.norm_after) == pytest.approx((2 * NORM, 6 * NORM))


def test_the_same_line_again_is_another_event():
    def edit(parameters):
        for _ in range(3):
            for p in parameters:
                p.grad.mul_(2.0)

    assert [event.factor for event in recorded(edit)] == [2.0, 2.0, 2.0]
