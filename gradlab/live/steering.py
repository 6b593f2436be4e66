"""Steering: a run that is trained while its settings are moved, without a page."""

from __future__ import annotations

import threading
import time

import torch

from gradlab.history import History
from gradlab.recipe import Recipe
from gradlab.train import train

from . import words
from .controls import Controls
from .fields import FIELDS
from .pins import Pins
from .worker import Worker

LONG_ENOUGH = 2000  # steps: time to steer a run by hand


class Steering:
    """The run of a recipe, the settings that steer it and the earlier runs kept beside it.

    Every method may be called from any thread. fields: those that the learner has a control for. The other arguments
    are those of `explore()`.
    """

    _worker = None

    def __init__(self, recipe, fields=("lr", "max_norm"), *, pinned=None, max_steps=None, max_seconds=120.0, fps=20.0):
        # Asked for the sake of asking: a thread that torch does not know yet begins with the number of threads that
        # any other has set last, and the main thread must not take it from a worker.
        torch.get_num_threads()
        self._lock = threading.RLock()  # guards all below; never held while waiting for a thread
        self._base = self._recipe = recipe
        self._fields = tuple(fields)
        self._max_steps, self._max_seconds, self._fps = max_steps, max_seconds, fps
        self._turn = threading.Lock()  # one training thread at a time, across resets
        self._retired = []  # workers of runs that were reset, while they make their last step
        self._run_number = 0  # so that the page can tell the steps of two runs apart
        self._new_run()
        self._pins = Pins()
        for label, history in (pinned or {}).items():
            self._pins.add(label, history)

    # What Python sees

    @property
    def recipe(self) -> Recipe:
        """The recipe as the controls stand now. A run that was steered is not the run of this recipe."""
        return self._recipe

    @property
    def history(self) -> History:
        """The steps of the current run so far."""
        return History(list(self._worker.steps))

    @property
    def pinned(self) -> dict[str, History]:
        """The pinned runs by label, oldest first."""
        with self._lock:
            return self._pins.histories()

    @property
    def status(self) -> str:
        """"idle", "running", "paused", "finished", "diverged", "failed" or "stopped"."""
        return self._worker.status

    # What the learner does

    def set(self, **changes):
        """Change settings: live fields act from the next update on, the others at the next reset.

        Errors: RecipeError for a value that no recipe may have; nothing is changed then.
        """
        with self._lock:
            self._recipe = self._recipe.replace(**changes)
            self._controls.set(**self._live())
        self._tell()

    def start(self, steps: int | None = None):
        """Train in the background, `steps` updates or until the end. After the end of a run it begins a new one.

        Errors: ValueError for steps that are no count.
        """
        _counted(steps)
        with self._lock:
            self._ready().advance(steps)
        self._tell()

    def step(self):
        """Train for one update in the background."""
        self.start(1)

    def pause(self):
        """Make no update after the one in progress; `start` goes on from there."""
        self._worker.pause()
        self._tell()

    def reset(self):
        """End the run and clear it; the settings stay."""
        with self._lock:
            self._new_run()
        self._tell(rows=True)

    def stop(self, timeout: float = 5.0):
        """End the run and wait up to `timeout` seconds for its thread; the steps made so far stay."""
        if self._worker is None:
            return  # of a panel that could not be made
        deadline = time.monotonic() + timeout
        with self._lock:
            workers = [self._worker, *self._retired]
        for worker in workers:
            worker.stop(max(0.0, deadline - time.monotonic()))
        self._tell()

    def wait(self) -> History:
        """The history, once no update is being made. Errors: whatever the training raised, raised again here."""
        self._worker.wait()
        return self.history

    def run(self, steps: int | None = None) -> History:
        """Train for `steps` updates (by default the recipe's) and return the history: what tested cells call.

        A run under way is continued, an ended one begun anew. A run that diverges returns early, with the
        history to show it. Errors: whatever the training raised; TimeoutError if `max_seconds` were not enough;
        RuntimeError if somebody paused or reset the run meanwhile. An interrupt stops the run.
        """
        count = self._recipe.steps if _counted(steps) is None else steps
        self.pause()
        self._worker.join()
        with self._lock:
            worker = self._ready()
            before = len(worker.steps)
            worker.advance(count)
        self._tell()
        worker.wait()
        made = len(worker.steps) - before
        if made < count and worker.note:
            raise TimeoutError(f"{made} of {count} steps were made in max_seconds={self._max_seconds:g}; "
                               "give explore() more max_seconds, or run fewer steps")
        if made < count and worker.status in ("paused", "stopped"):
            raise RuntimeError(f"the run was {worker.status} after {made} of {count} steps; run the cell again")
        return self.history

    def pin(self, label: str | None = None):
        """Keep the run so far as a ghost in the charts, under `label` (by default its settings).

        Errors: ValueError if there is no step to keep.
        """
        with self._lock:
            history = self.history
            if not len(history):
                raise ValueError("there is nothing to pin yet: press Run first")
            told = self._pins.add(label or self._pin_label(), history)
        self._tell_pins()
        return told

    def unpin(self, label: str | None = None):
        """Remove one pinned run, or all of them."""
        with self._lock:
            if label is None:
                self._pins.clear()
            else:
                self._pins.remove(label)
        self._tell_pins()

    def load(self, text: str):
        """Take all settings from a share string. Errors: RecipeError in the words of `Recipe.from_share`."""
        with self._lock:
            self._recipe = Recipe.from_share(text)
            self._controls.set(**self._live())
        self._tell()

    # Runs

    def _live(self):
        return {field: getattr(self._recipe, field) for field in Recipe.LIVE}

    @property
    def _limit(self):
        """The steps of a live run. A constant rate can go on for long; a decaying one ends where its recipe says,
        because other `steps` would be another schedule."""
        if self._max_steps is not None:
            return self._max_steps
        if self._recipe.schedule != "constant" or "steps" in self._fields:
            return self._recipe.steps
        return max(self._recipe.steps, LONG_ENOUGH)

    def _ready(self):
        """The worker to go on with: that of the run under way, or of a new run with the settings of now."""
        if self._worker.status not in ("running", "paused"):
            self._new_run()
        return self._worker

    def _new_run(self):
        if self._worker is not None:
            self._worker.stop(0)
            self._retired = [worker for worker in (*self._retired, self._worker) if worker.alive]
        self._run_number += 1
        self._started = self._recipe
        self._run_limit = self._limit
        self._controls = Controls(**self._live())
        source = train(self._recipe.replace(steps=self._run_limit), self._controls)
        self._worker = Worker(source, self._controls, self._publish, turn=self._turn, fps=self._fps,
                              max_seconds=self._max_seconds)

    def _pending(self):
        if not self._worker.steps:
            return []
        return [field for field in FIELDS
                if field not in Recipe.LIVE and getattr(self._recipe, field) != getattr(self._started, field)]

    def _pin_label(self):
        return words.label(self._started.replace(**self._controls.used), self._base, self._controls.steered)

    # What a page would be told; without one there is nobody to tell.

    def _tell(self, *, rows=False):
        """Called after every change; rows: the run is another one."""

    def _tell_pins(self):
        """Called after the pinned runs have changed."""

    def _publish(self, worker):
        """Called by the training thread after some steps."""


def _counted(steps):
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ValueError(f"steps must be a whole number of at least 1, got {steps!r}")
    return steps
