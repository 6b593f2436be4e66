"""Panel: a training run on a page, with its controls and four linked charts."""

from __future__ import annotations

import base64
import os
import pathlib
import threading
import time

import anywidget
import traitlets

from gradlab.history import History
from gradlab.recipe import Recipe
from gradlab.train import train

from . import words
from .controls import Controls
from .fields import FIELDS, control
from .rows import pack, pack_history
from .still import still_png
from .worker import Worker, live_workers

HERE = pathlib.Path(__file__).parent
MAX_PINS = 6
LONG_ENOUGH = 2000  # steps: time to steer a run by hand


class Panel(anywidget.AnyWidget):
    """A widget that trains a recipe while its settings are moved; `explore()` makes one.

    Every method may be called from any thread. The page and Python see the same run: a button pressed there is a
    method called here.
    """

    _esm = HERE / "panel.js"
    _css = HERE / "panel.css"
    spec = traitlets.Dict().tag(sync=True)  # what the page needs before the kernel's first answer; never changes

    _worker = None

    def __init__(self, recipe, fields=("lr", "max_norm"), *, pinned=None, floor=None, ranges=None, max_steps=None,
                 max_seconds=120.0, fps=20.0):
        self._lock = threading.RLock()  # guards all below; never held while waiting for a thread
        self._base = self._recipe = recipe
        self._fields, self._floor = tuple(fields), floor
        self._max_steps, self._max_seconds, self._fps = max_steps, max_seconds, fps
        self._pins = {}  # label -> (id, History)
        self._numbers = 0  # of pins and of runs, so that the page can tell them apart
        self._version = 0  # of what the page is told: messages of several threads may overtake one another
        self._turn = threading.Lock()  # one training thread at a time, across resets
        self._sent = 0  # steps of the current run that have been sent
        self._retired = []  # workers of runs that were reset, while they make their last step
        self._new_run()
        for label, history in (pinned or {}).items():
            self._add_pin(label, history)
        ranges = ranges or {}
        super().__init__(spec={
            "controls": [control(recipe, field, ranges.get(field)) for field in self._fields],
            "floor": floor, "steps": recipe.steps, "max_pins": MAX_PINS, "fps": fps, "title": words.plain(recipe)})
        self.on_msg(lambda _, content, __: self._on_event(content))
        self.comm.on_close(lambda _: self.stop(0))

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
            return {label: history for label, (_, history) in self._pins.items()}

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
        """Train in the background, `steps` updates or until the end. After the end of a run it begins a new one."""
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
        count = self._recipe.steps if steps is None else steps
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"steps must be a whole number of at least 1, got {steps!r}")
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
            told = self._add_pin(label or self._pin_label(), history)
        self._tell_pins()
        return told

    def unpin(self, label: str | None = None):
        """Remove one pinned run, or all of them."""
        with self._lock:
            if label is None:
                self._pins.clear()
            else:
                self._pins.pop(label, None)
        self._tell_pins()

    def load(self, text: str):
        """Take all settings from a share string. Errors: RecipeError in the words of `Recipe.from_share`."""
        with self._lock:
            self._recipe = Recipe.from_share(text)
            self._controls.set(**self._live())
        self._tell()

    def close(self):
        """Stop the run and remove the panel from the page."""
        self.stop(1.0)
        super().close()

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
        self._numbers += 1
        self._run_number, self._sent, self._started = self._numbers, 0, self._recipe
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

    # Pins

    def _pin_label(self):
        return words.label(self._started.replace(**self._controls.used), self._base, self._controls.steered)

    def _add_pin(self, label, history):
        if any(kept is history or kept.steps == history.steps for _, kept in self._pins.values()):
            return "this run is pinned already"
        name, count = label, 1
        while name in self._pins:
            count += 1
            name = f"{label} ({count})"
        self._numbers += 1
        self._pins[name] = (self._numbers, history)
        if len(self._pins) <= MAX_PINS:
            return ""
        oldest = next(iter(self._pins))
        del self._pins[oldest]
        return f"{MAX_PINS} pinned runs at most: the oldest, “{oldest}”, made room"

    # Messages. What is told carries a version or a place in the run, so that their order does not matter.

    def _on_event(self, content):
        kind, error, note = content.get("kind"), "", ""
        try:
            if kind == "hello":
                self._tell_pins()
            elif kind == "set":
                self.set(**{str(content.get("field")): content.get("value")})
            elif kind == "load":
                self.load(str(content.get("text", "")))
            elif kind == "pin":
                note = self.pin()
            elif kind == "unpin":
                with self._lock:
                    label = next((name for name, (number, _) in self._pins.items() if number == content.get("pin")), "")
                self.unpin(label)
            elif kind == "clear":
                self.unpin()
            elif kind in ("start", "pause", "step", "reset"):
                getattr(self, kind)()
        except ValueError as refused:  # a RecipeError is one; anything else is a defect and belongs in the log
            error = str(refused)
        self._tell(rows=kind == "hello", ack=content.get("id"), error=error, note=note)

    def _publish(self, worker):
        with self._lock:
            if worker is not self._worker:
                return  # a run that was reset while it made its last step
            start, steps = self._sent, worker.steps[self._sent:]
            self._sent += len(steps)
            head = self._head()
        self._post({"kind": "rows", "start": start, **head}, [pack(steps)])

    def _tell(self, *, rows=False, ack=None, error="", note=""):
        with self._lock:
            head = self._head()
            state = {"kind": "state", "ack": ack, "error": error, "note": note, "share": self._recipe.share(),
                     "values": {field: getattr(self._recipe, field) for field in self._fields},
                     "pending": self._pending(), **head}
            steps = list(self._worker.steps[:self._sent]) if rows else []
        self._post(state)
        if rows:
            self._post({"kind": "rows", "start": 0, **head}, [pack(steps)])

    def _tell_pins(self):
        with self._lock:
            self._version += 1
            pins = [(number, label, history) for label, (number, history) in self._pins.items()]
            head = {"kind": "pins", "version": self._version}
        told = [{"id": number, "label": label, "diverged": history.first_nonfinite_step}
                for number, label, history in pins]
        self._post(head | {"pins": told}, [pack_history(history) for _, _, history in pins])

    def _head(self):
        self._version += 1
        return {"version": self._version, "run": self._run_number, "status": self._worker.status,
                "text": words.status(self._worker, self._run_limit), "workers": live_workers()}

    def _post(self, content, buffers=None):
        comm = self.comm  # read once: close() sets it to None at any moment
        if comm is not None:
            comm.send(data={"method": "custom", "content": content}, buffers=buffers)

    # Stored form

    def __repr__(self):
        return words.plain(self._base)  # constant: no address, no live value

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        history = self.history
        if not len(history) and os.environ.get("GRADLAB_BUILD") == "1":
            history = History(train(self._base))  # the stored notebook shows a real run; a display never trains
        picture = still_png(history, self.pinned, self._floor)
        return data | {"text/plain": repr(self), "image/png": base64.b64encode(picture).decode()}, metadata
