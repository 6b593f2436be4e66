"""What is done with the elements of one piece of one gradient: squared and summed, scaled, clamped.

Squares are added in float64. The three smaller dtypes have a faster way there: groups of eight squares are added in
float32 and the groups in float64, which costs at most 2^-22 of the norm as long as no square leaves the range of
float32. `sum_of_squares` looks at the sum, and where that may have happened takes the way without float32; so it does
where exact sums are asked for.

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
from .vectors import BLOCK, block_of_bf16, block_of_f16, block_of_f32

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


def _squares(load, block, pointer, width):
    """A function of an address and a count: the sum of the squares there.

    `load` makes a float32 of an element, `block` adds the squares of BLOCK elements, `pointer` makes a pointer of an
    address; an element is `width` bytes.
    """

    @njit(fastmath=SUM)
    def exactly(address, count):
        x, total = carray(pointer(address), (count,)), 0.0
        for i in range(count):
            v = np.float64(load(x[i]))
            total += v * v
        return total

    @njit(fastmath=SUM)
    def by_blocks(address, count):
        total, blocks = 0.0, count // BLOCK
        for k in range(blocks):
            total += block(address + k * (BLOCK * width))
        return total + exactly(address + blocks * (BLOCK * width), count - blocks * BLOCK)

    @njit
    def squares(address, count, exact):
        if exact:
            return exactly(address, count)
        total = by_blocks(address, count)
        # A square below 2^-126 may be lost in float32: nothing beside 1e-30 an element, everything beside less.
        # Above 3e38 one may have become infinite. NaN fails both comparisons.
        if total > count * 1e-30 and total < 3e38:
            return total
        return exactly(address, count)

    return squares


_squares_f32 = _squares(from_f32, block_of_f32, f32_pointer, 4)
_squares_bf16 = _squares(from_bf16, block_of_bf16, u16_pointer, 2)
_squares_f16 = _squares(from_f16, block_of_f16, u16_pointer, 2)


@njit(fastmath=SUM)
def _squares_f64(x):
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    return total


@njit
def sum_of_squares(address, count, kind, exact):
    """The sum of the squares of `count` elements at `address`, float64; `exact`: no square is rounded to float32."""
    if kind == F32:
        return _squares_f32(address, count, exact)
    if kind == F64:
        return _squares_f64(carray(f64_pointer(address), (count,)))
    if kind == BF16:
        return _squares_bf16(address, count, exact)
    return _squares_f16(address, count, exact)


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
