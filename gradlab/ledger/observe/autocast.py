"""Which dtype autocast ran in at the last forward pass: outside the model, around it, or inside it."""

import torch
from torch import Tensor, nn

from gradlab.ledger.observe.patches import Call, Patch, here, recording


def in_force(recorder) -> str | None:
    """The dtype that autocast is on in now, "bfloat16", on the device of the parameters; None where it is off."""
    parameters = recorder.watch.parameters
    device = parameters[0].device.type if parameters else "cpu"
    try:
        return _name(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else None
    except RuntimeError:  # a device that has no autocast, "meta" for one
        return None


class AutocastObserver:
    """`with torch.autocast(...)` inside a model's forward pass."""

    opaque, in_updates = False, True

    def before(self, recorder, call: Call):
        if id(recorder) in here.forward and call.args and getattr(call.args[0], "_enabled", False):
            dtype = getattr(call.args[0], "fast_dtype", None)
            if isinstance(dtype, torch.dtype):
                recorder.autocast = _name(dtype)

    def after(self, recorder, call, noted, result, error) -> None: ...


# Functions of the module and not methods of a recorder: a copy of the model copies its hooks.


def entering(module: nn.Module, args) -> None:
    """Before a forward pass that will be differentiated."""
    if torch.compiler.is_compiling():  # hooks are compiled with the model; there is nothing in this one to compile
        return
    if torch.is_grad_enabled():
        for recorder in recording():
            if any(module is model for model in recorder.models):
                recorder.autocast = in_force(recorder)
                here.forward += (id(recorder),)


def leaving(module: nn.Module, args, output: Tensor) -> None:
    """After it, even if it raised."""
    if not torch.compiler.is_compiling():
        here.forward = ()


def patches() -> list[Patch]:
    return [Patch(torch.autocast, "__enter__", AutocastObserver())]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
