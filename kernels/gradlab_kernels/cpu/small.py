"""Small sets, clipped in one compiled call: looked at, measured, decided upon and scaled.

A lab's model is measured in the time of a few Python statements, so each statement counts. Here is what the engine does
step by step, in the same order and to the same bits; whatever is not small, finite and on the processor is left to it.
"""

import numpy as np
from numba import carray

from ..intrinsics import i64_pointer
from ..layout import DEVICE, DEVICES
from . import kept
from .engine import as_tensor, tell_autograd
from .passes import THREADS_FROM, norm_of, scale_all, sum_each
from .table import MOVED, SHARED, exchange_function, read

__all__ = ["MOVED", "SHARED", "as_tensor", "clip_", "exchange_function", "read", "tell_autograd"]

_PROCESSOR = DEVICES["cpu"]


@kept(error_model="numpy")
def clip_(function, owners, gradient, plain, table, rows, tensors, max_norm, eps, exact, hold):
    """(whether it is done, whether any gradient is float64, norm, coefficient).

    As `table.read`, but `table` is an address too, and `rows` is how many the table has. `max_norm`, `eps`: see
    `coefficient.decide`. `hold`: leave the gradients alone if their norm is not finite.
    """
    table = carray(i64_pointer(table), (rows, 4))
    found, rows, elements, wide = read(function, owners, gradient, plain, table, tensors)
    if found > MOVED or rows == 0 or elements >= THREADS_FROM or table[0, DEVICE] != _PROCESSOR:
        return False, False, 0.0, 0.0
    table = table[:rows]
    sums = np.empty(rows)
    sum_each(table, sums, exact)
    norm, extreme = norm_of(table, sums)
    if extreme:
        return False, False, 0.0, 0.0
    coefficient = 1.0
    if max_norm < np.inf and not (hold and not np.isfinite(norm)):
        coefficient = max_norm / (norm + eps)
        if coefficient >= 1:  # a NaN is not: it stays, and reaches every gradient
            coefficient = 1.0
        else:
            scale_all(table, coefficient)
    return True, wide, norm, coefficient
