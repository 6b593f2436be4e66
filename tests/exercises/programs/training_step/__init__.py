"""Answers to training-step: right ones, and wrong ones by what is wrong with them."""

from programs.training_step import accumulation as accumulation
from programs.training_step import clip_of_gradients as clip_of_gradients
from programs.training_step import clipping as clipping
from programs.training_step import mixed_precision as mixed_precision
from programs.training_step import norms as norms
from programs.training_step import order as order
from programs.training_step import right as right
from programs.training_step import right_clips as right_clips
from programs.training_step import unnamed as unnamed
