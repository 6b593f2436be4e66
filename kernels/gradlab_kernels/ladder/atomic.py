"""Rung 0: one thread and one atomic addition for each element."""

from numba import cuda, float64


def one_each(values, total):
    """Add the square of each of the `values` to `total[0]`."""
    i = cuda.grid(1)
    if i < values.size:  # the last block has threads to spare
        x = float64(values[i])
        cuda.atomic.add(total, 0, x * x)
