"""The panel's colours: the same ones in its picture (still.py) and, by way of `spec`, on its page."""

from __future__ import annotations

from gradlab.plot import COLOURS

BLUE, VERMILLION, GREEN, PURPLE = COLOURS[:4]
BY_NAME = {"blue": BLUE, "vermillion": VERMILLION, "green": GREEN, "purple": PURPLE}

# Of pinned runs, oldest first. A number at the end of each curve tells them apart; the tint only helps.
TINTS = ("#8A8A8A", "#C9962E", "#7F76B8", "#4BA3A3", "#9C7B5B", "#A9A93A")
