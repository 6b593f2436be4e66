"""What most libraries do after the norm: multiply, whatever the factor is."""

from numba import cuda


def always(values, coefficient):
    """Multiply each of the `values` by `coefficient[0]`, 1 included."""
    factor = coefficient[0]
    i = cuda.grid(1)
    while i < values.size:
        values[i] *= factor
        i += cuda.gridsize(1)
