"""Rung 1: a tree of additions in shared memory, and one atomic for each block."""

from numba import cuda, float64

MOST = 1024  # threads a block can have: the size of shared memory is fixed when the kernel is compiled


def tree(values, total):
    """Each block adds its squares in halves: 32 and 32, then 16 and 16, until one number is left."""
    sums = cuda.shared.array(MOST, float64)
    thread, i = cuda.threadIdx.x, cuda.grid(1)
    x = float64(0)
    if i < values.size:
        x = float64(values[i])
    sums[thread] = x * x
    cuda.syncthreads()  # all have written before anybody reads a neighbour's
    half = cuda.blockDim.x // 2
    while half > 0:
        if thread < half:
            sums[thread] += sums[thread + half]
        cuda.syncthreads()  # for every thread, also for those with nothing to add
        half //= 2
    if thread == 0:
        cuda.atomic.add(total, 0, sums[0])
