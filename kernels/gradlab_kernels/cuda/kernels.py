"""The kernels: all gradients in one launch, whatever their shapes and dtypes.

    multi_norm    norm, coefficient and what optimizers ask for; the block that finishes last decides, not the host
    multi_scale   multiply by the coefficient, or read it, see that it is 1, and leave
    multi_norms   the norm of each gradient
    multi_clamp   clamp to ±limit

Gradients are cut into chunks of equal size; blocks walk the chunks. `table` is the address of a column of int64:

    addresses[T]  elements[T]  kinds[T]  first chunks[T]  tensor of each chunk[C]

Arguments are int64 and float64 only: that is how a launch without Numba packs Python's numbers.
"""

import math

from numba import cuda, float32, float64, int32, int64, void

from .blocks import EVERY_LANE, THREADS, WARPS, block_sum, warp_sum  # noqa: F401
from .edits import clamp, scale
from .instructions import ld_f32, ld_f64, ld_i64, st_f32, st_f64, st_i32, take_ticket
from .squares import squares

CHUNK = 1 << 12 if THREADS == 64 else 1 << 14  # elements; a multiple of 16 bytes in every dtype


@cuda.jit(device=True)
def _chunk(table, tensors, c):
    """Address, elements and kind of chunk c."""
    t = ld_i64(table + (4 * tensors + c) * 8)
    start = (c - ld_i64(table + (3 * tensors + t) * 8)) * CHUNK
    kind = ld_i64(table + (2 * tensors + t) * 8)
    count = min(int64(CHUNK), ld_i64(table + (tensors + t) * 8) - start)
    return ld_i64(table + t * 8) + start * ((kind >> 8 & 0xFF) >> 3), count, kind


@cuda.jit(device=True)
def _publish(at, value, wide):
    if wide == 1:
        st_f64(at, value)
    else:
        st_f32(at, float32(value))


@cuda.jit(device=True)
def _decide(total, result, wide, max_norm, eps):
    """Norm, coefficient, grad_scale, found_inf: float64 each if wide, else float32."""
    size = int64(8) if wide == 1 else int64(4)
    norm = math.sqrt(total)
    finite = norm < math.inf
    coefficient = float64(1)
    if max_norm < math.inf and not (norm + eps) * 1.0 <= max_norm:  # a NaN gets here and stays
        coefficient = max_norm / (norm + eps)
    _publish(result, norm, wide)
    _publish(result + size, coefficient, wide)
    _publish(result + 2 * size, float64(1) / coefficient if coefficient != 0.0 else float64(math.inf), wide)
    _publish(result + 3 * size, float64(0) if finite else float64(1), wide)


@cuda.jit(device=True)
def _is_last(counter, shared):
    """Whether this block is the last to come here. What the others wrote before they came, it can read."""
    if cuda.threadIdx.x == 0:
        cuda.threadfence()
        shared[0] = int32(1) if take_ticket(counter) == cuda.gridDim.x - 1 else int32(0)
    cuda.syncthreads()
    last = shared[0] == 1
    if last:
        cuda.threadfence()
        if cuda.threadIdx.x == 0:
            st_i32(counter, int32(0))  # ready for the next launch
    return last


def multi_norm(table, tensors, chunks, partial, counter, result, wide, max_norm, eps):
    """Each block adds its chunks; the last adds the blocks' sums, always in the same order."""
    sums = cuda.shared.array(WARPS, float64)
    last = cuda.shared.array(1, int32)
    mine = float64(0)
    c = int64(cuda.blockIdx.x)
    while c < chunks:
        address, count, kind = _chunk(table, tensors, c)
        mine += squares(address, count, kind)
        c += cuda.gridDim.x
    total = block_sum(mine, sums)
    if cuda.threadIdx.x == 0:
        st_f64(partial + int64(cuda.blockIdx.x) * 8, total)
    if _is_last(counter, last):
        mine = float64(0)
        b = int64(cuda.threadIdx.x)
        while b < cuda.gridDim.x:
            mine += ld_f64(partial + b * 8)
            b += THREADS
        total = block_sum(mine, sums)
        if cuda.threadIdx.x == 0:
            _decide(total, result, wide, max_norm, eps)


def multi_norms(table, tensors, chunks, partial, counter, norms):
    """Each chunk's sum on its own; the last block adds those of each gradient, a warp to a gradient."""
    sums = cuda.shared.array(WARPS, float64)
    last = cuda.shared.array(1, int32)
    c = int64(cuda.blockIdx.x)
    while c < chunks:
        address, count, kind = _chunk(table, tensors, c)
        total = block_sum(squares(address, count, kind), sums)
        if cuda.threadIdx.x == 0:
            st_f64(partial + c * 8, total)
        c += cuda.gridDim.x
    if _is_last(counter, last):
        lane = int64(cuda.threadIdx.x & 31)
        t = int64(cuda.threadIdx.x >> 5)
        while t < tensors:
            end = chunks
            if t + 1 < tensors:
                end = ld_i64(table + (3 * tensors + t + 1) * 8)
            c = ld_i64(table + (3 * tensors + t) * 8) + lane
            mine = float64(0)
            while c < end:
                mine += ld_f64(partial + c * 8)
                c += 32
            total = warp_sum(mine)
            if lane == 0:
                st_f64(norms + t * 8, math.sqrt(total))
            t += WARPS


def multi_scale(table, tensors, chunks, coefficient, wide):
    """Multiply every gradient by the number at address `coefficient`, unless it is 1."""
    factor = float64(ld_f32(coefficient)) if wide == 0 else ld_f64(coefficient)
    if factor >= 1.0:  # not `not factor < 1`: a NaN must reach every gradient, as in torch
        return
    c = chunks - 1 - int64(cuda.blockIdx.x)  # the last first: the norm pass has just left it in the cache
    while c >= 0:
        address, count, kind = _chunk(table, tensors, c)
        scale(address, count, kind, factor)
        c -= cuda.gridDim.x


def multi_clamp(table, tensors, chunks, limit):
    """Clamp every gradient to ±limit."""
    c = int64(cuda.blockIdx.x)
    while c < chunks:
        address, count, kind = _chunk(table, tensors, c)
        clamp(address, count, kind, limit)
        c += cuda.gridDim.x


MAX_REGISTERS = 64  # a thread: then four blocks of 256 threads fit on a processor of every chip since sm_75

SIGNATURES = {
    multi_norm: void(*[int64] * 7, float64, float64),
    multi_norms: void(*[int64] * 6),
    multi_scale: void(*[int64] * 5),
    multi_clamp: void(int64, int64, int64, float64),
}
