"""Rung 5: many tensors in one launch. A table says where each one lies; blocks walk over pieces of equal size."""

from numba import cuda, float64

from ..cuda.instructions import ld_f32
from .shuffle import block_sum

PIECE = 1024  # elements


def lists(addresses, counts, owners, starts, total):
    """Piece k belongs to the tensor `owners[k]` and begins at its element `starts[k]`."""
    sums = cuda.shared.array(32, float64)
    mine = float64(0)
    piece = cuda.blockIdx.x
    while piece < owners.size:
        tensor, start = owners[piece], starts[piece]
        base, end = addresses[tensor], min(start + PIECE, counts[tensor])
        i = start + cuda.threadIdx.x
        while i < end:
            x = float64(ld_f32(base + 4 * i))
            mine += x * x
            i += cuda.blockDim.x
        piece += cuda.gridDim.x
    mine = block_sum(mine, sums)
    if cuda.threadIdx.x == 0:
        cuda.atomic.add(total, 0, mine)
