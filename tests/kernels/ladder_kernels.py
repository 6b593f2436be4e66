"""Kernels to watch: right ones, and each kind of mistake on its own."""

import pytest

pytest.importorskip("numba")

from numba import cuda, float64, int32  # noqa: E402

EVERYONE = 0xFFFFFFFF


def tree(values, sums, without):
    """The classic tree, with the barrier of number `without` left out; the first has number 0."""
    shared = cuda.shared.array(64, float64)
    thread, i = cuda.threadIdx.x, cuda.grid(1)
    shared[thread] = float64(values[i]) ** 2 if i < values.size else float64(0)
    barrier, half = 0, cuda.blockDim.x // 2
    if barrier != without:
        cuda.syncthreads()
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        barrier += 1
        if barrier != without:
            cuda.syncthreads()
        half //= 2
    if thread == 0:
        sums[cuda.blockIdx.x] = shared[0]


def handing_over(values, sums, by_warp):
    """Each thread reads what its neighbour has written, with a meeting of the warp or without."""
    shared = cuda.shared.array(32, float64)
    thread = cuda.threadIdx.x
    shared[thread] = float64(values[thread])
    if by_warp:
        cuda.syncwarp()
    sums[thread] = shared[thread ^ 1]


def shuffling_only(values, sums):
    """A shuffle exchanges registers and brings nobody's memory up to date."""
    shared = cuda.shared.array(32, float64)
    thread = cuda.threadIdx.x
    shared[thread] = float64(values[thread])
    cuda.shfl_xor_sync(EVERYONE, shared[thread], 1)
    sums[thread] = shared[thread ^ 1]


def zeroed_by_all(values, sums):
    """All write the same value to one place, which is no harm."""
    shared = cuda.shared.array(1, float64)
    shared[0] = 0
    cuda.syncthreads()
    cuda.atomic.add(shared, 0, float64(values[cuda.threadIdx.x]))
    cuda.syncthreads()
    sums[cuda.threadIdx.x] = shared[0]


def zeroed_beside_atomics(values, sums):
    shared = cuda.shared.array(1, float64)
    if cuda.threadIdx.x == 3:
        shared[0] = 0
    cuda.atomic.add(shared, 0, float64(values[cuda.threadIdx.x]))


def reading_on_while_another_writes(values, sums):
    """The next round's number is written before all have read this round's."""
    shared = cuda.shared.array(1, float64)
    for turn in range(2):
        if cuda.threadIdx.x == cuda.blockDim.x - 1:
            shared[0] = turn
        cuda.syncthreads()
        sums[cuda.threadIdx.x] = shared[0]


def last_block(values, partial, ticket, total, fenced):
    """Each block writes a number; the one with the last ticket adds them."""
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = values[cuda.blockIdx.x]
        if fenced:
            cuda.threadfence()
        if cuda.atomic.add(ticket, 0, 1) == cuda.gridDim.x - 1:
            for block in range(cuda.gridDim.x):
                total[0] += partial[block]
            ticket[0] = 0


def fence_for_the_block(values, partial, ticket, total, met):
    """One thread fences for what all of its block have written, after they have met or before."""
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    shared = cuda.shared.array(1, int32)
    partial[cuda.grid(1)] = values[cuda.grid(1)]
    if met:
        cuda.syncthreads()
    if thread == 0:
        cuda.threadfence()
        shared[0] = cuda.atomic.add(ticket, 0, 1)
    cuda.syncthreads()
    if shared[0] == cuda.gridDim.x - 1 and thread == threads - 1:
        for i in range(cuda.gridsize(1)):
            total[0] += partial[i]


def one_total(values, sums):
    """Blocks that add to one place without an atomic."""
    if cuda.threadIdx.x == 0:
        sums[0] += values[cuda.blockIdx.x]


def index(values, sums, at):
    sums[0] = values[at]


def index_written(values, sums, at):
    sums[at] = values[0]


def early_leavers(values, sums):
    if cuda.grid(1) >= values.size:
        return
    cuda.syncthreads()
    sums[cuda.grid(1)] = values[cuda.grid(1)]


def two_places(values, sums):
    if cuda.threadIdx.x < 3:
        cuda.syncthreads()
    else:
        cuda.syncthreads()


def all_leave_but_one(values, sums):
    cuda.syncthreads()
    if cuda.threadIdx.x:
        return
    sums[0] = values[0]


def lane_missing(values, sums):
    if cuda.threadIdx.x:
        cuda.shfl_down_sync(EVERYONE, values[0], 1)


def meets_for_ever(values, sums):
    while True:
        cuda.syncthreads()


def reads_for_ever(values, sums):
    while True:
        values[0]


def reads_nothing(values, sums):
    shared = cuda.shared.array(8, float64)
    sums[cuda.threadIdx.x] = shared[3]


def numbers(out):
    """What each thread is told of itself and of the others."""
    t = cuda.threadIdx.x
    out[0 * 40 + t] = cuda.shfl_down_sync(EVERYONE, t, 1)
    out[1 * 40 + t] = cuda.shfl_up_sync(EVERYONE, t, 2)
    out[2 * 40 + t] = cuda.shfl_sync(EVERYONE, t, 5) if t < 32 else -1
    out[3 * 40 + t] = cuda.syncthreads_count(t < 7)
    out[4 * 40 + t] = cuda.ballot_sync(EVERYONE, t % 2)
    out[5 * 40 + t] = cuda.laneid
    out[6 * 40 + t] = cuda.syncthreads_or(t == 39) + 10 * cuda.syncthreads_and(t < 39)


def says(out):
    print("thread", cuda.threadIdx.x)
    cuda.syncthreads()
    cuda.syncthreads()
    out[0] = 1
