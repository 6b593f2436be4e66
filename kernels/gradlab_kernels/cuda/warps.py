"""Warp shuffles for Numba's CUDA simulator, which has none.

Each warp gets a place to meet: every lane named in `mask` must come, or the others fail after 20 s. On a GPU the same
mistake hangs, or does anything.

Reaches into a private class, `numba.cuda.simulator.kernelapi.FakeCUDAModule`: the versions of Numba are pinned and
tests/kernels/test_kernels_simulator.py says whether it still fits.
"""

import threading

FULL_MASK = 0xFFFFFFFF
PATIENCE = 20  # seconds


class _Meeting:
    def __init__(self, lanes: int):
        self.everyone = threading.Barrier(lanes)
        self.values = [None] * 32


def _meet(mask: int, value):
    """Bring this lane's value to its warp's meeting; all values by lane, and this lane."""
    thread = threading.current_thread()
    block = thread._manager
    x, y, z = block._block_dim
    warp, lane = divmod(thread.thread_id, 32)
    lanes = tuple(k for k in range(32) if mask >> k & 1 and warp * 32 + k < x * y * z)
    with _making:
        meeting = block.__dict__.setdefault("_meetings", {}).setdefault((warp, lanes), _Meeting(len(lanes)))
    meeting.values[lane] = value
    meeting.everyone.wait(PATIENCE)
    values = {k: meeting.values[k] for k in lanes}
    meeting.everyone.wait(PATIENCE)  # nobody brings the next value before all have read this one
    return values, lane


_making = threading.Lock()


def _shuffle(source):
    def shuffle(cuda, mask, value, argument):
        values, lane = _meet(int(mask) & FULL_MASK, value)
        return values.get(source(lane, int(argument)), value)

    return shuffle


def install() -> None:
    """Give the simulator `shfl_sync`, its three relatives, the votes, `syncwarp` and `nanosleep`. Once is enough."""
    from numba.cuda.simulator import kernelapi

    fake = kernelapi.FakeCUDAModule
    fake.shfl_sync = _shuffle(lambda lane, source: source % 32)
    fake.shfl_down_sync = _shuffle(lambda lane, by: lane + by)
    fake.shfl_up_sync = _shuffle(lambda lane, by: lane - by)
    fake.shfl_xor_sync = _shuffle(lambda lane, by: lane ^ by)
    fake.syncwarp = lambda cuda, mask=FULL_MASK: _meet(int(mask), None) and None
    fake.ballot_sync = lambda cuda, mask, vote: sum(1 << k for k, v in _meet(int(mask), vote)[0].items() if v)
    fake.all_sync = lambda cuda, mask, vote: all(_meet(int(mask), vote)[0].values())
    fake.any_sync = lambda cuda, mask, vote: any(_meet(int(mask), vote)[0].values())
    fake.nanosleep = lambda cuda, nanoseconds: None
