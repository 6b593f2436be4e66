"""Passes over all gradients of a table: the entry points that Python calls, compiled once and kept on disk.

Gradients are walked in pieces of 32,768 elements. The sums of the pieces are added in the order of the table, by one
thread, whoever computed them, so the same gradients give the same bits with any number of threads.

Entry points take and return numbers and arrays of int64 and float64 only: one signature each, so one compilation.
"""

import numpy as np
from numba import njit, prange

from ..layout import ADDRESS, COUNT, F64, KIND
from . import kept
from .elements import clamp, scale, sum_of_squares

PIECE = 1 << 15
THREADS_FROM = 1 << 20  # elements: below, starting threads costs more than it saves, and on a busy machine far more


@njit
def _pieces(count):
    return (count + PIECE - 1) // PIECE


@njit
def _place(table, t, piece):
    """Address and elements of a piece of tensor t."""
    start = piece * PIECE
    return table[t, ADDRESS] + start * (table[t, KIND] >> 8 & 0xFF) // 8, min(PIECE, table[t, COUNT] - start)


@njit
def _owners(table):
    """For each piece of all tensors, in order: its tensor, and which piece of it."""
    total = 0
    for t in range(len(table)):
        total += _pieces(table[t, COUNT])
    owners = np.empty((total, 2), np.int64)
    k = 0
    for t in range(len(table)):
        for piece in range(_pieces(table[t, COUNT])):
            owners[k, 0], owners[k, 1] = t, piece
            k += 1
    return owners


@njit
def sum_each(table, sums, exact):
    """Fill `sums` with each gradient's sum of squares. `exact`, 0 or 1: whether every square is added in float64."""
    for t in range(len(table)):
        total = 0.0
        for piece in range(_pieces(table[t, COUNT])):
            address, count = _place(table, t, piece)
            total += sum_of_squares(address, count, table[t, KIND], exact)
        sums[t] = total


@njit
def norm_of(table, sums):
    """The norm of all, and whether float64 gradients left the range of their squares."""
    total, extreme = 0.0, False
    for t in range(sums.size):
        total += sums[t]
        if table[t, KIND] == F64 and table[t, COUNT] and not (1e-280 < sums[t] < np.inf):
            extreme = True
    return np.sqrt(total), extreme


@kept
def measure(table, norms, exact):
    """Fill `norms` with each gradient's; what `norm_of` tells."""
    sum_each(table, norms, exact)
    told = norm_of(table, norms)
    norms[:] = np.sqrt(norms)
    return told


@kept(parallel=True)
def _partial_sums(table, owners, partial, exact):
    for k in prange(partial.size):
        address, count = _place(table, owners[k, 0], owners[k, 1])
        partial[k] = sum_of_squares(address, count, table[owners[k, 0], KIND], exact)


@kept
def _list_pieces(table):
    return _owners(table)


@kept
def _collect(table, owners, partial, norms):
    norms[:] = 0.0
    for k in range(partial.size):  # not in a parallel function: Numba would split the sum by thread
        norms[owners[k, 0]] += partial[k]
    told = norm_of(table, norms)
    norms[:] = np.sqrt(norms)
    return told


def measure_with_threads(table, norms, exact):
    """As `measure`, to the last bit, with Numba's threads."""
    owners = _list_pieces(table)
    partial = np.empty(len(owners))
    _partial_sums(table, owners, partial, exact)
    return _collect(table, owners, partial, norms)


@kept
def scale_all(table, factor):
    """Multiply every gradient in place, the last first: the measuring has just left that in the cache."""
    for t in range(len(table) - 1, -1, -1):
        for piece in range(_pieces(table[t, COUNT]) - 1, -1, -1):
            address, count = _place(table, t, piece)
            scale(address, count, table[t, KIND], factor)


@kept(parallel=True)
def _scale_pieces(table, owners, factor):
    for k in prange(len(owners)):
        last = len(owners) - 1 - k
        address, count = _place(table, owners[last, 0], owners[last, 1])
        scale(address, count, table[owners[last, 0], KIND], factor)


def scale_with_threads(table, factor):
    """As `scale_all`, with Numba's threads."""
    _scale_pieces(table, _list_pieces(table), factor)


@kept(parallel=True)
def _clamp_pieces(table, owners, limit, changed):
    for k in prange(len(owners)):
        address, count = _place(table, owners[k, 0], owners[k, 1])
        changed[k] = clamp(address, count, table[owners[k, 0], KIND], limit)


def clamp_with_threads(table, limit):
    """As `clamp_all`, with Numba's threads."""
    owners = _list_pieces(table)
    changed = np.zeros(len(owners), np.int64)
    _clamp_pieces(table, owners, limit, changed)
    return bool(changed.any())


@kept
def clamp_all(table, limit):
    """Clamp every gradient to ±limit in place; whether that changed any."""
    changed = False
    for t in range(len(table)):
        for piece in range(_pieces(table[t, COUNT])):
            address, count = _place(table, t, piece)
            changed |= clamp(address, count, table[t, KIND], limit)
    return changed
