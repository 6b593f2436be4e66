"""Number: a prediction of one number."""

from __future__ import annotations

import math
from numbers import Real

from .card import Card, number_card
from .options import checked_text
from .prediction import Prediction
from .prose import paragraph, words


class Number(Prediction):
    """A prediction of a number between `low` and `high`, in `unit`."""

    def __init__(self, question, between, unit=""):
        question, unit = checked_text(question, "the question"), checked_text(unit, "unit", empty=True)
        self.low, self.high = checked_range(between, "between")
        self.unit = unit
        super().__init__({"kind": "number", "question": question, "low": self.low, "high": self.high, "unit": unit})

    def _read(self, answer):
        if isinstance(answer, bool) or not isinstance(answer, Real):
            raise TypeError(f"commit() takes a number, got {answer!r:.60}")
        if not self.low <= answer <= self.high:  # false for a NaN
            raise ValueError(f"a number from {self.low:g} to {self.high:g} is asked for, got {float(answer):g}")
        return float(answer)

    def _said(self, answer):
        return " ".join(filter(None, [f"{answer:g}", self.unit]))

    def reveal(self, measured: float, shown: str, because: str = "") -> Card:
        """The prediction laid over what was measured, and how far off it was.

        `shown` is what is printed for `measured`, as "about 0.5": the measured digits differ between machines, and a
        stored notebook must not. Nothing can be committed afterwards.
        """
        try:
            measured = float(measured)
        except (TypeError, ValueError):
            raise TypeError(f"reveal() takes the measured number first, got {measured!r:.60}") from None
        shown, because = checked_text(shown, "shown"), checked_text(because, "because", empty=True)
        if self.unit and not shown.endswith(self.unit):
            shown = f"{shown} {self.unit}"
        answer = self._reveal(shown)
        return number_card((self.low, self.high), self.unit, answer, measured, shown, because)

    def _span(self):
        return " ".join(filter(None, [f"from {self.low:g} to {self.high:g}", self.unit]))

    def _lines(self):
        return [f"Predict. {self.spec['question']}", f"  A number {self._span()}."]

    def _html(self):
        return f"<div>{paragraph('Predict', self.spec['question'])}<p>A number {words(self._span())}.</p></div>"


def checked_range(given: object, name: str) -> tuple[float, float]:
    """A pair of finite numbers, the smaller one first. Raises TypeError if it is no pair, ValueError if it is empty."""
    try:
        low, high = given
        low, high = float(low), float(high)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a pair of numbers (lo, hi), got {given!r:.60}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{name}=({low:g}, {high:g}) holds nothing; give finite numbers with lo < hi")
    return low, high
