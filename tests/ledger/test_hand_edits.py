"""What a loop does to gradients with its own hands: seen at its line, and told apart by its numbers."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from gradlab.ledger import Clip, Edit, ZeroGrad, record

NORM = math.sqrt(3**2 + 4**2 + 12**2 + 0.5**2)


def make(dtype=torch.float32):
    """Three parameters with the gradients (3, 4), (-12) and (0.5), that one backward made."""
    weights = nn.ParameterList([nn.Parameter(torch.zeros(n, dtype=dtype)) for n in (2, 1, 1)])
    return weights, torch.optim.SGD(weights.parameters(), lr=0.1)


def backward(weights):
    a, b, c = weights
    (a @ torch.tensor([3.0, 4.0], dtype=a.dtype) - 12 * b.sum() + 0.5 * c.sum()).backward()


def recorded(edit, dtype=torch.float32):
    """The events between a backward and a step that are made by `edit(parameters)`."""
    weights, sgd = make(dtype)
    with record(weights, sgd) as events:
        backward(weights)
        edit(list(weights))
        sgd.step()
    assert events[0].kind == "backward" and events[-1].kind == "step"
    used = [p.grad.double().norm().item() for p in weights if p.grad is not None]
    assert events[-1].norm == pytest.approx(math.sqrt(sum(n * n for n in used)), rel=1e-2, nan_ok=True)
    return events[1:-1]


def each(operation):
    def edit(parameters):
        for parameter in parameters:
            operation(parameter)
    return edit


def replace(parameter, factor):
    parameter.grad = parameter.grad * factor


def multiply_numpy(parameter, factor):
    parameter.grad.numpy()[...] *= factor


MULTIPLY = {
    "mul_": lambda ps, c: [p.grad.mul_(c) for p in ps],
    "*=": lambda ps, c: each(lambda p: p.grad.__imul__(c))(ps),
    "data": lambda ps, c: [p.grad.data.mul_(c) for p in ps],
    "detach": lambda ps, c: [p.grad.detach().mul_(c) for p in ps],
    "div_": lambda ps, c: [p.grad.div_(1 / c) for p in ps],
    "tensor": lambda ps, c: [p.grad.mul_(torch.tensor(c)) for p in ps],
    "view": lambda ps, c: [p.grad.view(-1, 1).mul_(c) for p in ps],
    "copy_": lambda ps, c: [p.grad.copy_(p.grad * c) for p in ps],
    "data.copy_": lambda ps, c: [p.grad.data.copy_(p.grad * c) for p in ps],
    "foreach": lambda ps, c: torch._foreach_mul_([p.grad for p in ps], c),
    "foreach, one each": lambda ps, c: torch._foreach_mul_([p.grad for p in ps], [c, c, c]),
    "replaced": lambda ps, c: [replace(p, c) for p in ps],
    "out": lambda ps, c: [torch.mul(p.grad, c, out=p.grad) for p in ps],
    "numpy": lambda ps, c: [multiply_numpy(p, c) for p in ps],
    "grad.data =": lambda ps, c: [setattr(p.grad, "data", p.grad.data * c) for p in ps],
}
UNSEEN = ("replaced", "out", "numpy", "grad.data =")


@pytest.mark.parametrize("way", MULTIPLY)
def test_one_factor_below_one_is_a_clip_by_hand_however_it_is_written(way):
    (clip,) = recorded(lambda ps: MULTIPLY[way](ps, 1.1 / NORM))
    assert isinstance(clip, Clip) and clip.how == "by hand" and clip.parameters == (0, 1, 2)
    assert clip.coefficient == pytest.approx(1.1 / NORM, rel=1e-5) and clip.max_norm is None
    assert clip.norm == pytest.approx(NORM, rel=1e-5)
    assert (clip.after is not None) == (way in UNSEEN)


@pytest.mark.parametrize("way", MULTIPLY)
@pytest.mark.parametrize("factor", [1 / 4, 1 / 7, 1 / 1000, 1.7, 13.0])
def test_a_division_by_a_whole_number_and_an_enlargement_are_edits(way, factor):
    (edit,) = recorded(lambda ps: MULTIPLY[way](ps, factor))
    assert isinstance(edit, Edit) and edit.factor == pytest.approx(factor, rel=1e-5)
    assert edit.parameters == (0, 1, 2)
    assert edit.norm_before == pytest.approx(NORM, rel=1e-5)
    assert edit.norm_after == pytest.approx(NORM * factor, rel=1e-5)
    if way in UNSEEN:
        assert edit.where.text == "sgd.step()" and edit.after.text.endswith(".backward()")
    else:
        assert edit.after is None and "MULTIPLY" not in edit.where.text


@pytest.mark.parametrize("count", [16_384, 100_003])
def test_a_division_by_the_count_of_all_targets_is_an_edit(count):
    (edit,) = recorded(each(lambda p: p.grad.div_(count)))
    assert isinstance(edit, Edit) and edit.factor == pytest.approx(1 / count)
    (edit,) = recorded(each(lambda p: p.grad.div_(torch.tensor(float(count)))))
    assert isinstance(edit, Edit)
    (edit,) = recorded(each(lambda p: p.grad.mul_(1 / count)))
    assert isinstance(edit, Edit)


def test_a_weight_is_an_edit():
    (edit,) = recorded(each(lambda p: p.grad.mul_(0.3)))
    assert isinstance(edit, Edit) and edit.factor == 0.3


def test_a_coefficient_that_happens_to_be_one_fifth_is_a_clip_where_it_leads_to_a_plain_norm():
    def edit(parameters):
        parameters[0].grad.copy_(torch.tensor([3.0, 3.99]))
        parameters[1].grad.fill_(0.0)
        parameters[2].grad.fill_(math.sqrt(25 - 9 - 3.99**2))
        for p in parameters:
            p.grad.mul_(0.2)

    assert isinstance(recorded(edit)[-1], Edit), "5 to 1: as good an average as a clip"

    def clip(parameters):
        for p in parameters:
            p.grad.mul_(1.3 / NORM)
        for p in parameters:
            p.grad.mul_(1 / 13)

    assert [event.kind for event in recorded(clip)] == ["clip", "edit"]

    def plain(parameters):
        for p in parameters:
            p.grad.mul_(2.7318 / NORM)
        for p in parameters:
            p.grad.mul_(1 / 2.7318 / 1)

    assert [event.kind for event in recorded(plain)] == ["clip", "clip"]


@given(st.floats(0.01, 30), st.sampled_from(["mul_", "*=", "data", "tensor", "foreach", "copy_"]))
def test_a_clip_by_hand_is_seen_when_it_acts_and_only_then(max_norm, way):
    assume(abs(NORM / max_norm - round(NORM / max_norm)) > 1e-3)

    def clip(parameters):
        norm = math.sqrt(sum(p.grad.square().sum().item() for p in parameters))
        if norm > max_norm:
            MULTIPLY[way](parameters, max_norm / norm)

    events = recorded(clip)
    assert [event.kind for event in events] == ["clip"] * (max_norm < NORM)
    for event in events:
        assert event.norm * event.coefficient == pytest.approx(max_norm, rel=1e-4)


def test_a_clip_by_hand_that_multiplies_by_one_is_no_event():
    assert recorded(each(lambda p: p.grad.mul_(min(1.0, 100 / NORM)))) == []


@pytest.mark.parametrize("way", ["mul_", "copy_", "replaced"])
def test_a_clip_of_each_tensor_by_hand_is_a_clip_a_tensor(way):
    def clip(parameters):
        for parameter in parameters:
            if (norm := parameter.grad.norm().item()) > 1.5:
                MULTIPLY[way]([parameter], 1.5 / norm)

    events = recorded(clip)
    assert [(event.kind, event.parameters) for event in events] == [("clip", (0,)), ("clip", (1,))]
    assert [event.coefficient for event in events] == pytest.approx([1.5 / 5, 1.5 / 12])


CLAMP = {
    "clamp_": lambda g, v: g.clamp_(-v, v),
    "data.clamp_": lambda g, v: g.data.clamp_(-v, v),
    "two lines": lambda g, v: (g.clamp_max_(v), g.clamp_min_(-v)),
    "function": lambda g, v: torch.clamp_(g, -v, v),
    "copy_": lambda g, v: g.copy_(g.clamp(-v, v)),
    "out": lambda g, v: torch.clamp(g, -v, v, out=g),
}


@pytest.mark.parametrize("way", CLAMP)
def test_clamping_by_hand_is_a_clip(way):
    (clip,) = recorded(each(lambda p: CLAMP[way](p.grad, 2.0)))
    after = math.sqrt(4 + 4 + 4 + 0.25)
    assert isinstance(clip, Clip) and clip.how == "by hand" and clip.coefficient == pytest.approx(after / NORM)


@pytest.mark.parametrize("way", CLAMP)
def test_clamping_that_nothing_reaches_is_no_event(way):
    assert recorded(each(lambda p: CLAMP[way](p.grad, 100.0))) == []


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("way", ["mul_", "replaced", "copy_"])
def test_clips_by_hand_in_any_precision(dtype, way):
    (clip,) = recorded(lambda ps: MULTIPLY[way](ps, 1.1 / NORM), dtype)
    assert isinstance(clip, Clip) and clip.coefficient == pytest.approx(1.1 / NORM, rel=1e-2)


def test_nan_and_infinity_pass_through():
    def edit(parameters):
        parameters[0].grad[0] = float("inf")
        for p in parameters:
            p.grad.mul_(0.12345)
        parameters[1].grad[0] = float("nan")
        for p in parameters:
            p.grad.mul_(0.54321)

    assert [event.kind for event in recorded(edit)][0] == "edit"


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
