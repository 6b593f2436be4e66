"""slide(): a picture that is a function of sliders."""

from __future__ import annotations

import base64
import math
import threading
from collections.abc import Callable

import anywidget
import traitlets

from gradlab.plot import Picture
from gradlab.threads import one_thread

from . import page

KEPT = 64  # pictures of earlier settings, for those who move a slider to and fro


def slide(draw: Callable[..., Picture], *, start: dict | None = None, **controls) -> Slide:
    """A picture with a control for each argument of `draw`; it is drawn again whenever one of them moves.

        slide(profile, depth=(2, 8, 32), activation=("relu", "tanh"), residual=True)

    calls `profile(depth=2, activation="relu", residual=True)` first. A control is described by its values: ascending
    numbers give a slider over exactly these, words a list to choose from, True or False a box to tick. `start` gives
    other values to begin with than the first. `draw` returns a `gradlab.plot.Picture` and should take less than a third
    of a second; while it draws, only the newest setting waits.

    Errors: TypeError for what is no function and for a control of another kind, ValueError for too few values, values
    that do not ascend and a `start` that no control has.
    """
    return Slide(draw, controls, start or {})


class Slide(anywidget.AnyWidget):
    """A picture and its controls on a page; `slide()` makes one. Every method may be called from any thread."""

    _esm = page.SLIDE
    _css = page.STYLE
    spec = traitlets.Dict().tag(sync=True)

    def __init__(self, draw, controls, start):
        if not callable(draw):
            raise TypeError(f"slide() takes a function that draws first, got {draw!r:.60}; "
                            "write slide(draw, depth=(2, 8, 32))")
        if not controls:
            raise ValueError("slide() needs something to slide: write slide(draw, depth=(2, 8, 32))")
        self._draw, self._pictures, self._lock = draw, {}, threading.RLock()
        self._controls = {name: _control(name, given) for name, given in controls.items()}
        self._values = {name: spec["values"][0] for name, spec in self._controls.items()}
        self._values |= self._checked(start)
        super().__init__(spec={"controls": [
            {key: value for key, value in spec.items() if key != "values"} for spec in self._controls.values()]})
        self.on_msg(lambda _, content, __: self._on_event(content))

    @property
    def values(self) -> dict:
        """The value of each control now."""
        return dict(self._values)

    @property
    def picture(self) -> Picture:
        """The picture of these values, drawn anew. Errors: whatever `draw` raises."""
        with one_thread():
            drawn = self._draw(**self._values)
        if not isinstance(drawn, Picture):
            raise TypeError(f"{getattr(self._draw, '__name__', 'draw')} must return a gradlab.plot.Picture, "
                            f"got {drawn!r:.60}")
        return drawn

    def set(self, **values) -> None:
        """Move controls. Errors: ValueError for a control or a value that is not offered; nothing is moved then."""
        with self._lock:
            self._values = self._values | self._checked(values)
            self._show()

    def _checked(self, values):
        for name, value in values.items():
            if name not in self._controls:
                raise ValueError(f"there is no control {name!r}; there are {', '.join(self._controls)}")
            offered = self._controls[name]["values"]
            # Not only ==: 1 == True, but 1 is no answer to a question of yes or no.
            if not any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in offered):
                raise ValueError(f"{name} takes {', '.join(map(_told, offered))}; got {value!r:.40}")
        return values

    def _png(self):
        key = tuple(self._values.values())
        if key not in self._pictures:
            if len(self._pictures) >= KEPT:
                self._pictures.pop(next(iter(self._pictures)))
            picture = self.picture
            self._pictures[key] = picture.png(), picture.alt
        return self._pictures[key]

    # What the page is told

    def _on_event(self, content):
        error = ""
        with self._lock:
            try:
                if content.get("kind") == "set":
                    self._values = self._values | self._checked(dict(content.get("values") or {}))
                self._show(content.get("id"))
                return
            except Exception as raised:  # of the caller's own function; the page is where somebody looks
                error = str(raised) if isinstance(raised, ValueError) else f"{type(raised).__name__}: {raised}"
            self._post({"ack": content.get("id"), "error": error, "values": self._values, "alt": ""})

    def _show(self, ack=None):
        png, alt = self._png()
        self._post({"ack": ack, "error": "", "values": self._values, "alt": alt}, [png])

    def _post(self, content, buffers=None):
        comm = self.comm  # read once: close() sets it to None at any moment
        if comm is not None:
            comm.send(data={"method": "custom", "content": {"kind": "picture", **content}}, buffers=buffers)

    # Stored form

    def __repr__(self):
        return f"gradlab slide: {', '.join(self._controls)} (run this cell to move them)"

    def _repr_mimebundle_(self, **kwargs):
        with self._lock:
            png, alt = self._png()
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/plain": f"[figure: {alt}]", "image/png": base64.b64encode(png).decode()}, metadata


def _control(name, given):
    """The description of a control: JSON for the page, and `values`, what may be set."""
    made = {"field": name, "label": name.replace("_", " "), "live": True, "off": False}
    if isinstance(given, bool):
        return made | {"kind": "check", "values": (given, not given)}
    values = tuple(given) if isinstance(given, tuple | list | range) else ()
    if values and all(isinstance(value, str) for value in values):
        kind = {"kind": "select", "options": list(values)}
    elif values and all(_is_number(value) for value in values):
        kind = {"kind": "slider", "integer": all(isinstance(value, int) for value in values), "ticks": list(values)}
    else:
        raise TypeError(f"{name}={given!r:.60}: a control is a tuple of finite numbers, a tuple of words, or True or "
                        "False")
    if len(set(values)) < 2 or len(set(values)) < len(values):
        raise ValueError(f"{name}={given!r:.60}: give two different values or more, each once")
    if kind["kind"] == "slider" and list(values) != sorted(values):
        raise ValueError(f"{name}={given!r:.60}: numbers must ascend, as they do along a slider")
    return made | kind | {"values": values}


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _told(value):
    return f"{value:g}" if _is_number(value) else repr(value)
