"""Answers to "scheduler-step"."""

from programs.scheduler_step import clips, clock, right, sums, unnamed  # noqa: F401
