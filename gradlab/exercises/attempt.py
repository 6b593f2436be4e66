"""Run a call that may do anything, and come back from it: in time, with everything outside as it was."""

import ctypes
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradlab.exercises.fault import Fault, fault, whereabouts
from gradlab.exercises.surroundings import Surroundings
from gradlab.threads import one_thread

INSIST = 0.5  # seconds for which a call may catch the error that ends it; after that it is stopped where it is


class TimeUp(BaseException):
    """Raised in a call's thread when its time is up, from outside; not an Exception, so that few catch it."""


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
    """Call `call` in a thread of its own and say what became of it, after at most `seconds` and a moment.

    The thread computes with one torch thread and with gradients on. What it prints and warns of is kept from the
    screen; its input is empty. A call that cannot be ended, because it sleeps, is left behind and ended later.

    Errors: RuntimeError from inside another attempt; KeyboardInterrupt when the waiting thread is interrupted, after
    the call was ended.
    """
    worker, late = _Worker(call), None
    with Surroundings(worker.ident_inside) as around:
        try:
            worker.start()
            if not worker.finished.wait(seconds):
                late = Fault(TimeUp, f"it had not ended after {seconds:.3g} seconds", *whereabouts(worker.ident))
        finally:
            worker.end()
    if late is not None:
        return Attempt(None, late, around.printed, around.warned)
    return Attempt(worker.value, worker.fault, around.printed, around.warned)


class _Sent(BaseException):
    """Raised in the waiting thread by itself."""


_send = ctypes.pythonapi.PyThreadState_SetAsyncExc
_send.argtypes = (ctypes.c_ulong, ctypes.py_object)


class _Worker(threading.Thread):
    """The thread a call runs in. `end` raises errors in it from outside, as long as the call is `open`."""

    def __init__(self, call: Callable[[], Any]):
        super().__init__(daemon=True, name="attempt")
        self.call, self.value, self.fault = call, None, None
        self.open, self.inside, self.finished = True, True, threading.Event()
        self.sending, self.ended, self.last_sent = threading.Lock(), threading.Lock(), float("inf")
        self.ended.acquire()  # a lock and not the event, for `end` may call nothing of Python's
        self.time_up = self._time_up()

    def ident_inside(self) -> int | None:
        """The thread's number while it runs; when a thread has ended another one may get its number."""
        return self.ident if self.inside else None

    def run(self):
        self._layer(3)
        self.inside = False
        self.finished.set()
        self.ended.release()

    def _layer(self, more: int):
        """Make the call inside some more layers. An error from outside that comes after it has ended ends a layer.

        There are at most two of them, one on its way and one that is being sent, since Python delivers none between
        the end of the call and `open` being False.
        """
        try:
            if more:
                self._layer(more - 1)
            else:
                with one_thread():
                    self._call()
            with self.sending:  # what was being sent is sent now
                pass
            self._nothing()  # and arrives here, for Python looks for errors from outside when a function begins
        except BaseException:
            pass

    def _call(self):
        try:
            try:
                self.value = self.call()
            except BaseException as error:
                self.fault = fault(error)
        finally:
            self.open = False

    def _nothing(self):
        pass

    def end(self):
        """Have the call end if it has not, or stop; one that does neither in time is seen to by another thread."""
        self.patience = time.monotonic() + INSIST
        if not self._insist(self.patience + 0.1, 0.002):
            threading.Thread(target=self._insist, args=(float("inf"), 0.02), daemon=True, name="attempt's end").start()

    def _insist(self, until: float, pause: float) -> bool:
        """Raise errors in the call, one after the other, and say whether it has ended or stopped."""
        while not (self.finished.is_set() or self.stopped) and time.monotonic() < until:
            with self.sending:
                if self.open and self.ident is not None:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(self.ident), ctypes.py_object(self.time_up))
            self.finished.wait(pause)
        return self.finished.is_set() or self.stopped

    def _time_up(self) -> type[TimeUp]:
        """A class of its own for each call, that knows how often it was caught.

        Python makes an error that was sent to a thread in that thread, when it is caught. A call that catches one
        after the other is stopped there: it waits for ever, and costs no time.
        """
        worker = self

        class Insisted(TimeUp):
            caught = 0

            def __init__(self, *args):
                type(self).caught += 1
                if worker.open and type(self).caught > 1 and time.monotonic() > worker.patience:
                    worker.stopped = True
                    threading.Event().wait()

        return Insisted
