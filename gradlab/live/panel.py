"""Panel: a training run on a page, with its controls and four linked charts."""

from __future__ import annotations

import base64
import os

import anywidget
import traitlets

from gradlab.history import History
from gradlab.train import train

from . import page, words
from .colours import BY_NAME, TINTS
from .fields import control
from .rows import pack, pack_history
from .steering import Steering
from .still import still_png
from .worker import live_workers


class Panel(Steering, anywidget.AnyWidget):
    """A widget that trains a recipe while its settings are moved; `explore()` makes one.

    Every method may be called from any thread. The page and Python see the same run: a button pressed there is a
    method called here.
    """

    _esm = page.SCRIPT
    _css = page.STYLE
    _closed = False
    spec = traitlets.Dict().tag(sync=True)  # what the page needs before the kernel's first answer; never changes

    def __init__(self, recipe, fields=("lr", "max_norm"), *, pinned=None, floor=None, ranges=None, max_steps=None,
                 max_seconds=120.0, fps=20.0):
        self._version = 0  # of what the page is told: messages of several threads may overtake one another
        self._floor = floor
        Steering.__init__(self, recipe, fields, pinned=pinned, max_steps=max_steps, max_seconds=max_seconds, fps=fps)
        ranges = ranges or {}
        anywidget.AnyWidget.__init__(self, spec={
            "controls": [control(recipe, field, ranges.get(field)) for field in self._fields],
            "floor": floor, "steps": recipe.steps, "title": words.plain(recipe), "colours": BY_NAME,
            "tints": list(TINTS)})
        self.on_msg(lambda _, content, __: self._on_event(content))
        self.comm.on_close(lambda _: self.stop(0))

    def close(self):
        """Stop the run and remove the panel from the page, for good."""
        self._closed = True
        self.stop(1.0)
        super().close()

    def _ready(self):
        if self._closed:
            raise RuntimeError("this panel is closed and trains no more; run its cell again for a new one")
        return super()._ready()

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
                    label = self._pins.label(content.get("pin"))
                self.unpin(label)
            elif kind == "clear":
                self.unpin()
            elif kind in ("start", "pause", "step", "reset"):
                getattr(self, kind)()
        except ValueError as refused:  # a RecipeError is one; anything else is a defect and belongs in the log
            error = str(refused)
        self._tell(rows=kind == "hello", ack=content.get("id"), error=error, note=note)

    def _new_run(self):
        super()._new_run()
        self._sent = 0  # steps of this run that have been sent

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
            pins, head = list(self._pins), {"kind": "pins", "version": self._version}
        told = [{"id": pin.id, "label": pin.label, "diverged": pin.history.first_nonfinite_step} for pin in pins]
        self._post(head | {"pins": told}, [pack_history(pin.history) for pin in pins])

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
