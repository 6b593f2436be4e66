"""Changing one chunk of one gradient in place, shared out over the threads of a block: scaled, or clamped.

16-bit elements are multiplied in float32 and rounded once, to nearest, as torch does.
"""

from numba import cuda, float32, float64, int64, uint32

from ..layout import BF16, F32, F64
from .blocks import THREADS
from .instructions import (
    bf16x2_pack,
    f16x2_pack,
    ld_f32,
    ld_f32x4,
    ld_f64,
    ld_f64x2,
    ld_u16,
    ld_u32x4,
    st_f32,
    st_f32x4,
    st_f64,
    st_f64x2,
    st_u16,
    st_u32x4,
)
from .squares import unpack


@cuda.jit(device=True)
def _pack(low, high, kind):
    if kind == BF16:
        return uint32(bf16x2_pack(low, high))
    return uint32(f16x2_pack(low, high))


@cuda.jit(device=True)
def _scale_x4(at, c):
    a, b, d, e = ld_f32x4(at)
    st_f32x4(at, a * c, b * c, d * c, e * c)


@cuda.jit(device=True)
def _scale_f32(base, count, c, thread):
    done = int64(0)
    if (base & 15) == 0:
        row = int64(THREADS) * 16
        at = base + int64(thread) * 16
        while done + THREADS * 16 <= count:  # all four loads before the first store: they do not wait for each other
            x0, x1, x2, x3 = ld_f32x4(at)
            y0, y1, y2, y3 = ld_f32x4(at + row)
            z0, z1, z2, z3 = ld_f32x4(at + 2 * row)
            w0, w1, w2, w3 = ld_f32x4(at + 3 * row)
            st_f32x4(at, x0 * c, x1 * c, x2 * c, x3 * c)
            st_f32x4(at + row, y0 * c, y1 * c, y2 * c, y3 * c)
            st_f32x4(at + 2 * row, z0 * c, z1 * c, z2 * c, z3 * c)
            st_f32x4(at + 3 * row, w0 * c, w1 * c, w2 * c, w3 * c)
            at += 4 * row
            done += THREADS * 16
        i4 = done + int64(thread) * 4
        while i4 + 4 <= count:
            _scale_x4(base + i4 * 4, c)
            i4 += THREADS * 4
        done = count & ~3
    i1 = done + int64(thread)
    while i1 < count:
        st_f32(base + i1 * 4, ld_f32(base + i1 * 4) * c)
        i1 += THREADS


@cuda.jit(device=True)
def _scale_f64(base, count, c, thread):
    done = int64(0)
    if (base & 15) == 0:
        i2 = int64(thread) * 2
        while i2 + 2 <= count:
            a, b = ld_f64x2(base + i2 * 8)
            st_f64x2(base + i2 * 8, a * c, b * c)
            i2 += THREADS * 2
        done = count & ~1
    i1 = done + int64(thread)
    while i1 < count:
        st_f64(base + i1 * 8, ld_f64(base + i1 * 8) * c)
        i1 += THREADS


@cuda.jit(device=True)
def _scale_word(word, c, kind):
    low, high = unpack(word, kind)
    return _pack(low * c, high * c, kind)


@cuda.jit(device=True)
def _scale_16(base, count, c, kind, thread):
    done = int64(0)
    if (base & 15) == 0:
        i8 = int64(thread) * 8
        while i8 + 8 <= count:
            p, q, r, s = ld_u32x4(base + i8 * 2)
            st_u32x4(base + i8 * 2, _scale_word(p, c, kind), _scale_word(q, c, kind), _scale_word(r, c, kind),
                     _scale_word(s, c, kind))  # fmt: skip
            i8 += THREADS * 8
        done = count & ~7
    i1 = done + int64(thread)
    while i1 < count:
        low, high = unpack(ld_u16(base + i1 * 2), kind)
        st_u16(base + i1 * 2, _pack(low * c, float32(0), kind))
        i1 += THREADS


@cuda.jit(device=True)
def scale(address, count, kind, coefficient):
    """Multiply `count` elements at `address` by a float64 coefficient."""
    if kind == F32:
        _scale_f32(address, count, float32(coefficient), cuda.threadIdx.x)
    elif kind == F64:
        _scale_f64(address, count, float64(coefficient), cuda.threadIdx.x)
    else:
        _scale_16(address, count, float32(coefficient), kind, cuda.threadIdx.x)


@cuda.jit(device=True)
def _within(x, c):
    """x clamped to ±c. NaN is on no side of anything, and stays."""
    return c if x > c else (-c if x < -c else x)


@cuda.jit(device=True)
def _beyond(x, c):
    return x > c or x < -c


@cuda.jit(device=True)
def _clamp_f32(base, count, c, thread):
    done = int64(0)
    if (base & 15) == 0:
        i4 = int64(thread) * 4
        while i4 + 4 <= count:
            p, q, r, s = ld_f32x4(base + i4 * 4)
            if _beyond(p, c) or _beyond(q, c) or _beyond(r, c) or _beyond(s, c):
                st_f32x4(base + i4 * 4, _within(p, c), _within(q, c), _within(r, c), _within(s, c))
            i4 += THREADS * 4
        done = count & ~3
    i1 = done + int64(thread)
    while i1 < count:
        x = ld_f32(base + i1 * 4)
        if _beyond(x, c):
            st_f32(base + i1 * 4, _within(x, c))
        i1 += THREADS


@cuda.jit(device=True)
def _clamp_f64(base, count, c, thread):
    i1 = int64(thread)
    while i1 < count:
        x = ld_f64(base + i1 * 8)
        if _beyond(x, c):
            st_f64(base + i1 * 8, _within(x, c))
        i1 += THREADS


@cuda.jit(device=True)
def _clamp_word(word, c, kind):
    low, high = unpack(word, kind)
    return _pack(_within(low, c), _within(high, c), kind)


@cuda.jit(device=True)
def _clamp_16(base, count, limit, kind, thread):
    c, _ = unpack(_pack(limit, limit, kind), kind)  # the limit as the dtype has it
    done = int64(0)
    if (base & 15) == 0:
        i8 = int64(thread) * 8
        while i8 + 8 <= count:
            p, q, r, s = ld_u32x4(base + i8 * 2)
            t, u, v, w = (_clamp_word(p, c, kind), _clamp_word(q, c, kind), _clamp_word(r, c, kind),
                          _clamp_word(s, c, kind))  # fmt: skip
            if p != t or q != u or r != v or s != w:
                st_u32x4(base + i8 * 2, t, u, v, w)
            i8 += THREADS * 8
        done = count & ~7
    i1 = done + int64(thread)
    while i1 < count:
        low, high = unpack(ld_u16(base + i1 * 2), kind)
        st_u16(base + i1 * 2, _pack(_within(low, c), float32(0), kind))
        i1 += THREADS


@cuda.jit(device=True)
def clamp(address, count, kind, limit):
    """Clamp `count` elements at `address` to ±limit; vectors that do not change are not written."""
    if kind == F32:
        _clamp_f32(address, count, float32(limit), cuda.threadIdx.x)
    elif kind == F64:
        _clamp_f64(address, count, float64(limit), cuda.threadIdx.x)
    else:
        _clamp_16(address, count, float32(limit), kind, cuda.threadIdx.x)
