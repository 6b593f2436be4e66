"""Answers to "cosine-after-warmup"."""

from programs.cosine_after_warmup import right, unnamed, wrong  # noqa: F401
