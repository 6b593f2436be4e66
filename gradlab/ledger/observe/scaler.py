"""Loss scaling: `unscale_`, `step` and `update` of a GradScaler."""

from typing import Any

from torch.amp import GradScaler

from gradlab.ledger.events import ScalerUpdate, Skip, Unscale
from gradlab.ledger.later import Later, number, value
from gradlab.ledger.observe import provenance
from gradlab.ledger.observe.caller import caller
from gradlab.ledger.observe.given import argument
from gradlab.ledger.observe.patches import Call, Patch, here


class Scaling:
    """A call of `scaler.step` that has begun."""

    def __init__(self, scaler, optimizer, where):
        self.scaler, self.optimizer, self.where = scaler, optimizer, where
        self.reached: set[int] = set()  # the recorders that saw the optimizer's own step


class Scales:
    """`scale`: makes a scaler known that the loop uses but that nobody named."""

    opaque, in_updates = False, True

    def before(self, recorder, call: Call):
        scaler = call.args[0]
        if recorder.thread == here.thread and scaler.is_enabled() and all(scaler is not s for s in recorder.scalers):
            recorder.scalers.append(scaler)

    def after(self, recorder, call, noted, result, error) -> None: ...


class UnscaleObserver:
    """`unscale_`, by the loop or by `scaler.step`. A disabled scaler does nothing, so nothing happened."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        optimizer = argument(call, 1, "optimizer")
        if id(optimizer) not in recorder.numbers or not call.args[0].is_enabled():
            return None
        where = caller(3)
        recorder.notice(where)
        recorder.norms.settle()
        return where

    def after(self, recorder, call: Call, noted, result, error) -> None:
        scaler, optimizer = call.args[0], argument(call, 1, "optimizer")
        if error is not None and not isinstance(error, RuntimeError):  # that is torch's, for a second time
            return
        recorder.watch.catch_up()
        unscaled(recorder, noted, recorder.numbers[id(optimizer)], recorder.scale_of(scaler),
                 found_inf(scaler, optimizer), explicit=not any(scaling.scaler is scaler for scaling in here.scaling),
                 refused=error is not None)


def unscaled(recorder, where, optimizer_number: int, scale: float, inf: Any, explicit: bool, refused: bool) -> None:
    """Write that the gradients of an optimizer were divided by the loss scale, unless torch refused."""
    recorder.write(Unscale(where=where, optimizer=optimizer_number, scale=scale, explicit=explicit, refused=refused,
                           found_inf=inf))
    if not refused:
        places = recorder.with_gradient(optimizer_number)
        recorder.norms.scaled(places, 1 / scale)
        recorder.change(places, lambda p: provenance.with_factor(p, 1 / scale))


def found_inf(scaler, optimizer) -> Any:
    """Whether the scaler met infinity or NaN in an optimizer's gradients."""
    try:
        state = scaler._per_optimizer_states[id(optimizer)]["found_inf_per_device"]
    except (AttributeError, KeyError, TypeError):
        return False
    numbers = [number(found) for found in state.values()]
    if any(type(found) is Later for found in numbers):
        return Later(lambda: any(value(found) > 0 for found in numbers))
    return any(found > 0 for found in numbers)


class ScaledStep:
    """`scaler.step(optimizer)`: whether it leaves the update out shows in whether the optimizer's step is reached."""

    opaque, in_updates = False, True

    def before(self, recorder, call: Call):
        optimizer = argument(call, 1, "optimizer")
        if id(optimizer) not in recorder.numbers:
            return None
        scaling = Scaling(call.args[0], optimizer, caller(3))
        here.scaling += (scaling,)
        return scaling

    def after(self, recorder, call: Call, noted, result, error) -> None:
        here.scaling = tuple(scaling for scaling in here.scaling if scaling is not noted)
        if error is None and not noted.reached and call.args[0].is_enabled():
            recorder.notice(noted.where)
            optimizer_number = recorder.numbers[id(noted.optimizer)]
            recorder.write(Skip(where=noted.where, optimizer=optimizer_number))
            recorder.updated(optimizer_number, made=False)


class UpdateObserver:
    """`update`."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        scaler = call.args[0]
        if not scaler.is_enabled() or all(scaler is not known for known in recorder.scalers):
            return None
        where = caller(3)
        recorder.notice(where)
        return where, recorder.scale_of(scaler)

    def after(self, recorder, call: Call, noted, result, error) -> None:
        if error is None:
            recorder.write(ScalerUpdate(where=noted[0], before=noted[1], scale=recorder.scale_of(call.args[0])))


def patches(scalers) -> list[Patch]:
    """For torch's class, and for the classes of the given scalers that override its methods."""
    observers = {"scale": Scales(), "unscale_": UnscaleObserver(), "step": ScaledStep(), "update": UpdateObserver()}
    kinds = {GradScaler} | {kind for scaler in scalers for kind in type(scaler).__mro__ if kind is not object}
    return [Patch(kind, name, observer) for kind in kinds for name, observer in observers.items() if name in vars(kind)]
