"""Clips by gradlab_kernels, called by the loop itself and by whatever name.

The package is not imported for this. Its public functions pass every call on through their `__wrapped__`.
"""

import math
import os
import sys

from gradlab.ledger.events import Measure
from gradlab.ledger.later import Later, number, value
from gradlab.ledger.observe.caller import take_in
from gradlab.ledger.observe.clip import ValueClip, clipped, failed, note, write
from gradlab.ledger.observe.given import argument, tensors_of
from gradlab.ledger.observe.patches import Call, Patch

_EPSILON = 1e-6


def coefficient_of(norm, max_norm: float, eps: float):
    """min(1, max_norm / (norm + eps)), NaN where that is NaN."""
    if type(norm) is Later:
        return Later(lambda: coefficient_of(value(norm), max_norm, eps))
    ratio = max_norm / (norm + eps) if norm + eps else math.inf
    return 1.0 if ratio >= 1 else ratio


def _tensors(call: Call, by_plan: bool) -> list | None:
    return list(call.args[0].parameters) if by_plan else tensors_of(call, 0, "parameters")


class KernelClip:
    """`clip_grad_norm_`, `clip_grads_with_norm_`, whose norm is an argument, and `ClipPlan.clip_`."""

    opaque, in_updates = True, True

    def __init__(self, by_plan: bool = False, norm_given: bool = False):
        self.by_plan, self.norm_given = by_plan, norm_given

    def before(self, recorder, call: Call):
        tensors = _tensors(call, self.by_plan)
        return None if tensors is None else note(recorder, tensors)

    def after(self, recorder, call: Call, noted, result, error) -> None:
        if error is not None:
            return failed(recorder)
        norm = number(argument(call, 2, "total_norm") if self.norm_given else result)
        asked = not self.by_plan and not self.norm_given  # for an order of norm
        norm_type = float(argument(call, 2, "norm_type", 2.0)) if asked else 2.0
        max_norm = float(argument(call, 1, "max_norm"))
        if max_norm == math.inf:  # whatever the norm, nothing was written
            recorder.write(Measure(where=noted.where, given=noted.given, norm=norm))
            return
        eps = call.args[0].eps if self.by_plan else call.kwargs.get("eps", _EPSILON)
        coefficient = coefficient_of(norm, max_norm, eps)
        measured = norm if norm_type == 2 and not self.norm_given else None
        clipped(recorder, noted, measured, coefficient if noted.once else None)
        write(recorder, noted, "norm", norm, norm_type, max_norm, coefficient)


class KernelValueClip(ValueClip):
    """`clip_grad_value_` and `ClipPlan.clip_value_`."""

    def __init__(self, by_plan: bool = False):
        self.by_plan = by_plan

    def before(self, recorder, call: Call):
        tensors = _tensors(call, self.by_plan)
        noted = None if tensors is None else note(recorder, tensors)
        if noted is None:
            return None
        recorder.norms.settle()
        return noted, recorder.norms.total(noted.acted)


def patches() -> list[Patch]:
    package = sys.modules.get("gradlab_kernels")
    if getattr(package, "__file__", None) is None:
        return []
    take_in(os.path.dirname(package.__file__))
    plan = getattr(package, "ClipPlan", None)
    seen = [(package, "clip_grad_norm_", KernelClip()), (package, "clip_grad_value_", KernelValueClip()),
            (package, "clip_grads_with_norm_", KernelClip(norm_given=True)),
            (plan, "clip_", KernelClip(by_plan=True)), (plan, "clip_value_", KernelValueClip(by_plan=True))]
    found = [(getattr(owner, name, None), observer) for owner, name, observer in seen]
    return [Patch(function, "__wrapped__", observer) for function, observer in found
            if hasattr(function, "__wrapped__")]
