"""Answers to "grid-norm"."""

import math

from numba import cuda, float64, int32

from programs import right, unnamed, wrong

NAME = "grid-norm"


@cuda.jit(device=True)
def added(x, room):
    """The sum of x over the block, for thread 0."""
    t = cuda.threadIdx.x
    room[t] = x
    cuda.syncthreads()
    h = cuda.blockDim.x // 2
    while h > 0:
        if t < h:
            room[t] += room[t + h]
        cuda.syncthreads()
        h //= 2
    return room[0]


def share(values):
    x = float64(0)
    for i in range(cuda.grid(1), values.size, cuda.gridsize(1)):
        x += float64(values[i]) ** 2
    return x


def is_last(ticket):
    cuda.threadfence()
    return cuda.atomic.add(ticket, 0, 1) == cuda.gridDim.x - 1


@right(NAME)
def with_helpers(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            total = float64(0)
            for b in range(partial.size):
                total += partial[b]
            norm[0] = math.sqrt(total)
            ticket[0] = 0


@right(NAME)
def the_whole_last_block_adds(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    last = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    mine = added(share(values), room)
    if t == 0:
        partial[cuda.blockIdx.x] = mine
        cuda.threadfence()
        last[0] = cuda.atomic.inc(ticket, 0, cuda.gridDim.x - 1)  # which puts itself back
    cuda.syncthreads()
    if last[0] == cuda.gridDim.x - 1:
        x = float64(0)
        for b in range(t, cuda.gridDim.x, cuda.blockDim.x):
            x += partial[b]
        x = added(x, room)
        if t == 0:
            norm[0] = math.sqrt(x)


@right(NAME)
def by_shuffles(values, partial, ticket, norm):
    x = float64(0)
    i = cuda.grid(1)
    while i < values.size:
        x += float64(values[i]) * float64(values[i])
        i += cuda.gridsize(1)
    step = 16
    while step:
        x += cuda.shfl_xor_sync(0xFFFFFFFF, x, step)
        step //= 2
    if cuda.threadIdx.x != 0:
        return
    partial[cuda.blockIdx.x] = x
    cuda.threadfence()
    if cuda.atomic.add(ticket, 0, 1) < cuda.gridDim.x - 1:
        return
    norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
    cuda.atomic.exch(ticket, 0, 0)


@right(NAME)
def everybody_fences(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    size = values.shape[0]
    each = (size + cuda.gridDim.x - 1) // cuda.gridDim.x  # a block takes neighbours
    x = float64(0)
    start = each * cuda.blockIdx.x
    for i in range(start + cuda.threadIdx.x, min(start + each, size), cuda.blockDim.x):
        x += float64(values[i]) ** 2
    x = added(x, room)
    if cuda.threadIdx.x == 5:
        partial[cuda.blockIdx.x] = room[0]
    cuda.threadfence()
    cuda.syncthreads()
    if cuda.threadIdx.x == 7 and cuda.atomic.add(ticket, 0, 1) == cuda.gridDim.x - 1:
        total = float64(0)
        for b in range(cuda.gridDim.x):
            total += partial[b]
        norm[0] = total**0.5
        ticket[0] = 0


@wrong(NAME, "forgotten-root")
def no_root(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = sum(partial[b] for b in range(cuda.gridDim.x))
            ticket[0] = 0


@wrong(NAME, "forgotten-root")
def adds_straight_into_the_norm(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = 0
            for b in range(cuda.gridDim.x):
                norm[0] += partial[b]
            ticket[0] = 0


@wrong(NAME, "block-local-norm", "each-block")
def each_block_writes_the_norm(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        norm[0] = math.sqrt(mine)


@wrong(NAME, "block-local-norm", "")
def the_last_block_takes_its_own(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(mine)
            ticket[0] = 0


@wrong(NAME, "block-local-norm", "sum-of-norms")
def a_root_in_each_block(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = math.sqrt(mine)
        if is_last(ticket):
            norm[0] = sum(partial[b] for b in range(cuda.gridDim.x))
            ticket[0] = 0


@wrong(NAME, "block-local-norm", "")
def neighbouring_elements_and_its_own(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    each = -(-values.size // cuda.gridDim.x)
    first = each * cuda.blockIdx.x
    x = float64(0)
    for i in range(first + cuda.threadIdx.x, min(first + each, values.size), 32):
        x += float64(values[i]) ** 2
    x = added(x, room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = x
        if is_last(ticket):
            norm[0] = math.sqrt(partial[cuda.blockIdx.x])
            ticket[0] = 0


@wrong(NAME, "missing-barrier")
def reads_the_tree_too_soon(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    t = cuda.threadIdx.x
    room[t] = share(values)
    h = 16
    while h > 0:
        cuda.syncthreads()
        if t < h:
            room[t] += room[t + h]
        h //= 2
    if t == 1:
        partial[cuda.blockIdx.x] = room[0]
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@wrong(NAME, "missing-barrier")
def the_flag_is_read_too_soon(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    last = cuda.shared.array(1, int32)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        last[0] = is_last(ticket)
    if last[0] and cuda.threadIdx.x == 31:
        norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
        ticket[0] = 0


@wrong(NAME, "barrier-not-reached")
def no_element_no_barrier(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    if cuda.grid(1) >= values.size:
        return
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@wrong(NAME, "barrier-not-reached", "elsewhere")
def barrier_in_the_stride(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    x = float64(0)
    i = cuda.grid(1)
    while i < values.size:
        x += float64(values[i]) ** 2
        cuda.syncthreads()
        i += cuda.gridsize(1)
    mine = added(x, room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@wrong(NAME, "block-race", "")
def block_0_does_not_wait(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        cuda.threadfence()
        if cuda.blockIdx.x == cuda.gridDim.x - 1:
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))


@wrong(NAME, "block-race", "")
def a_ticket_without_an_atomic(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        cuda.threadfence()
        ticket[0] += 1
        if ticket[0] == cuda.gridDim.x:
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@wrong(NAME, "block-race", "unfenced")
def a_ticket_without_a_fence(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if cuda.atomic.add(ticket, 0, 1) == cuda.gridDim.x - 1:
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@wrong(NAME, "reading-past-end")
def a_stride_too_far(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    x = float64(0)
    for turn in range(values.size // cuda.gridsize(1) + 1):
        x += float64(values[cuda.grid(1) + turn * cuda.gridsize(1)]) ** 2
    mine = added(x, room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@wrong(NAME, "reading-past-end")
def one_block_too_many(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x + 1)))
            ticket[0] = 0


@wrong(NAME, "reading-past-end", "write")
def blocks_from_one(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x + 1] = mine


@wrong(NAME, "wrong-tail", "")
def one_element_a_thread(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    i = cuda.grid(1)
    mine = added(float64(values[i]) ** 2 if i < values.size else float64(0), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@wrong(NAME, "wrong-tail", "twice")
def strides_of_a_block(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    x = float64(0)
    for i in range(cuda.grid(1), values.size, cuda.blockDim.x):
        x += float64(values[i]) ** 2
    mine = added(x, room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@wrong(NAME, "wrong-tail", "")
def the_first_block_is_forgotten(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(1, cuda.gridDim.x)))
            ticket[0] = 0


@unnamed(NAME, "no block drew the number it waits for")
def the_ticket_stays(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))


@unnamed(NAME, "nothing was written to norm[0]")
def waits_for_one_more(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        cuda.threadfence()
        if cuda.atomic.add(ticket, 0, 1) == cuda.gridDim.x:
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)))
            ticket[0] = 0


@unnamed(NAME, "is asked for")
def a_mean(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
        if is_last(ticket):
            norm[0] = math.sqrt(sum(partial[b] for b in range(cuda.gridDim.x)) / values.size)
            ticket[0] = 0


@wrong(NAME, "block-race")
def a_barrier_for_the_grid(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine
    cuda.syncthreads()
    if cuda.grid(1) == 0:
        norm[0] = sum(float64(partial[b]) for b in range(cuda.gridDim.x)) ** 0.5


@wrong(NAME, "barrier-not-reached", "exchange")
def half_a_warp_shuffles(values, partial, ticket, norm):
    mine = share(values)
    if cuda.threadIdx.x < 16:
        mine += cuda.shfl_down_sync(0xFFFFFFFF, mine, 16)
    if cuda.threadIdx.x == 0:
        norm[0] = mine


@wrong(NAME, "barrier-not-reached", "exchange")
def only_those_with_an_element_shuffle(values, partial, ticket, norm):
    if cuda.grid(1) >= values.size:
        return
    mine = float64(values[cuda.grid(1)]) ** 2
    for step in (16, 8, 4, 2, 1):
        mine += cuda.shfl_down_sync(0xFFFFFFFF, mine, step)
    if cuda.threadIdx.x == 0:
        partial[cuda.blockIdx.x] = mine


@right(NAME)
def sums_by_exchanges(values, partial, ticket, norm):
    room = cuda.shared.array(32, float64)
    mine = added(share(values), room)
    if cuda.threadIdx.x == 0:
        cuda.atomic.exch(partial, cuda.blockIdx.x, mine)
        if is_last(ticket):
            norm[0] = math.sqrt(sum(cuda.atomic.add(partial, b, 0.0) for b in range(cuda.gridDim.x)))
            ticket[0] = 0
