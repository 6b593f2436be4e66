"""Answers to "leftover-window"."""

from programs.leftover_window import clips, right, sums, unnamed  # noqa: F401
