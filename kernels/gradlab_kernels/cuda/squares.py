"""Sums of squares of one chunk of one gradient, shared out over the threads of a block.

Each thread squares and adds in float64, which neither overflows nor loses digits for any float32 or 16-bit gradient.
Loads are 128 bits wide, four in flight, where the address allows; the rest is done an element at a time.
"""

from numba import cuda, float64, int64

from ..layout import BF16, F32, F64
from .blocks import THREADS
from .instructions import bf16x2_unpack, f16x2_unpack, ld_f32, ld_f32x4, ld_f64, ld_f64x2, ld_u16, ld_u32x4


@cuda.jit(device=True)
def _square(x):
    return float64(x) * float64(x)


@cuda.jit(device=True)
def _squares_x4(address):
    a, b, c, d = ld_f32x4(address)
    return (_square(a) + _square(b)) + (_square(c) + _square(d))


@cuda.jit(device=True)
def _squares_f32(base, count, thread):
    total, more = float64(0), float64(0)
    done = int64(0)
    if (base & 15) == 0:
        row = int64(THREADS) * 16  # bytes: one load of every thread
        at = base + int64(thread) * 16
        while done + THREADS * 16 <= count:
            a, b, c, d = ld_f32x4(at)
            e, f, g, h = ld_f32x4(at + row)
            i, j, k, m = ld_f32x4(at + 2 * row)
            n, o, p, q = ld_f32x4(at + 3 * row)
            total += (_square(a) + _square(b)) + (_square(c) + _square(d))
            more += (_square(e) + _square(f)) + (_square(g) + _square(h))
            total += (_square(i) + _square(j)) + (_square(k) + _square(m))
            more += (_square(n) + _square(o)) + (_square(p) + _square(q))
            at += 4 * row
            done += THREADS * 16
        i4 = done + int64(thread) * 4
        while i4 + 4 <= count:
            total += _squares_x4(base + i4 * 4)
            i4 += THREADS * 4
        done = count & ~3
    i1 = done + int64(thread)
    while i1 < count:
        more += _square(ld_f32(base + i1 * 4))
        i1 += THREADS
    return total + more


@cuda.jit(device=True)
def _squares_f64(base, count, thread):
    total = float64(0)
    done = int64(0)
    if (base & 15) == 0:
        i2 = int64(thread) * 2
        while i2 + 2 <= count:
            a, b = ld_f64x2(base + i2 * 8)
            total += a * a + b * b
            i2 += THREADS * 2
        done = count & ~1
    i1 = done + int64(thread)
    while i1 < count:
        x = ld_f64(base + i1 * 8)
        total += x * x
        i1 += THREADS
    return total


@cuda.jit(device=True)
def unpack(word, kind):
    """Two 16-bit floats of a word as float32."""
    if kind == BF16:
        return bf16x2_unpack(word)
    return f16x2_unpack(word)


@cuda.jit(device=True)
def _squares_word(word, kind):
    low, high = unpack(word, kind)
    return _square(low) + _square(high)


@cuda.jit(device=True)
def _squares_16(base, count, kind, thread):
    total = float64(0)
    done = int64(0)
    if (base & 15) == 0:
        i8 = int64(thread) * 8
        while i8 + 8 <= count:
            a, b, c, d = ld_u32x4(base + i8 * 2)
            total += (_squares_word(a, kind) + _squares_word(b, kind)) + (
                _squares_word(c, kind) + _squares_word(d, kind)
            )
            i8 += THREADS * 8
        done = count & ~7
    i1 = done + int64(thread)
    while i1 < count:
        low, high = unpack(ld_u16(base + i1 * 2), kind)
        total += _square(low)
        i1 += THREADS
    return total


@cuda.jit(device=True)
def squares(address, count, kind):
    """This thread's share of the sum of squares of `count` elements at `address`, float64."""
    if kind == F32:
        return _squares_f32(address, count, cuda.threadIdx.x)
    if kind == F64:
        return _squares_f64(address, count, cuda.threadIdx.x)
    return _squares_16(address, count, kind, cuda.threadIdx.x)
