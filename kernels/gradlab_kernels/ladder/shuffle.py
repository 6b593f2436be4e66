"""Rung 2: the tree in registers. The 32 threads of a warp hand each other their numbers without any memory."""

from numba import cuda, float64

EVERYONE = 0xFFFFFFFF  # a bit for each lane of a warp


@cuda.jit(device=True)
def warp_sum(value):
    """The sum of `value` over the warp, in lane 0."""
    step = 16
    while step > 0:
        value += cuda.shfl_down_sync(EVERYONE, value, step)
        step //= 2
    return value


@cuda.jit(device=True)
def block_sum(value, sums):
    """The sum of `value` over the block, in thread 0. `sums`: shared memory for a number a warp."""
    value = warp_sum(value)
    lane, warp = cuda.threadIdx.x & 31, cuda.threadIdx.x >> 5
    if lane == 0:
        sums[warp] = value
    cuda.syncthreads()  # the only one
    total = float64(0)
    if warp == 0:
        if lane < cuda.blockDim.x >> 5:
            total = sums[lane]
        total = warp_sum(total)
    return total


def shuffle(values, total):
    """One element a thread, as before."""
    sums = cuda.shared.array(32, float64)
    i = cuda.grid(1)
    x = float64(0)
    if i < values.size:
        x = float64(values[i])
    mine = block_sum(x * x, sums)
    if cuda.threadIdx.x == 0:
        cuda.atomic.add(total, 0, mine)
