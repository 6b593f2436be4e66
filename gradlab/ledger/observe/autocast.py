"""Which dtype autocast ran in at the last forward pass: outside the model, around it, or inside it."""

import torch

from gradlab.ledger.observe.patches import Call, Patch, here


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


class ForwardObserver:
    """A forward pass of a model that will be differentiated.

    Its class is patched for this: a hook would be in the model, and so in every copy and file that is made of it.
    """

    opaque, in_updates = False, True

    def before(self, recorder, call: Call):
        if not torch.is_grad_enabled() or not any(call.args[0] is model for model in recorder.models):
            return None
        recorder.autocast = in_force(recorder)
        outer, here.forward = here.forward, (*here.forward, id(recorder))
        return outer

    def after(self, recorder, call: Call, noted, result, error) -> None:
        here.forward = noted


def patches(models) -> list[Patch]:
    """For autocast, and for the classes of the given models."""
    observer = ForwardObserver()
    return [Patch(torch.autocast, "__enter__", AutocastObserver()),
            *[Patch(kind, "__call__", observer) for kind in {type(model) for model in models}]]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
