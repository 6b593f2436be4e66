"""The warp operations lent to Numba's simulator do what a GPU's do."""

import time

import numpy as np
import pytest
from kernel_backends import missing

# A module-level name, for there the simulator puts its own in place of it.
cuda = pytest.importorskip("numba.cuda", exc_type=ImportError)


@pytest.fixture(autouse=True)
def simulator():
    if reason := missing("simulator"):
        pytest.skip(reason)
    from gradlab_kernels.cuda import instructions  # noqa: F401 - lends the simulator its warps


def run(body, threads=40):
    """What each thread's `body(lane)` gives; the second warp is not full."""
    out = np.zeros(threads)

    def kernel(out):
        t = cuda.threadIdx.x
        out[t] = body(t)

    cuda.jit(kernel)[1, threads](out)
    return out.astype(int).tolist()


def test_shuffles_take_from_the_lane_they_name():
    full = 0xFFFFFFFF
    down = run(lambda t: cuda.shfl_down_sync(full, t, 1))
    assert down == [*range(1, 32), 31, *range(33, 40), 39]
    up = run(lambda t: cuda.shfl_up_sync(full, t, 2))
    assert up == [0, 1, *range(30), 32, 33, *range(32, 38)]
    assert run(lambda t: cuda.shfl_xor_sync(full, t, 1), 32) == [t ^ 1 for t in range(32)]
    assert run(lambda t: cuda.shfl_sync(full, t, 5), 32) == [5] * 32


def test_votes_count_every_lane():
    full = 0xFFFFFFFF
    assert run(lambda t: cuda.ballot_sync(full, t % 2 == 0), 32) == [0x55555555] * 32
    assert run(lambda t: cuda.all_sync(full, t < 35)) == [1] * 32 + [0] * 8
    assert run(lambda t: cuda.any_sync(full, t == 3)) == [1] * 32 + [0] * 8


def test_a_lane_that_does_not_come_is_waited_for_in_vain(monkeypatch):
    from gradlab_kernels.cuda import warps

    monkeypatch.setattr(warps, "PATIENCE", 0.2)
    with pytest.raises(Exception, match="tid="):
        run(lambda t: cuda.shfl_down_sync(0xFFFFFFFF, t, 1) if t else 0, 32)


def test_a_misaligned_vector_access_fails_as_on_a_gpu():
    from gradlab_kernels.cuda import twins

    x = np.zeros(64, np.uint8)
    aligned = -x.ctypes.data % 16
    assert len(twins.ld_f32x4(x.ctypes.data + aligned)) == 4
    with pytest.raises(ValueError, match="misaligned"):
        twins.ld_f32x4(x.ctypes.data + aligned + 4)


def test_a_thread_that_leaves_a_device_function_leaves_it_to_the_others():
    elsewhere = {"cuda": cuda, "time": time}  # the globals of another file than the kernel's
    exec("def late(t):\n    if t >= 32: time.sleep(0.05)  # the first warp has returned by now\n"
         "    return cuda.threadIdx.x", elsewhere)
    assert run(cuda.jit(device=True)(elsewhere["late"]), 64) == list(range(64))
    assert elsewhere["cuda"] is cuda
