"""One training run, advanced by a thread that lives only while steps are being made.

An idle, paused, finished or failed run has no thread at all: pausing lets the thread end and keeps the generator,
and going on starts a new thread with the same generator. So nothing can be left behind, and stopping needs no
cooperation beyond the end of the update in progress.
"""

from __future__ import annotations

import pathlib
import threading
import time
import traceback

from gradlab.threads import one_thread

from .controls import Ended

THREAD_NAME = "gradlab-worker"


def live_workers() -> int:
    """The number of threads in this process that train, or wait for their turn to."""
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())


class Worker:
    """A run that can be advanced, paused and stopped from any thread.

    source: a generator of Steps. It must keep no thread-local state (an autocast region, say) open across a yield,
        because consecutive steps may be made by different threads.
    controls: the Controls that the generator reads; `stop` ends them, so that no update begins after it.
    publish: called as publish(worker) by the training thread, at most about `fps` times a second and once at the
        end of each stretch. It may take any lock: nobody who holds a lock waits for this thread.
    turn: a lock that only training threads take; runs that share it never train at the same time.
    max_seconds: the longest stretch between a call of `advance` and a pause that the worker makes by itself.

    `steps` is the list of Steps so far, `status` one of idle, running, paused, finished, diverged, failed, stopped.
    """

    def __init__(self, source, controls, publish, *, turn=None, fps=20.0, max_seconds=120.0):
        self.steps = []
        self.error = None  # what the generator raised, or publish
        self.note = ""  # why the run paused by itself
        self._source, self._controls, self._publish = source, controls, publish
        self._interval, self._max_seconds = 1.0 / fps, max_seconds
        self._turn = turn or threading.Lock()
        self._lock = threading.Lock()  # guards the four below; held for a few instructions only
        self._halt = None  # the Event that ends the current stretch; None when no stretch is wanted
        self._ended = None  # finished, diverged, failed or stopped, for good
        self._threads = {}  # thread -> the Event that it sets when it is done

    @property
    def status(self):
        with self._lock:
            if self._ended:
                return self._ended
            if self._halt is not None:
                return "running"
            return "paused" if self.steps else "idle"

    @property
    def alive(self):
        """The threads that train or wait for their turn, a set; two or more only after a quick pause and restart."""
        return set(self._alive())

    def advance(self, count=None):
        """Start making steps, `count` of them or without limit; False if the run has ended or is running."""
        with self._lock:
            if self._ended or self._halt is not None:
                return False
            halt = threading.Event()
            thread = threading.Thread(target=self._work, args=(halt, count), name=THREAD_NAME, daemon=True)
            thread.start()  # before the rest: where the system has no thread left, the run is not said to go on
            self._halt, self.note = halt, ""
            self._threads[thread] = threading.Event()
        return True

    def pause(self):
        """Make no step after the one in progress; the run can go on later. Returns at once."""
        with self._lock:
            if self._halt is not None:
                self._halt.set()
                self._halt = None

    def stop(self, timeout=5.0):
        """End the run for good and wait up to `timeout` seconds for its thread; 0 does not wait."""
        self.pause()
        with self._lock:
            self._ended = self._ended or "stopped"
            self._source = None  # a paused run has no thread that would let go of the model
            others = [done for thread, done in self._threads.items() if thread is not threading.current_thread()]
        self._controls.end()
        deadline = time.monotonic() + timeout
        for done in others:
            done.wait(max(0.0, deadline - time.monotonic()))

    def wait(self):
        """Return when no step is being made; raise what the run raised. An interrupt stops the run."""
        self.join()
        if self.error is not None:
            raise self.error

    def join(self):
        """Return when no step is being made. An interrupt stops the run."""
        try:
            # Not Thread.join: until Python 3.13, one that is interrupted takes the thread for ended ever after. In
            # slices, because on Windows an endless wait cannot be interrupted.
            while threads := self._alive():
                threads.popitem()[1].wait(0.1)
        except KeyboardInterrupt:
            self.stop()
            raise

    def describe_error(self):
        """The type, message and last line of code of the error, as one line; '' without error."""
        if self.error is None:
            return ""
        frames = traceback.extract_tb(self.error.__traceback__)
        place = f" ({pathlib.Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        return f"{type(self.error).__name__}: {self.error}{place}"

    def _work(self, halt, count):
        thread = threading.current_thread()
        try:
            with self._turn, one_thread():  # in this order: who has the turn has given back torch's number of threads
                ended, note = self._stretch(halt, count)
            self._settle(halt, ended, note)
            thread.name = f"{THREAD_NAME}, last message"  # it trains no more
            self._publish(self)
        except BaseException as error:  # a SystemExit as well: the thread dies, and its run must not seem to go on
            self.error = self.error or error
            self._settle(halt, "failed", "")
        finally:
            thread.name = f"{THREAD_NAME}, done"
            with self._lock:
                self._threads.pop(thread).set()

    def _settle(self, halt, ended, note):
        """Enter how a stretch is over."""
        with self._lock:
            self._ended = self._ended or ended
            if self._halt is halt:
                self._halt, self.note = None, note
            if self._ended:
                self._source = None  # the model and the optimizer state are free to go

    def _alive(self):
        with self._lock:
            return dict(self._threads)

    def _stretch(self, halt, count):
        """Make steps until told otherwise: (how the run ended or None, why it paused)."""
        source = self._source
        began = due = time.monotonic()
        seen = self._controls.seen
        made = 0
        while not halt.is_set() and made != count:
            if self._ended or source is None:  # an earlier stretch reached the end while this one waited
                return None, ""
            try:
                step = next(source, None)
            except Ended:
                return "stopped", ""
            except BaseException as error:
                self.error = error
                return "failed", ""
            if step is None:
                return "finished", ""
            self.steps.append(step)
            made += 1
            if not step.finite:
                return "diverged", ""
            now = time.monotonic()
            # A step made with new settings is shown half a frame early at most once a frame: the hand that moves
            # the slider waits for it. The debt is paid by the next frame, so the mean rate stays at fps.
            moved, seen = seen != self._controls.seen, self._controls.seen
            if now >= due or (moved and now >= due - self._interval):
                due = max(now, due) + self._interval
                self._publish(self)
            if now - began > self._max_seconds:
                return None, f"{self._max_seconds:g} s are over; Run goes on"
        return None, ""
