"""Steps of learning-rate schedulers."""

import sys
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from gradlab.ledger.events import Schedule
from gradlab.ledger.observe.caller import caller
from gradlab.ledger.observe.patches import Call, Patch
from gradlab.ledger.observe.step import rates


class ScheduleObserver:
    """`scheduler.step()`, by the loop. One that another scheduler calls is that one's; construction's is none."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        scheduler = call.args[0]
        optimizer_number = recorder.steered_by(scheduler)
        if optimizer_number is None or _under_construction(scheduler):
            return None
        where = caller(3)
        recorder.notice(where)
        return where, optimizer_number, rates(recorder.optimizers[optimizer_number])

    def after(self, recorder, call: Call, noted, result, error) -> None:
        where, optimizer_number, before = noted
        if error is None:
            recorder.write(Schedule(where=where, optimizer=optimizer_number, scheduler=type(call.args[0]).__name__,
                                    before=before, lr=rates(recorder.optimizers[optimizer_number])))


def _under_construction(scheduler: Any) -> bool:
    """Whether a scheduler's `__init__` is running: it calls `step` once."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "__init__" and isinstance(frame.f_locals.get("self"), LRScheduler):
            return True
        frame = frame.f_back
    return False


def patches(schedulers) -> list[Patch]:
    """For all of torch's schedulers and whatever classes the given ones have."""
    observer = ScheduleObserver()
    kinds = {LRScheduler}
    waiting = [LRScheduler]
    while waiting:
        below = waiting.pop().__subclasses__()
        kinds.update(below)
        waiting += below
    kinds.update(kind for scheduler in schedulers for kind in type(scheduler).__mro__)
    return [Patch(kind, "step", observer) for kind in kinds if "step" in vars(kind)]
