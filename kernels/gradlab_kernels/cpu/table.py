"""Filling a table in compiled code: what Python would ask of every tensor in 20 µs, DLPack answers in 1 µs.

torch publishes DLPack's exchange API, a struct of C functions, one of which tells address, dtype, device, shape and
strides of a tensor without making anything. Where torch is too old to have it, `layout.describe` asks one by one.

Source: https://github.com/dmlc/dlpack, include/dlpack/dlpack.h, DLPackExchangeAPI.
"""

import ctypes
import functools

import numpy as np
import torch
from numba import carray, njit

from ..intrinsics import append, describe, get_attribute, i64_pointer, item, release, type_of, word
from ..layout import ADDRESS, BF16, COUNT, DEVICE, F16, F32, F64, KIND
from . import kept

SAME, MOVED, OTHER, SHARED = range(4)  # what `read` finds; OTHER: of another dtype or kind, with gaps, on two devices

_FROM_OBJECT = 40  # bytes into the struct: version 8, older versions' struct 8, three functions of 8 each
_DESCRIPTION = 6  # words of 8 bytes in a DLTensor


@functools.cache
def exchange_function() -> int:
    """The address of the function that describes a tensor, 0 where torch has none or one of another layout."""
    capsule = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if capsule is None:
        return 0
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    struct = get_pointer(capsule, b"dlpack_exchange_api")
    major = ctypes.c_uint32.from_address(struct).value
    return ctypes.c_void_p.from_address(struct + _FROM_OBJECT).value or 0 if major == 1 else 0


@njit
def _fills_a_block(shape, strides, dimensions, count):
    """Whether elements that are not rows after rows lie without gaps and overlaps, in another order of dimensions."""
    block = 1
    for _ in range(dimensions):
        for d in range(dimensions):
            if word(shape, d) != 1 and word(strides, d) == block:
                block *= word(shape, d)
    return block == count


@njit
def _disjoint(table):
    end = 0
    for t in np.argsort(table[:, ADDRESS]):
        if table[t, COUNT] > 0:
            if table[t, ADDRESS] < end:
                return False
            end = table[t, ADDRESS] + table[t, COUNT] * (table[t, KIND] >> 8 & 0xFF) // 8
    return True


@njit
def _read_one(function, thing, plain, row, description):
    """Bring a row up to date with the tensor at address `thing`: SAME, MOVED or OTHER. All five are addresses."""
    kind_of_thing = type_of(thing, 0)
    if kind_of_thing != word(plain, 0) and kind_of_thing != word(plain, 1):
        return OTHER
    if describe(function, thing, description) != 0:
        return OTHER
    device, dimensions = word(description, 1), word(description, 2) & 0xFFFFFFFF
    kind, shape, strides = word(description, 2) >> 32, word(description, 3), word(description, 4)
    if kind != F32 and kind != F64 and kind != F16 and kind != BF16:
        return OTHER
    count, rows_after_rows = 1, True
    for d in range(dimensions - 1, -1, -1):
        size = word(shape, d)
        rows_after_rows &= size == 1 or word(strides, d) == count
        count *= size
    if count > 1 and not rows_after_rows and not _fills_a_block(shape, strides, dimensions, count):
        return OTHER
    address = word(description, 0) + word(description, 5)
    if address == 0 and count > 0:  # nothing lies behind torch's zero tensors
        return OTHER
    if word(row, ADDRESS) == address and word(row, COUNT) == count and word(row, KIND) == kind:
        if word(row, DEVICE) == device:
            return SAME
    row = carray(i64_pointer(row), (4,))
    row[ADDRESS], row[COUNT], row[KIND], row[DEVICE] = address, count, kind, device
    return MOVED


@kept
def read(function, owners, gradient, plain, table, tensors):
    """Bring a table up to date with tensors; (what was found, rows, elements, whether any is float64).

    `owners`: the address of a list of tensors, or of a list of parameters if `gradient` is not 0: then it is the
    address of the name of what is wanted of them, and None is passed over. `plain`: the address of the addresses of the
    types whose memory can be trusted, and of None. `table` has a row for each owner; rows that are not needed are
    cleared, and all are where the kernels cannot work. `tensors`: the address of an empty list, which what was looked
    at is appended to.
    """
    found, rows, elements, wide = _read_all(function, owners, gradient, plain, table, tensors)
    if found == MOVED:
        table[rows:] = -1  # or a row might be believed later that was never compared with these
        if not _disjoint(table[:rows]):
            found = SHARED
    if found > MOVED:
        table[:] = -1
    return found, rows, elements, wide


@njit
def _read_all(function, owners, gradient, plain, table, tensors):
    rows = len(table)
    if gradient:  # first all of them: a `grad` may be a property, and what Python does there may move the others
        rows = _gather(owners, gradient, word(plain, 2), rows, tensors)
        owners = tensors
    description, elements, moved, wide = np.empty(_DESCRIPTION, np.int64), 0, False, False
    first, there = table.ctypes.data, description.ctypes.data
    for k in range(rows):
        found = _read_one(function, item(owners, k), plain, first + 32 * k, there)
        if found == OTHER or table[k, DEVICE] != table[0, DEVICE]:
            return OTHER, 0, 0, False
        moved |= found == MOVED
        elements += table[k, COUNT]
        wide |= table[k, KIND] == F64
    return (OTHER if rows < 0 else MOVED if moved else SAME), rows, elements, wide


@njit
def _gather(owners, gradient, none, count, tensors):
    """Append the gradients that are there to the empty list `tensors`; how many, or -1 if one cannot be had."""
    rows = 0
    for k in range(count):
        tensor = get_attribute(item(owners, k), gradient)
        if tensor == 0:
            return -1
        if tensor != none:
            append(tensors, tensor)
            rows += 1
        release(tensor, 0)  # the list holds it, even if its owner does not
    return rows
