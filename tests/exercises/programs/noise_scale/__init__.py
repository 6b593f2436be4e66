"""Answers to "noise-scale"."""

from programs.noise_scale import written_again, written_first  # noqa: F401
