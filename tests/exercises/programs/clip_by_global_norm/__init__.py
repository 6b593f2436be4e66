"""Answers to clip-by-global-norm, right and wrong."""

from programs.clip_by_global_norm import in_place as in_place
from programs.clip_by_global_norm import limits as limits
from programs.clip_by_global_norm import norms as norms
from programs.clip_by_global_norm import right as right
from programs.clip_by_global_norm import unnamed as unnamed
