"""Edits of gradients by hand: in-place operations on a gradient, or on anything that shares its memory.

Edits that one line makes, to one gradient after another, are one event. So they are gathered, and written when
something else happens.
"""

import numbers
import os
from typing import Any

import torch
from torch import Tensor

from gradlab.ledger.later import number, value
from gradlab.ledger.observe import edits
from gradlab.ledger.observe.caller import caller, calling_frame, is_inside
from gradlab.ledger.observe.clip import write_from_frame
from gradlab.ledger.observe.patches import Call, Patch, here

METHODS = ("mul_", "div_", "add_", "sub_", "neg_", "pow_", "copy_", "zero_", "fill_", "clamp_", "clamp_min_",
           "clamp_max_", "clip_", "nan_to_num_", "masked_fill_", "sign_", "abs_", "round_", "addcmul_", "addcdiv_",
           "lerp_", "normal_", "uniform_", "index_fill_", "index_add_", "index_copy_", "renorm_", "__imul__",
           "__itruediv__", "__iadd__", "__isub__", "__setitem__")
FUNCTIONS = ("_foreach_mul_", "_foreach_div_", "_foreach_add_", "_foreach_sub_", "_foreach_neg_", "_foreach_zero_",
             "_foreach_copy_", "_foreach_clamp_min_", "_foreach_clamp_max_", "_foreach_maximum_", "_foreach_minimum_",
             "_foreach_lerp_", "_foreach_addcmul_", "_foreach_addcdiv_", "clamp_", "nan_to_num_")
CLAMPS = {"clamp_", "clamp_min_", "clamp_max_", "clip_", "_foreach_clamp_min_", "_foreach_clamp_max_",
          "_foreach_maximum_", "_foreach_minimum_"}
WRITTEN = {"__imul__": "*=", "__itruediv__": "/=", "__iadd__": "+=", "__isub__": "-=", "__setitem__": "[...] ="}
TOGETHER = 8  # lines that take turns in one loop
_CLIP_GRAD = os.path.join("nn", "utils", "clip_grad.py")


class Gathered:
    """Edits of several gradients by one line."""

    def __init__(self, key, where, what: str, before: Any):
        self.key, self.where, self.what, self.before, self.now = key, where, what, before, None
        self.places: list[int] = []
        self.factors: dict[int, tuple[Any, Any]] = {}  # by place: what it was multiplied by, what it was divided by
        self.part = False  # whether only some elements of a gradient were edited
        self.mixed = False  # another line took turns with this one, so the norms say nothing about it
        self.clip: dict | None = None  # of torch's own clip, called by an early name

    def factor(self) -> tuple[float | None, float | None]:
        """What all were multiplied by, and what they were divided by, where the loop's own number was seen."""
        factors = {(value(factor), value(divisor)) for factor, divisor in self.factors.values()}
        return factors.pop() if len(factors) == 1 and len(self.factors) == len(set(self.places)) else (None, None)

    def reckoned(self) -> list[float] | None:
        """The norms after it as they must be."""
        factor, before = self.factor()[0], value(self.before)
        if factor is None or self.mixed or self.part:
            return None
        return [size * abs(factor) if place in self.places else size for place, size in enumerate(before)]

    def write(self, recorder) -> None:
        now, places = value(self.now), tuple(sorted(set(self.places)))
        before = value(self.before)
        if self.mixed:
            before = now = None
        if self.clip is not None:
            write_from_frame(recorder, self.where, self.clip, places, before, now)
            return
        factor, divisor = self.factor()
        edits.write(recorder, edits.Facts(self.where, places, before, now, self.what, factor, divisor, part=self.part))


class EditObserver:
    """In-place operations, called by the loop itself and not by torch."""

    opaque, in_updates = True, False

    def before(self, recorder, call: Call):
        # Gradients are not even looked at from another thread: the one that trains may be about to free them.
        if not recorder.watch.present or not call.args or recorder.thread != here.thread:
            return None
        if recorder.stepping and not recorder.stepping[-1].closure:
            return None
        given = call.args[0]
        tensors = [tensor for tensor in (given if isinstance(given, list | tuple) else (given,))
                   if isinstance(tensor, Tensor)]
        memory = recorder.watch.memory()
        touched = [memory.touched_by(tensor) for tensor in tensors]
        places = [place for those, _ in touched for place in those]
        if not places:
            return None
        frame = calling_frame()
        file = frame.f_code.co_filename
        if is_inside(file) and not file.endswith(_CLIP_GRAD):
            return None
        clip = frame.f_locals if is_inside(file) else None
        edit = self._gather(recorder, call, places, clip)
        edit.part |= not all(wholly for those, wholly in touched if those)
        return places

    def after(self, recorder, call: Call, noted, result, error) -> None:
        recorder.norms.forget()
        recorder.watch.settle_at(noted)

    def _gather(self, recorder, call: Call, places: list[int], clip: dict | None) -> Gathered:
        where, what = caller(4), "clamp_" if call.name in CLAMPS else WRITTEN.get(call.name, call.name)
        key = (where.file, where.function, what) if what == "clamp_" else (where, what)
        if clip is not None:
            key = (where, "clip")
        gathered = recorder.edits
        edit = next((edit for edit in gathered if edit.key == key), None)
        if edit is not None and what != "clamp_" and not set(places).isdisjoint(edit.places):
            recorder.notice(where)  # the same line once more
            edit = None
        if edit is None:
            if len(gathered) >= TOGETHER or recorder.watch.changes() is not None:
                recorder.notice(where)
            recorder.norms.settle()
            sizes = recorder.norms.measure()
            if recorder.edits:
                recorder.edits[-1].now = sizes
            edit = Gathered(key, where, what, sizes)
            edit.clip = clip
            recorder.edits.append(edit)
        elif edit is not recorder.edits[-1]:
            for other in recorder.edits:
                other.mixed = True
        edit.places += places
        factor = _factor(call)
        for position, place in enumerate(places):
            if factor is not None:
                edit.factors[place] = factor[position] if isinstance(factor, list) else factor
        return edit


def _factor(call: Call):
    """(what a call multiplies by, what it divides by) as numbers, or None; a list for one each."""
    if WRITTEN.get(call.name, call.name) not in edits.MULTIPLYING or len(call.args) < 2 or call.kwargs:
        return None
    dividing = "div" in call.name
    other = call.args[1]
    if isinstance(other, list | tuple):
        each = [_one(item, dividing) for item in other]
        return None if None in each else each
    return _one(other, dividing)


def _one(other: Any, dividing: bool):
    if isinstance(other, Tensor):
        if other.numel() != 1 or other.is_complex():
            return None
        other = value(number(other))
    if not isinstance(other, numbers.Real):
        return None
    other = float(other)
    return (1 / other if other else float("inf"), other) if dividing else (other, None)


def patches() -> list[Patch]:
    observer = EditObserver()
    return ([Patch(Tensor, name, observer) for name in METHODS if hasattr(Tensor, name)]
            + [Patch(torch, name, observer) for name in FUNCTIONS if hasattr(torch, name)])
