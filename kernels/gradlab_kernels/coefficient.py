"""The decision: what gradients of a given norm are multiplied by."""

import math
from typing import NamedTuple

from torch import Tensor

EPS = 1e-6  # torch's


class Coefficient(NamedTuple):
    """A norm and what follows from it, each a number without dimensions.

    - `norm`: before clipping
    - `coefficient`: min(1, max_norm / (norm + eps)); NaN where the norm is
    - `grad_scale`: 1 / coefficient, as fused optimizers take it: they divide the gradients by it
    - `found_inf`: 1 where the norm is not finite, else 0, as fused optimizers take it: they skip the step
    """

    norm: float | Tensor
    coefficient: float | Tensor
    grad_scale: float | Tensor
    found_inf: float | Tensor


def decide(norm: float, max_norm: float, eps: float) -> Coefficient:
    """The coefficient for a norm that the host knows. With max_norm = inf nothing is clipped, whatever the norm."""
    if max_norm == math.inf:
        coefficient = 1.0
    else:
        quotient = max_norm / (norm + eps) if norm + eps else math.inf
        coefficient = 1.0 if quotient >= 1 else quotient  # a NaN is not: it stays, and reaches every gradient
    return Coefficient(norm, coefficient, 1 / coefficient if coefficient else math.inf, float(not math.isfinite(norm)))
