"""An alarm that ends a call when its time is up, by an error from outside."""

import _thread
import queue
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import gradlab
from gradlab.exercises.fault import Fault, fault, whereabouts

INSIST = 0.5  # seconds for which a call may catch the error that ends it; after that it meets one at every turn
PAUSE = 0.002  # seconds between two rings

# A signal that nobody misses and that harms nobody who does not expect it. Windows can wake a thread by one only.
_RING = getattr(signal, "SIGURG", signal.SIGINT)


class TimeUp(BaseException):
    """Raised inside a call when its time is up; not an Exception, so that few catch it."""


class Alarm:
    """Makes one call and raises `TimeUp` in it after `seconds`, again and again until it ends.

    In the main thread a signal does it, which also wakes a call that sleeps or waits. Elsewhere, where Python hears no
    signals, the call is traced, slower, and the error comes once: a call that catches it, or sleeps, is not ended.

    - `late`: whether the time was up before the call had ended
    - `line`, `source`: where in the learner's own code it was then, None and "" where it was at none
    """

    def __init__(self, seconds: float):
        self.seconds, self.late, self.line, self.source = seconds, False, None, ""
        self._open, self._interrupted, self._patience = False, False, float("inf")
        # Unlike an event's or a condition's, its lock may be asked for by a signal in the middle of itself.
        self._orders = queue.SimpleQueue()
        self._depth = sys.getrecursionlimit()

    def call(self, function: Callable[[], Any]) -> tuple[Any, Fault | None]:
        """What `function` returns, and the error that ended it; both None when it was ended late by the alarm.

        Errors: KeyboardInterrupt when the user interrupts, once the call has ended.
        """
        if threading.current_thread() is threading.main_thread():
            return self._with_signals(function)
        return self._with_a_trace(function)

    def _with_signals(self, function):
        bell = threading.Thread(target=self._ring, args=(threading.get_ident(),), daemon=True, name="alarm")
        before, trace = {number: signal.getsignal(number) for number in {_RING, signal.SIGINT}}, sys.gettrace()
        wakeup = signal.set_wakeup_fd(-1)  # an event loop has no use for hundreds of rings
        try:
            for number, handler in before.items():
                if number == _RING or callable(handler):  # who ignores interrupts goes on to
                    signal.signal(number, self._heard)
            bell.start()
            return self._call(function)
        finally:
            self._orders.put("stop")
            bell.join()
            sys.setrecursionlimit(self._depth)
            if self.late:
                sys.settrace(trace)
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)
            if self._interrupted:
                raise KeyboardInterrupt

    def _call(self, function):
        self._open = True
        try:
            try:
                return function(), None
            except BaseException as error:
                return None, fault(error)  # under the alarm, too: an error's words are the learner's code
        except (TimeUp, KeyboardInterrupt):  # while `fault` was at work
            return None, None
        finally:
            self._open = False  # Python hears no signal between the end of the call and this

    def _ring(self, thread: int):
        """Let a second thread wait for the end of the time, and then wake the first until it has ended."""
        try:
            if self._orders.get(timeout=self.seconds) == "stop":
                return
        except queue.Empty:
            self._time_is_up(thread)
        self._patience = time.monotonic() + INSIST
        while True:
            if time.monotonic() > self._patience:
                sys.setrecursionlimit(self._depth + 200)  # a recursion without end leaves no room to hear anything
            if hasattr(signal, "pthread_kill"):
                signal.pthread_kill(thread, _RING)
            else:
                _thread.interrupt_main(_RING)
            try:
                if self._orders.get(timeout=PAUSE) == "stop":
                    return
            except queue.Empty:
                pass

    def _time_is_up(self, thread: int):
        self.line, self.source = whereabouts(thread)
        self.late = True

    def _heard(self, number: int, frame: FrameType | None):
        """A signal came: raise the error, if this is a place where it does no harm."""
        if not self._open:
            self._interrupted |= number == signal.SIGINT != _RING
            return
        if number == signal.SIGINT and not self.late and not self._interrupted:
            self._interrupted = True
            self._orders.put("ring")  # for one that catches the error, and in case that this is no place for it
        if not (self.late or self._interrupted):
            return  # somebody else's signal
        if time.monotonic() > self._patience:
            raise _Insistent(self)
        if not _in_our_code(frame):  # which is in the middle of recording something, say
            raise KeyboardInterrupt if self._interrupted else TimeUp

    def _again(self, frame: FrameType | None):
        """Raise another error in the call as soon as it does anything, from `frame` on."""
        while frame is not None and frame.f_code is not Alarm._call.__code__:
            frame.f_trace, frame.f_trace_opcodes = self._strike, True
            frame = frame.f_back
        sys.settrace(self._strike)

    def _strike(self, frame: FrameType, event: str, argument: Any):
        if self._open and frame.f_code.co_filename != __file__:
            raise _Insistent(self)  # after which Python traces no more
        return self._strike

    def _with_a_trace(self, function):
        until, thread, before = time.monotonic() + self.seconds, threading.get_ident(), sys.gettrace()

        def trace(frame, event, argument):
            if time.monotonic() > until and not _in_our_code(frame):
                self._time_is_up(thread)
                raise TimeUp
            return trace

        sys.settrace(trace)
        try:
            return self._call(function)
        finally:
            sys.settrace(before)


class _Insistent(TimeUp):
    """Has a successor as soon as it is caught and done with.

    A loop around a `try` that catches everything is left by the second one, which meets it outside the `try`.
    """

    def __init__(self, alarm: Alarm):
        self._alarm = alarm

    def __del__(self):
        if self._alarm._open:
            self._alarm._again(sys._getframe(1))


_OURS = str(Path(gradlab.__file__).parent / "_")[:-1]  # with the separator: a neighbour may be called gradlab-mine
_NOBODYS = tuple({*map(sysconfig.get_path, ("stdlib", "purelib", "platlib")), "<frozen"})


def _in_our_code(frame: FrameType | None) -> bool:
    """Whether gradlab is at work: it comes first among the callers that are neither Python's nor a library's."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_OURS):
            return True
        if not frame.f_code.co_filename.startswith(_NOBODYS):
            return False
        frame = frame.f_back
    return False
