"""Pins: the runs that a panel keeps to compare with."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from gradlab.history import History

MAX_PINS = 6


class Pin(NamedTuple):
    """A kept run. `id` names it on the page, where two runs may be alike in all but one letter of their labels."""

    id: int
    label: str
    history: History


class Pins:
    """At most `MAX_PINS` runs, oldest first, no two with the same label or the same steps.

    Iterating gives each `Pin`. Not thread-safe: the panel's lock guards it.
    """

    def __init__(self):
        self._kept = []
        self._ids = itertools.count(1)  # never used twice: a click on a pin that is gone must not remove another

    def __iter__(self):
        return iter(self._kept)

    def add(self, label: str, history: History) -> str:
        """Keep a run, under `label` or `label (2)`, and say what else happened; '' if nothing did."""
        if any(pin.history is history or pin.history.steps == history.steps for pin in self._kept):
            return "this run is pinned already"
        self._kept.append(Pin(next(self._ids), self._free(label), history))
        if len(self._kept) <= MAX_PINS:
            return ""
        oldest = self._kept.pop(0)
        return f"{MAX_PINS} pinned runs at most: the oldest, “{oldest.label}”, made room"

    def remove(self, label: str):
        """Let one run go; an unknown label changes nothing."""
        self._kept = [pin for pin in self._kept if pin.label != label]

    def clear(self):
        """Let all runs go."""
        self._kept = []

    def label(self, id) -> str:
        """The label of the pin with this id; '' if there is none."""
        return next((pin.label for pin in self._kept if pin.id == id), "")

    def histories(self) -> dict[str, History]:
        """The runs by label."""
        return {pin.label: pin.history for pin in self._kept}

    def _free(self, label):
        taken = {pin.label for pin in self._kept}
        names = itertools.chain([label], (f"{label} ({count})" for count in itertools.count(2)))
        return next(name for name in names if name not in taken)
