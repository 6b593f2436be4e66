"""explore(): a panel for a recipe."""

from __future__ import annotations

import atexit
import difflib
import math
import sys
import traceback
import weakref
from collections.abc import Mapping

from gradlab.history import History
from gradlab.recipe import Recipe

from .fields import FIELDS
from .panel import Panel

_panels = weakref.WeakValueDictionary()  # name -> the newest panel of that name
_request = {"id": None, "panels": 0}  # panels made so far by the cell execution in progress


def explore(recipe: Recipe | None = None, *fields: str, pinned: Mapping[str, History] | None = None,
            name: str | None = None, floor: float | None = None, ranges: Mapping[str, tuple] | None = None,
            max_steps: int | None = None, max_seconds: float = 120.0, fps: float = 20.0) -> Panel:
    """A panel that trains `recipe` live, with sliders for `lr` and `max_norm` and a control for each further field.

    Fields in `Recipe.LIVE` steer the run while it trains; the others act after Reset, and the panel says so. Nothing
    trains before Run is pressed. `panel.run(steps)` does the same from a cell, and waits.

    - `pinned`: earlier runs to show as ghosts, by label
    - `floor`: the lowest loss that can be reached on average, nats, drawn as a line
    - `ranges`: ends of sliders by field, `{"lr": (1e-3, 10)}`
    - `max_steps`: length of a run. By default the recipe's steps, and at least 2000 for a constant learning rate,
      because steering takes time; a decaying schedule keeps the recipe's steps, which are part of its shape
    - `max_seconds`: a run pauses by itself after so much time since Run was pressed
    - `fps`: frames a second that the kernel sends while it trains
    - `name`: a panel of the same name is stopped. By default the cell is the name, so that running it again leaves
      no thread behind

    Errors: TypeError for an argument of the wrong kind, ValueError for an unknown field or an impossible value.
    """
    recipe = Recipe() if recipe is None else recipe
    if not isinstance(recipe, Recipe):
        better = f"explore(Recipe(), {recipe!r:.60})" if isinstance(recipe, str) else "explore(Recipe(lr=0.3))"
        raise TypeError(f"explore() takes a Recipe first, got {recipe!r:.60}; write {better}")
    shown = tuple(dict.fromkeys(["lr", "max_norm", *map(_known, fields)]))
    for field in ranges or {}:
        if _known(field) not in shown:
            raise ValueError(f"ranges[{field!r}]: the panel has no control for {field}; name it as a field as well: "
                             f"explore(recipe, {field!r}, ...)")
    for label, history in (pinned or {}).items():
        if not isinstance(label, str) or not isinstance(history, History):
            raise TypeError(f"pinned takes labels and Histories, got {label!r:.40}: {history!r:.60}; "
                            "a History comes from run(recipe)")
    if floor is not None and not (_is_number(floor) and floor > 0):
        raise ValueError(f"floor must be a loss above 0 or None, got {floor!r}")
    if max_steps is not None and (isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1):
        raise ValueError(f"max_steps must be a whole number of at least 1 or None, got {max_steps!r}")
    if not (_is_number(max_seconds) and max_seconds > 0):
        raise ValueError(f"max_seconds must be above 0, got {max_seconds!r}")
    if not (_is_number(fps) and 0 < fps <= 60):
        raise ValueError(f"fps must be above 0 and at most 60, got {fps!r}")

    name = _cell() if name is None else name
    if (old := _panels.get(name)) is not None:
        old.stop()
    panel = Panel(recipe, shown, pinned=pinned, floor=floor, ranges=ranges, max_steps=max_steps,
                  max_seconds=max_seconds, fps=fps)
    _panels[name] = panel
    return panel


def _known(field):
    if field in FIELDS:
        return field
    near = difflib.get_close_matches(str(field), FIELDS, 1)
    raise ValueError(f"a recipe has no field {field!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                     + f" Its fields are {', '.join(FIELDS)}")


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _cell():
    """What stays the same when the caller's cell is run again, and differs between the panels of one cell.

    JupyterLab sends the cell's id with each execution, which outlives editing; elsewhere it is the place in the code.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    request = getattr(shell, "get_parent", dict)() or {}
    cell = request.get("metadata", {}).get("cellId")
    if cell is None:
        caller = sys._getframe(2)
        return caller.f_code.co_filename, caller.f_lineno
    execution = request.get("header", {}).get("msg_id")
    if _request["id"] != execution:
        _request.update(id=execution, panels=0)
    _request["panels"] += 1
    return cell, _request["panels"]


@atexit.register
def _stop_all():
    for panel in list(_panels.values()):
        try:
            panel.stop(2.0)  # a thread inside torch while the interpreter goes down would abort the process
        except Exception:  # its page may be gone by now, and the other panels must be stopped all the same
            traceback.print_exc()
