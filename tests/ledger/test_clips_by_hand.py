"""A clip that a loop makes with its own hands is seen at its line, and told from a division by its numbers."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from three_gradients import MULTIPLY, NORM, UNSEEN, each, make, recorded

from gradlab.ledger import Clip, Edit, record


@pytest.mark.parametrize("way", MULTIPLY)
def test_one_factor_below_one_is_a_clip_by_hand_however_it_is_written(way):
    (clip,) = recorded(lambda ps: MULTIPLY[way](ps, 1.1 / NORM))
    assert isinstance(clip, Clip) and clip.how == "by hand" and clip.parameters == (0, 1, 2)
    assert clip.coefficient == pytest.approx(1.1 / NORM, rel=1e-5) and clip.max_norm is None
    assert clip.norm == pytest.approx(NORM, rel=1e-5)
    assert (clip.after is not None) == (way in UNSEEN)


@pytest.mark.parametrize("way", MULTIPLY)
@pytest.mark.parametrize("factor", [1 / 4, 1 / 7, 1 / 1000, 2 / 3, 10 / 11, 1.7, 13.0])
def test_a_division_by_a_whole_number_a_running_mean_and_an_enlargement_are_edits(way, factor):
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


@pytest.mark.parametrize("norm, kind", [(5.0, "edit"), (7.3, "edit"), (2.25, "clip"), (3.35, "clip"), (3.3337, "edit")])
def test_one_fifth_is_an_average_unless_it_makes_a_plain_norm_of_an_odd_one(norm, kind):
    weights, sgd = make()
    for p in weights:
        p.grad = torch.zeros_like(p)
    weights[0].grad[0] = norm
    with record(weights, sgd) as events:
        for p in weights:
            p.grad.mul_(1 / 5)
    assert [event.kind for event in events] == [kind]


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("way", ["mul_", "replaced", "copy_"])
def test_clips_by_hand_in_any_precision(dtype, way):
    (clip,) = recorded(lambda ps: MULTIPLY[way](ps, 1.1 / NORM), dtype)
    assert isinstance(clip, Clip) and clip.coefficient == pytest.approx(1.1 / NORM, rel=1e-2)
