"""Sketch: a prediction that is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gradlab.history import History
from gradlab.plot import Picture

from .number import checked_range
from .options import checked_text
from .overlay import lay_over
from .prediction import Prediction
from .prose import paragraph, words

POINTS = 16  # that the page offers: as many as a hand sets with the arrow keys in half a minute


class Sketch(Prediction):
    """A prediction of a curve in the frame of `x` and `y`, as straight lines between points."""

    def __init__(self, question, x, y, xlabel="step", ylabel="loss", log=False):
        question = checked_text(question, "the question")
        xlabel, ylabel = checked_text(xlabel, "xlabel"), checked_text(ylabel, "ylabel")
        self.x, self.y = checked_range(x, "x"), checked_range(y, "y")
        if log and self.y[0] <= 0:
            raise ValueError(f"y=({self.y[0]:g}, {self.y[1]:g}): a logarithmic axis begins above 0")
        points = np.linspace(*self.x, POINTS).round(12).tolist()
        super().__init__({"kind": "sketch", "question": question, "points": points, "y": list(self.y),
                          "xlabel": xlabel, "ylabel": ylabel, "log": bool(log)})

    def _read(self, answer):
        try:
            x, y = (np.asarray(values, dtype=float) for values in answer)
        except (TypeError, ValueError):
            raise TypeError(f"commit() takes a curve as a pair of arrays (x, y), got {answer!r:.60}") from None
        if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
            raise ValueError("a curve is two arrays of the same length, of 2 points at least, got shapes "
                             f"{x.shape} and {y.shape}")
        for values, (low, high), name in ((x, self.x, "x"), (y, self.y, "y")):
            outside = values[~((values >= low) & (values <= high))]  # a NaN is outside as well
            if len(outside):
                raise ValueError(f"the sketch's {name} goes from {low:g} to {high:g}, got {outside[0]:g}")
        if not (np.diff(x) > 0).all():
            raise ValueError("the x of a curve must ascend")
        return [x.tolist(), y.tolist()]

    def _value(self, answer):
        x, y = answer
        return np.array(x), np.array(y)

    def _said(self, answer):
        return f"a curve of {len(answer[0])} points"

    @property
    def curve(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The committed points, as arrays (x, y), or None."""
        return self.answer

    def reveal(self, measured: History | Sequence | Mapping, column: str = "loss") -> Picture:
        """A picture of what was measured with the sketch laid over it, a thick grey dashed line.

        `measured` is a History, several of them, a mapping from labels to either, or one pair (x, y) of arrays;
        `column` is the column of `Step` that histories are drawn by. Nothing can be committed afterwards.
        """
        picture = lay_over(self, measured, column)
        self._reveal()
        return picture

    def _frame(self):
        return (f"Draw the {self.spec['ylabel']}, from {self.y[0]:g} to {self.y[1]:g}, "
                f"against the {self.spec['xlabel']}, from {self.x[0]:g} to {self.x[1]:g}.")

    def _lines(self):
        return [f"Predict. {self.spec['question']}", f"  {self._frame()}"]

    def _html(self):
        return f"<div>{paragraph('Predict', self.spec['question'])}<p>{words(self._frame())}</p></div>"
