"""Run a call that may do anything, and come back from it: in time, with everything outside as it was."""

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from gradlab.exercises.alarm import Alarm, TimeUp
from gradlab.exercises.fault import Fault
from gradlab.exercises.surroundings import Surroundings
from gradlab.threads import one_thread


@dataclass(frozen=True)
class Attempt:
    """What became of a call: its `value`, or the `fault` that ended it; `TimeUp` if it took too long.

    `printed` is what it wrote, shortened; `warned` its first warning.
    """

    value: Any = None
    fault: Fault | None = None
    printed: str = ""
    warned: str = ""


def attempt(call: Callable[[], Any], seconds: float) -> Attempt:
    """Call `call` and say what became of it, after at most `seconds` and a moment.

    It computes with one torch thread and with gradients on, whatever is chosen outside. What it prints and warns of
    is kept from the screen; its input is empty. How it is ended, and what cannot be ended: `Alarm`.

    Errors: RuntimeError from inside another attempt; KeyboardInterrupt when the user interrupts, after the call was
    ended.
    """
    here, alarm = _Here(), Alarm(seconds)
    with Surroundings(here.inside) as around:
        with one_thread(), torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
            here.running = True
            try:  # in a context of its own, which keeps numpy's settings, say, from the outside
                value, ended = contextvars.copy_context().run(alarm.call, call)
            finally:
                here.running = False
    if alarm.late:
        ended = Fault(TimeUp, f"it had not ended after {seconds:.3g} seconds", alarm.line, alarm.source)
    return Attempt(None if ended else value, ended, around.printed, around.warned)


class _Here:
    """The thread an attempt is made in, while its call runs."""

    def __init__(self):
        self.thread, self.running = threading.get_ident(), False

    def inside(self) -> int | None:
        return self.thread if self.running else None
