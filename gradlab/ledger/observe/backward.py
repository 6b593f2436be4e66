"""Backward passes that add to `.grad`."""

import torch

from gradlab.ledger.events import Backward
from gradlab.ledger.observe import divisor, provenance
from gradlab.ledger.observe.autocast import in_force
from gradlab.ledger.observe.caller import caller
from gradlab.ledger.observe.patches import Call, Patch, here


class BackwardObserver:
    """`torch.autograd.backward`, which `Tensor.backward` calls, or the call to the engine that both end in."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        if not call.kwargs.get("accumulate_grad", True):
            return None  # autograd.grad
        losses = call.args[0] if call.args else call.kwargs.get("tensors", ())
        losses = tuple(losses) if isinstance(losses, tuple | list) else (losses,)
        if recorder.thread != here.thread:  # another thread may train another model: is this backward ours?
            if not divisor.reaches(losses, recorder.watch.index):
                return None
        where = caller(3)
        recorder.notice(where, matters=bool(recorder.watch.present))
        recorder.norms.settle()
        recorder.watch.know_versions()
        reading = divisor.read(losses, recorder.scalers)
        autocast, recorder.autocast = in_force(recorder) if recorder.autocast == "" else recorder.autocast, ""
        return where, reading, autocast

    def after(self, recorder, call: Call, noted, result, error) -> None:
        changes = recorder.watch.changes()
        if changes is None:
            return
        where, reading, autocast = noted
        touched = changes.touched
        recorder.watch.settle(changes)
        recorder.norms.forget()
        if changes.cleared:  # an optimizer in a hook, say
            recorder.state = provenance.without(recorder.state, changes.cleared)
        if touched:
            _write(recorder, where, touched, reading, autocast)


def _write(recorder, where, touched, reading, autocast) -> None:
    scale = 1.0 if reading.scaler is None else recorder.scale_of(reading.scaler)
    number = recorder.holder(touched)
    event = Backward(where=where, parameters=touched, divisor=reading.divisor, halved=reading.halved, scale=scale,
                     autocast=autocast, number=1 if number is None else recorder.micro_batches[number] + 1)
    place = recorder.write(event)
    recorder.change(touched, lambda p: provenance.with_backward(p, place, scale))
    for optimizer, held in enumerate(recorder.ledger.held):
        if touched == held or not set(touched).isdisjoint(held):
            recorder.micro_batches[optimizer] += 1
    if recorder.stepping:
        recorder.stepping[-1].closure = True
    recorder.look_closely(touched)
    event.norm = recorder.norms.promise()
    if recorder.closely:
        recorder.norms.measure()


def patches() -> list[Patch]:
    # The engine's name is private, but a backward imported by its own name before ends in it too.
    name = "_engine_run_backward" if hasattr(torch.autograd, "_engine_run_backward") else "backward"
    return [Patch(torch.autograd, name, BackwardObserver())]
