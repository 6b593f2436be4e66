"""Exercise: clip the gradients of all tensors together by their common L2 norm, in place."""

import math

from torch import Tensor

from gradlab.clip import global_norm
from gradlab.exercises.clip_by_global_norm.mistakes import WRONG
from gradlab.exercises.clip_by_global_norm.situations import SITUATIONS
from gradlab.exercises.exercise import Exercise
from gradlab.exercises.trial import Trial
from gradlab.pitfalls.pitfall import written

TASK = """
Scale all gradients by one and the same factor, so that their common L2 norm is at most `max_norm`.

- `grads` is a list of tensors. Edit them in place; return the norm they had **before**, as a number
- gradients within the limit stay as they are
- a `max_norm` that is not above 0 raises `ValueError`; `inf` only measures
- if the norm is infinite or NaN, change nothing and return it: the caller will leave the step out
- gradients may be float16 or bfloat16; the norm must be right for these, too
"""


def clip_by_global_norm_(grads: list[Tensor], max_norm: float) -> float:
    if not max_norm > 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}")
    norm = math.sqrt(sum(grad.double().pow(2).sum().item() for grad in grads))
    if math.isfinite(norm) and norm > max_norm:
        for grad in grads:
            grad.mul_(max_norm / norm)
    return norm


def unexplained(mine: Trial, right: Trial) -> str:
    if "raised" in right.result or "raised" in mine.result:
        return ""
    should, got = (global_norm(trial.facts["after"]) for trial in (right, mine))
    return (f"With {mine.fixture.words} the gradients should end with norm {written(should)} and ended with norm "
            f"{written(got)}; the norm to return is {written(right.result['norm'])}, and you returned "
            f"{written(mine.result['norm'])}")


EXERCISE = Exercise(
    name="clip-by-global-norm",
    title="Clip by the global norm",
    minutes=10,
    difficulty=2,
    lab="01_clipping",
    task=TASK,
    signature="def clip_by_global_norm_(grads, max_norm) -> float",
    right=clip_by_global_norm_,
    wrong=WRONG,
    fixtures=SITUATIONS,
    unexplained=unexplained,
    hints=(
        "There is one norm, over all entries of all tensors, and one factor. Which gradients may the factor touch, and "
        "which may it not? What becomes of a square in float16?",
        "Refuse the limit first. Sum the squares of every tensor in float64 (`grad.double()`) and take one root. Only "
        "where the norm is finite and over the limit, multiply each tensor in place (`mul_`) by `max_norm / norm`.",
    ),
)
