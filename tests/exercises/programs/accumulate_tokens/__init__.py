"""Answers to accumulate-tokens, right and wrong."""

from programs.accumulate_tokens import right as right
from programs.accumulate_tokens import unnamed as unnamed
from programs.accumulate_tokens import wrong as wrong
