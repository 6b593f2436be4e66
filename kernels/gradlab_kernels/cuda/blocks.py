"""Sums over the threads of a warp and of a block."""

from numba import cuda, float64

from .instructions import SIMULATED

THREADS = 64 if SIMULATED else 256  # a block; the simulator starts a thread of the operating system for each
WARPS = THREADS // 32
EVERY_LANE = 0xFFFFFFFF


@cuda.jit(device=True)
def warp_sum(value):
    """The sum of `value` over the warp, in lane 0."""
    step = 16
    while step > 0:
        value += cuda.shfl_down_sync(EVERY_LANE, value, step)
        step //= 2
    return value


@cuda.jit(device=True)
def block_sum(value, shared):
    """The sum of `value` over the block, in thread 0. All threads must come.

    `shared` holds WARPS float64. The kernel allocates it: a device function that owns shared memory and is reached in
    two ways does not link.
    """
    value = warp_sum(value)
    lane, warp = cuda.threadIdx.x & 31, cuda.threadIdx.x >> 5
    if lane == 0:
        shared[warp] = value
    cuda.syncthreads()
    total = float64(0)
    if warp == 0:
        if lane < WARPS:
            total = shared[lane]
        total = warp_sum(total)
    cuda.syncthreads()  # or the next sum would write into this one
    return total
