"""What is done with the elements of one piece of one gradient: squared and summed, scaled, clamped.

Squares are added in float64. The three smaller dtypes have a faster way there: groups of eight squares are added in
float32 and the groups in float64, which costs at most 2^-22 of the norm as long as no square leaves the range of
float32. `sum_of_squares` looks at the sum, and where that may have happened takes the way without float32.

fastmath is only "reassoc" and "contract", so that the sums become vector instructions. The whole of it would allow
LLVM to assume that no NaN and no infinity exists.
"""

import numpy as np
from numba import carray, njit

from ..intrinsics import (
    bits_to_f32,
    f32_pointer,
    f32_to_bits,
    f32_to_half,
    f64_pointer,
    half_to_f32,
    u16_pointer,
)
from ..layout import BF16, F32, F64

SUM = {"reassoc", "contract"}


@njit
def from_f32(x):
    return x


@njit
def from_bf16(half):
    return bits_to_f32(np.uint32(np.uint32(half) << np.uint32(16)))


@njit
def to_bf16(x):
    """The nearest bf16, ties to even."""
    if x != x:
        return np.uint16(0x7FFF)  # rounding up could make an infinity of a NaN
    bits = f32_to_bits(x)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return np.uint16((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))


@njit
def from_f16(half):
    return half_to_f32(half)


@njit
def to_f16(x):
    return f32_to_half(x)


def _squares(load):
    """A function of an array: the sum of its squares, `load` making a float32 of each element."""

    @njit(fastmath=SUM)
    def grouped(x):
        n = x.size // 8
        total = 0.0
        for i in range(n):  # eight streams, not eight neighbours: then each is a plain vector load
            a, b, c, d = load(x[i]), load(x[i + n]), load(x[i + 2 * n]), load(x[i + 3 * n])
            e, f, g, h = load(x[i + 4 * n]), load(x[i + 5 * n]), load(x[i + 6 * n]), load(x[i + 7 * n])
            total += np.float64((a * a + b * b + c * c + d * d) + (e * e + f * f + g * g + h * h))
        for i in range(8 * n, x.size):
            total += np.float64(load(x[i])) * np.float64(load(x[i]))
        return total

    @njit(fastmath=SUM)
    def one_by_one(x):
        total = 0.0
        for i in range(x.size):
            v = np.float64(load(x[i]))
            total += v * v
        return total

    @njit
    def squares(x):
        total = grouped(x)
        # A square below 2^-126 may be lost in float32: nothing beside 1e-30 an element, everything beside less.
        # Above 3e38 one may have become infinite. NaN fails both comparisons.
        if total > x.size * 1e-30 and total < 3e38:
            return total
        return one_by_one(x)

    return squares


_squares_f32, _squares_bf16, _squares_f16 = _squares(from_f32), _squares(from_bf16), _squares(from_f16)


@njit(fastmath=SUM)
def _squares_f64(x):
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    return total


@njit
def sum_of_squares(address, count, kind):
    """The sum of the squares of `count` elements at `address`, float64."""
    if kind == F32:
        return _squares_f32(carray(f32_pointer(address), (count,)))
    if kind == F64:
        return _squares_f64(carray(f64_pointer(address), (count,)))
    if kind == BF16:
        return _squares_bf16(carray(u16_pointer(address), (count,)))
    return _squares_f16(carray(u16_pointer(address), (count,)))


@njit
def scale(address, count, kind, factor):
    """Multiply in place. The smaller dtypes are multiplied in float32 and rounded once, as torch does."""
    c = np.float32(factor)
    if kind == F32:
        x = carray(f32_pointer(address), (count,))
        for i in range(count):
            x[i] *= c
    elif kind == F64:
        y = carray(f64_pointer(address), (count,))
        for i in range(count):
            y[i] *= factor
    elif kind == BF16:
        h = carray(u16_pointer(address), (count,))
        for i in range(count):
            h[i] = to_bf16(from_bf16(h[i]) * c)
    else:
        h = carray(u16_pointer(address), (count,))
        for i in range(count):
            h[i] = to_f16(from_f16(h[i]) * c)


def _clamp(load, store, element):
    """A function of an array and a limit: clamp it, and say whether that changed anything. NaN stays NaN."""

    @njit
    def clamp(x, limit):
        c = load(store(element(limit)))
        beyond = 0
        for i in range(x.size):
            beyond += abs(load(x[i])) > c
        if beyond:
            for i in range(x.size):
                v = load(x[i])
                if v > c:
                    x[i] = store(c)
                elif v < -c:
                    x[i] = store(-c)
        return beyond > 0

    return clamp


_clamp_f32, _clamp_f64 = _clamp(from_f32, from_f32, np.float32), _clamp(from_f32, from_f32, np.float64)
_clamp_bf16, _clamp_f16 = _clamp(from_bf16, to_bf16, np.float32), _clamp(from_f16, to_f16, np.float32)


@njit
def clamp(address, count, kind, limit):
    """Clamp to ±limit in place, writing nothing where nothing is beyond it; whether anything was."""
    if kind == F32:
        return _clamp_f32(carray(f32_pointer(address), (count,)), limit)
    if kind == F64:
        return _clamp_f64(carray(f64_pointer(address), (count,)), limit)
    if kind == BF16:
        return _clamp_bf16(carray(u16_pointer(address), (count,)), limit)
    return _clamp_f16(carray(u16_pointer(address), (count,)), limit)
