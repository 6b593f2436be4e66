"""Updates: torch runs hooks before and after the step of every optimizer."""

import math
import sys
import threading
from typing import Any

import torch

from gradlab.ledger.events import Skip, Step
from gradlab.ledger.later import Later, number, value
from gradlab.ledger.observe import provenance
from gradlab.ledger.observe.caller import caller
from gradlab.ledger.observe.norms import joint, sizes_of
from gradlab.ledger.observe.patches import Call, Patch, here, recording
from gradlab.ledger.observe.scaler import unscaled


class Stepping:
    """A call of `optimizer.step` that has begun."""

    def __init__(self, optimizer, optimizer_number: int, where, frame):
        self.optimizer, self.number, self.where, self.frame = optimizer, optimizer_number, where, frame
        self.thread = threading.get_ident()
        self.first = 0  # the place of the first event inside
        self.closure = False  # whether a backward pass has happened inside
        self.through_scaler = self.skipped = False
        self.norm: Any = math.nan
        self.lr: Any = ()
        self.weights: list | None = None

    def runs(self) -> bool:
        """Whether it is still on the stack; a step that raised tells nobody."""
        if self.frame is None or self.thread != threading.get_ident():
            return True
        frame = sys._getframe(1)
        while frame is not None and frame is not self.frame:
            frame = frame.f_back
        return frame is not None


def before_step(optimizer, args, kwargs) -> None:
    """The global hook before any optimizer's step."""
    for recorder in recording():
        if id(optimizer) in recorder.numbers and not here.inside:
            recorder.guarded(_begin, optimizer, sys._getframe(1))
        elif recorder.apart and id(optimizer) not in recorder.numbers:
            recorder.guarded(_meet_other, optimizer)
    here.updating = not any(map(callable, (*args[1:], *kwargs.values())))  # a closure would be the loop's own code


def after_step(optimizer, args, kwargs) -> None:
    """The global hook after it."""
    here.updating = False
    for recorder in recording():
        if id(optimizer) in recorder.numbers and not here.inside:
            recorder.guarded(_end, optimizer, sys._getframe(1))


def _meet_other(recorder, optimizer) -> None:
    recorder.meet_other(optimizer)


class StepObserver:
    """The step of an optimizer that runs no hooks, because it does not call its base class's `__init__`."""

    opaque, in_updates = False, True

    def before(self, recorder, call: Call):
        optimizer = call.args[0]
        if id(optimizer) not in recorder.numbers or any(s.optimizer is optimizer for s in recorder.stepping):
            return None
        _begin(recorder, optimizer, None)
        return optimizer

    def after(self, recorder, call: Call, noted, result, error) -> None:
        if error is None:
            _end(recorder, noted, None)
        else:
            recorder.stepping = [stepping for stepping in recorder.stepping if stepping.optimizer is not noted]


def _begin(recorder, optimizer, frame) -> None:
    recorder.drop_raised()
    if any(stepping.optimizer is optimizer for stepping in recorder.stepping):
        return  # a step that calls the one it overrides
    where, optimizer_number = caller(), recorder.numbers[id(optimizer)]
    recorder.meet_groups(optimizer_number)
    recorder.notice(where)
    recorder.compare_each(where)
    stepping = Stepping(optimizer, optimizer_number, where, frame)
    _take_scaling(recorder, stepping)
    recorder.norms.settle()
    stepping.norm, stepping.lr = recorder.norms.total(recorder.with_gradient(optimizer_number)), rates(optimizer)
    if recorder.moved:
        stepping.weights = [tensor.detach().clone() for tensor in _weights(optimizer)]
    stepping.first = recorder.next_place()
    recorder.stepping.append(stepping)


def _take_scaling(recorder, stepping: Stepping) -> None:
    """Inside `scaler.step`. A fused optimizer is given the scale: it unscales, or leaves the update out, by itself."""
    for scaling in here.scaling:
        if scaling.optimizer is not stepping.optimizer:
            continue
        scaling.reached.add(id(recorder))
        stepping.through_scaler = True
        inf = getattr(stepping.optimizer, "found_inf", None)
        if scaling.scaler.is_enabled() and isinstance(inf, torch.Tensor):
            stepping.skipped = inf.item() > 0
            if getattr(stepping.optimizer, "grad_scale", None) is not None:
                recorder.norms.settle()
                unscaled(recorder, stepping.where, stepping.number, recorder.scale_of(scaling.scaler), stepping.skipped,
                         explicit=False, refused=False)


def _end(recorder, optimizer, frame) -> None:
    stepping = next((s for s in recorder.stepping if s.optimizer is optimizer and s.frame is frame), None)
    if stepping is None:
        return
    if stepping.closure:
        recorder.notice(stepping.where)
        stepping.norm = recorder.norms.total(recorder.with_gradient(stepping.number))
    recorder.stepping.remove(stepping)
    if stepping.skipped:
        recorder.write(Skip(where=stepping.where, optimizer=stepping.number))
    else:
        places = recorder.with_gradient(stepping.number)
        moved = math.nan if stepping.weights is None else _distance(stepping.weights, _weights(optimizer))
        place = recorder.write(Step(
            where=stepping.where, optimizer=stepping.number, parameters=places, lr=stepping.lr, moved=moved,
            through_scaler=stepping.through_scaler, norm=stepping.norm))
        recorder.change(places, lambda p: provenance.with_step(p, place))
    recorder.updated(stepping.number, made=not stepping.skipped)
    # Some optimizers work in the gradients' memory, or put other tensors in their place; torch's do not go so far.
    trusted = type(optimizer).__module__.startswith("torch.optim.") and not recorder.carefully
    if (not trusted or recorder.watch.disturbed()) and recorder.watch.catch_up():
        recorder.norms.forget()


def rates(optimizer) -> Any:
    """The learning rate of each group; NaN for one that has none."""
    each = [math.nan if (lr := group.get("lr")) is None else number(lr) for group in optimizer.param_groups]
    return Later(lambda: tuple(map(value, each))) if any(type(lr) is Later for lr in each) else tuple(each)


def _weights(optimizer) -> list:
    return [tensor for group in optimizer.param_groups for tensor in group["params"]]


def _distance(before: list, now: list) -> Any:
    with torch.no_grad():
        sizes = sizes_of([new.detach() - old for old, new in zip(before, now, strict=False)])
    return Later(lambda: joint(value(sizes))) if type(sizes) is Later else joint(sizes)


def patches(optimizers) -> list[Patch]:
    """For the optimizers without hooks."""
    plain = [type(optimizer) for optimizer in optimizers if not getattr(type(optimizer).step, "hooked", False)]
    observer = StepObserver()
    return [Patch(kind, "step", observer) for cls in plain for kind in cls.__mro__ if "step" in vars(kind)]
