"""Exercises: a learner writes a few lines, `check` runs them and names the mistake.

    exercise = exercises.get("clip-by-global-norm")
    exercise.check(clip_by_global_norm_)
"""

import difflib
import importlib

import torch

from gradlab.exercises.exercise import Exercise as Exercise
from gradlab.exercises.verdict import Verdict as Verdict

# In the order of the course. A module is loaded when its exercise is asked for.
_MODULES = {
    "clip-by-global-norm": "clip_by_global_norm",
    "training-step": "training_step",
    "choose-max-norm": "choose_max_norm",
    "warmup": "warmup",
    "cosine-after-warmup": "cosine_after_warmup",
    "scheduler-step": "scheduler_step",
    "accumulate-tokens": "accumulate_tokens",
    "leftover-window": "leftover_window",
    "noise-scale": "noise_scale",
    "loss-scale": "loss_scale",
    "amp-step": "amp_step",
    "half-norm": "half_norm",
    "init-gain": "init_gain",
    "layer-norms": "layer_norms",
    "skip-nonfinite": "skip_nonfinite",
    "block-sum": "kernels.block_sum",
    "grid-norm": "kernels.grid_norm",
    "clip-kernel": "kernels.clip_kernel",
}


def names() -> tuple[str, ...]:
    """The names of all exercises, in the order of the course."""
    return tuple(_MODULES)


def get(name: str) -> Exercise:
    """The exercise of that name.

    Errors: KeyError for an unknown name, with those that are close to it.
    """
    if name not in _MODULES:
        close = difflib.get_close_matches(str(name), _MODULES, cutoff=0.4) or list(_MODULES)
        raise KeyError(f"there is no exercise {name!r}; did you mean {' or '.join(map(repr, close))}?")
    with torch.random.fork_rng(devices=[]):  # its situations may draw random numbers, and they are the caller's
        return importlib.import_module(f"{__name__}.{_MODULES[name]}").EXERCISE
