"""Answers to "block-sum"."""

import numpy as np
from numba import cuda, float32, float64, int32

from programs import right, unnamed, wrong

NAME = "block-sum"
ROOM = 64


@right(NAME)
def in_halves(values, sums):
    s = cuda.shared.array(ROOM, dtype=float64)
    t = cuda.threadIdx.x
    i = cuda.blockIdx.x * cuda.blockDim.x + t
    s[t] = float64(values[i]) ** 2 if i < len(values) else 0.0
    cuda.syncthreads()
    h = cuda.blockDim.x >> 1
    while h:
        if t < h:
            s[t] = s[t] + s[t + h]
        h >>= 1
        cuda.syncthreads()
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@right(NAME)
def neighbours_first(values, sums):
    s = cuda.shared.array((ROOM,), np.float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = 0
    if i < values.shape[0]:
        s[t] = float(values[i]) * float(values[i])
    apart = 1
    while apart < cuda.blockDim.x:
        cuda.syncthreads()
        if t % (2 * apart) == 0:
            s[t] += s[t + apart]
        apart *= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@right(NAME)
def two_arrays(values, sums):
    here = cuda.shared.array(ROOM, float64)
    there = cuda.shared.array(ROOM, float64)
    t, width = cuda.threadIdx.x, cuda.blockDim.x
    x = float64(values[cuda.grid(1)]) if cuda.grid(1) < values.size else float64(0)
    here[t] = x * x
    cuda.syncthreads()
    while width > 1:
        width //= 2
        if t < width:
            there[t] = here[t] + here[t + width]
        cuda.syncthreads()
        here, there = there, here
    if t == 0:
        sums[cuda.blockIdx.x] = here[0]


@cuda.jit(device=True)
def lane_sum(x):
    for step in (16, 8, 4, 2, 1):
        x += cuda.shfl_down_sync(0xFFFFFFFF, x, step)
    return x


@right(NAME)
def by_warps(values, sums):
    of_warps = cuda.shared.array(2, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    x = float64(values[i]) if i < values.size else float64(0)
    x = lane_sum(x * x)
    if t % 32 == 0:
        of_warps[t // 32] = x
    cuda.syncthreads()
    if t == 0:
        sums[cuda.blockIdx.x] = of_warps[0] + (of_warps[1] if cuda.blockDim.x == 64 else 0)


@right(NAME)
def one_thread_adds(values, sums):
    s = cuda.shared.array(ROOM, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = values[i] if i < values.size else 0
    cuda.syncthreads()
    if t:
        return
    total = float64(0)
    for k in range(cuda.blockDim.x):
        total += float64(s[k]) * float64(s[k])
    sums[cuda.blockIdx.x] = total


@right(NAME)
def atomics_in_shared_memory(values, sums):
    total = cuda.shared.array(1, float64)
    if cuda.threadIdx.x == 0:
        total[0] = 0
    cuda.syncthreads()
    if cuda.grid(1) < values.size:
        cuda.atomic.add(total, 0, float64(values[cuda.grid(1)]) ** 2)
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        sums[cuda.blockIdx.x] = total[0]


@wrong(NAME, "missing-barrier")
def no_barrier_before_the_tree(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    h = cuda.blockDim.x // 2
    while h > 0:
        if t < h:
            s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@wrong(NAME, "missing-barrier")
def no_barrier_in_the_loop(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 0:
        if t < h:
            s[t] += s[t + h]
        h //= 2
    cuda.syncthreads()
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@wrong(NAME, "missing-barrier")
def reads_at_once(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    if t == cuda.blockDim.x - 1:
        total = float64(0)
        for k in range(cuda.blockDim.x):
            total += s[k]
        sums[cuda.blockIdx.x] = total


@wrong(NAME, "missing-barrier")
def everybody_adds_to_one_place(values, sums):
    s = cuda.shared.array(1, float64)
    s[0] = 0
    cuda.syncthreads()
    if cuda.grid(1) < values.size:
        s[0] += float64(values[cuda.grid(1)]) ** 2
    cuda.syncthreads()
    sums[cuda.blockIdx.x] = s[0]


@wrong(NAME, "barrier-not-reached")
def threads_without_work_leave(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    if i >= values.size:
        return
    s[t] = float64(values[i]) ** 2
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 0:
        if t < h and i + h < values.size:
            s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@wrong(NAME, "barrier-not-reached", "")
def barrier_for_those_who_add(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 0 and t < h:
        s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@wrong(NAME, "block-race")
def all_into_the_first_place(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 0:
        if t < h:
            s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[0] = s[0]


@wrong(NAME, "block-race")
def place_by_the_thread(values, sums):
    if cuda.threadIdx.x == 0:
        total = float64(0)
        for i in range(cuda.grid(1), min(values.size, cuda.grid(1) + cuda.blockDim.x)):
            total += float64(values[i]) ** 2
        sums[cuda.threadIdx.x] = total


@wrong(NAME, "reading-past-end")
def no_thought_of_the_last_block(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t = cuda.threadIdx.x
    x = float64(values[cuda.grid(1)])
    s[t] = x * x
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 0:
        if t < h:
            s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@wrong(NAME, "reading-past-end")
def one_too_many(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i <= values.size else 0.0
    cuda.syncthreads()
    if t == 0:
        total = float64(0)
        for k in range(cuda.blockDim.x):
            total += s[k]
        sums[cuda.blockIdx.x] = total


@wrong(NAME, "reading-past-end")
def partners_beyond_the_array(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    cuda.syncthreads()
    h = ROOM
    while h > 0:
        s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@wrong(NAME, "wrong-tail", "")
def stops_one_round_early(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 1:
        if t < h:
            s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@wrong(NAME, "wrong-tail", "")
def only_whole_blocks(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    whole = values.size // cuda.blockDim.x * cuda.blockDim.x
    s[t] = float64(values[i]) ** 2 if i < whole else 0.0
    cuda.syncthreads()
    if t == 0:
        total = float64(0)
        for k in range(cuda.blockDim.x):
            total += s[k]
        sums[cuda.blockIdx.x] = total


@wrong(NAME, "wrong-tail", "twice")
def first_one_twice(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    cuda.syncthreads()
    if t == 0:
        total = s[0]
        for k in range(cuda.blockDim.x):
            total += s[k]
        sums[cuda.blockIdx.x] = total


@wrong(NAME, "wrong-tail", "unwritten")
def nothing_where_there_is_no_element(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    if i < values.size:
        s[t] = float64(values[i]) ** 2
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 0:
        if t < h:
            s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@unnamed(NAME, "the sum of the elements")
def no_squares(values, sums):
    s = cuda.shared.array(ROOM, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) if i < values.size else 0.0
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 0:
        if t < h:
            s[t] += s[t + h]
        cuda.syncthreads()
        h //= 2
    if t == 0:
        sums[cuda.blockIdx.x] = s[0]


@unnamed(NAME, "before anything was written")
def adds_to_what_is_there(values, sums):
    if cuda.grid(1) < values.size:
        cuda.atomic.add(sums, cuda.blockIdx.x, float64(values[cuda.grid(1)]) ** 2)


@unnamed(NAME, "ended after")
def halves_for_ever(values, sums):
    t, h = cuda.threadIdx.x, int32(cuda.blockDim.x)
    while h >= 0:
        cuda.syncthreads()
        h //= 2
    sums[t] = 0


@unnamed(NAME, "AttributeError")
def whole_arrays(values, sums):
    sums[cuda.blockIdx.x] = values.sum()


@unnamed(NAME, "which is only to be read")
def squares_in_place(values, sums):
    i = cuda.grid(1)
    if i < values.size:
        values[i] *= values[i]
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        total = float64(0)
        for k in range(i, min(values.size, i + cuda.blockDim.x)):
            total += values[k]
        sums[cuda.blockIdx.x] = total


@unnamed(NAME, "in each block one thread has added alone")
def thread_0_does_it_all(values, sums):
    if cuda.threadIdx.x == 0:
        total = float64(0)
        for k in range(cuda.grid(1), min(values.size, cuda.grid(1) + cuda.blockDim.x)):
            total += float64(values[k]) ** 2
        sums[cuda.blockIdx.x] = total


@unnamed(NAME, "belongs to one thread alone")
def an_array_of_its_own(values, sums):
    s = cuda.local.array(64, float64)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    cuda.syncthreads()
    if t == 0:
        sums[cuda.blockIdx.x] = sum(s[k] for k in range(cuda.blockDim.x))


@unnamed(NAME, "belongs to one thread alone")
def a_list(values, sums):
    s = [0.0] * 64
    t, i = cuda.threadIdx.x, cuda.grid(1)
    s[t] = float64(values[i]) ** 2 if i < values.size else 0.0
    cuda.syncthreads()
    if t == 0:
        sums[cuda.blockIdx.x] = sum(s)
