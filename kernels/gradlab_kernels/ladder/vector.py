"""Rung 4: four elements in one load of 128 bits."""

from numba import cuda, float64, int64

from ..cuda.instructions import ld_f32, ld_f32x4
from .shuffle import block_sum


def vector(address, count, total):
    """The same with addresses in place of an array, for that is what a load of 128 bits takes. They must be multiples
    of 16."""
    sums = cuda.shared.array(32, float64)
    mine = float64(0)
    i = int64(cuda.grid(1))
    while 4 * i + 4 <= count:
        a, b, c, d = ld_f32x4(address + 16 * i)
        mine += float64(a) * float64(a) + float64(b) * float64(b)
        mine += float64(c) * float64(c) + float64(d) * float64(d)
        i += cuda.gridsize(1)
    i = int64(cuda.grid(1)) + 4 * (count // 4)  # at most three are left
    if i < count:
        x = float64(ld_f32(address + 4 * i))
        mine += x * x
    mine = block_sum(mine, sums)
    if cuda.threadIdx.x == 0:
        cuda.atomic.add(total, 0, mine)
