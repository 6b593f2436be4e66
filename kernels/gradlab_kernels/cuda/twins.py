"""What the GPU's instructions do, done by Python in main memory: their twins in the simulator.

A misaligned 128-bit access, which a GPU answers with an error, fails here too.
"""

import ctypes
import threading

import numpy as np

_one_at_a_time = threading.Lock()  # the simulator runs a thread of the operating system for each of CUDA's


def _load(kind, result):
    return lambda address: result(kind.from_address(int(address)).value)


def _store(kind, convert):
    def store(address, x):
        kind.from_address(int(address)).value = convert(x)

    return store


def _aligned(address):
    if address % 16:
        raise ValueError(f"misaligned 128-bit access at {address:#x}")
    return int(address)


def _load_vector(kind, count, result):
    return lambda address: tuple(result(x) for x in (kind * count).from_address(_aligned(address)))


def _store_vector(kind, count, convert):
    def store(address, *xs):
        (kind * count).from_address(_aligned(address))[:] = [convert(x) for x in xs]

    return store


ld_i64 = _load(ctypes.c_int64, int)
ld_f32 = _load(ctypes.c_float, np.float32)
ld_f64 = _load(ctypes.c_double, np.float64)
ld_u16 = _load(ctypes.c_uint16, int)
ld_f32x4 = _load_vector(ctypes.c_float, 4, np.float32)
ld_f64x2 = _load_vector(ctypes.c_double, 2, np.float64)
ld_u32x4 = _load_vector(ctypes.c_uint32, 4, int)
st_i32 = _store(ctypes.c_int32, int)
st_f32 = _store(ctypes.c_float, float)
st_f64 = _store(ctypes.c_double, float)
st_u16 = _store(ctypes.c_uint16, lambda word: int(word) & 0xFFFF)
st_f32x4 = _store_vector(ctypes.c_float, 4, float)
st_f64x2 = _store_vector(ctypes.c_double, 2, float)
st_u32x4 = _store_vector(ctypes.c_uint32, 4, int)


def _float(bits):
    return np.uint32(bits & 0xFFFFFFFF).view(np.float32)


def bf16x2_unpack(word):
    return _float(word << 16), _float(word & 0xFFFF0000)


def _bf16(x):
    """The nearest bf16, ties to even."""
    bits = int(np.float32(x).view(np.uint32))
    if bits & 0x7FFFFFFF > 0x7F800000:
        return 0x7FFF  # NaN
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 & 0xFFFF


def bf16x2_pack(low, high):
    return _bf16(low) | _bf16(high) << 16


def f16x2_unpack(word):
    return tuple(np.float32(x) for x in np.array([word], np.uint32).view(np.float16))


def f16x2_pack(low, high):
    with np.errstate(over="ignore"):
        return int(np.array([low, high], np.float32).astype(np.float16).view(np.uint32)[0])


def take_ticket(address):
    with _one_at_a_time:
        counter = ctypes.c_int32.from_address(int(address))
        counter.value += 1
        return counter.value - 1
