"""A sketch laid over what was measured."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context

from gradlab import plot
from gradlab.history import History
from gradlab.plot import COLOURS, DRAWING, STYLE, Picture

GREY, DASHES = "#7A7A7A", (0, (3, 1.6))


def lay_over(sketch, measured, column: str) -> Picture:
    """The Picture that `Sketch.reveal` gives, in the frame that was drawn in: what was measured outside it is cut off.

    Its text does not say whether there is a sketch, because it must be constant.
    """
    picture = _of_curve(sketch, measured) if _is_pair(measured) else _of_runs(sketch, measured, column)
    with DRAWING, rc_context(STYLE):
        [axes] = picture.axes
        room = 0.02 * (sketch.x[1] - sketch.x[0])
        left, right = axes.get_xlim()
        axes.set_yscale("log" if sketch.spec["log"] else "linear")
        axes.set(xlabel=sketch.spec["xlabel"], ylim=sketch.y,
                 xlim=(min(sketch.x[0] - room, left), max(sketch.x[1] + room, right)))
        for line in axes.lines:
            if line.get_marker() == "x":  # where a run diverged: at the edge of the frame, if outside
                line.set_ydata(np.clip(line.get_ydata(), *sketch.y))
        if sketch.curve is not None:
            axes.plot(*sketch.curve, color=GREY, linestyle=DASHES, linewidth=3.5, zorder=1.8, label="your sketch",
                      dash_capstyle="butt")
        axes.legend(loc="best")
    picture.alt += ", with your sketch if you drew one"
    return picture


def _is_pair(measured):
    return (isinstance(measured, tuple | list) and len(measured) == 2
            and not any(isinstance(part, History) for part in measured))


def _of_runs(sketch, measured, column):
    arms = dict(measured) if isinstance(measured, Mapping) else {"measured": measured}
    for label, given in arms.items():
        for history in [given] if isinstance(given, History) else given:
            if not isinstance(history, History):
                raise TypeError("reveal() takes Histories or a pair (x, y) of arrays, "
                                f"got {history!r:.60} as {label!r}")
    return plot.runs(arms, column, top=sketch.y[1])


def _of_curve(sketch, measured):
    x, y = (np.asarray(values, dtype=float) for values in measured)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"reveal() takes two arrays of the same length, got shapes {x.shape} and {y.shape}")
    picture = Picture(f"{sketch.spec['ylabel']} against {sketch.spec['xlabel']}", width=5.4, height=3.1)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        shown = np.isfinite(y)
        axes.plot(x[shown], y[shown], color=COLOURS[0], label="measured")
        axes.set_title(sketch.spec["ylabel"])
    return picture
