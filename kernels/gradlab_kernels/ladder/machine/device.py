"""What stands in for `numba.cuda` inside a kernel: the part of it that reductions need."""

import math

import numpy as np

from .lane import Pause, Wait
from .memory import Watched
from .source import assigned, caller, place

EVERYONE = 0xFFFFFFFF


class Dim3:
    """Three numbers, of which only `x` counts here."""

    def __init__(self, x: int):
        self.x, self.y, self.z = x, 1, 1


class Index3(Dim3):
    def __init__(self, x: int):
        self.x, self.y, self.z = x, 0, 0


class Cuda:
    """The names of `numba.cuda`, for the lane that runs at the moment."""

    warpsize = 32

    def __init__(self, run, blocks: int, threads: int):
        self._run = run
        self.gridDim, self.blockDim = Dim3(blocks), Dim3(threads)
        self.shared, self.local, self.atomic = _Shared(run), _Local(), _Atomic(run)

    def __getattr__(self, name: str):
        raise AttributeError(f"cuda.{name} is not among what this machine knows")

    @property
    def threadIdx(self) -> Index3:
        return Index3(self._run.lane.thread)

    @property
    def blockIdx(self) -> Index3:
        return Index3(self._run.block.number)

    @property
    def laneid(self) -> int:
        return self._run.lane.thread % 32

    def grid(self, dimensions: int) -> int:
        return self._flat(dimensions, self._run.block.number * self.blockDim.x + self._run.lane.thread)

    def gridsize(self, dimensions: int) -> int:
        return self._flat(dimensions, self.gridDim.x * self.blockDim.x)

    def _flat(self, dimensions: int, number: int) -> int:
        if dimensions != 1:
            raise NotImplementedError(f"grids have one dimension here, {dimensions} were asked for")
        return number

    def _meet(self, kind: str, value=None, mask: int = EVERYONE):
        """Wait for the others; all their values by thread."""
        lane = self._run.lane
        if lane.at < len(lane.log):
            return self._run.once(None)
        self._run.step()
        lane.waits = Wait(kind, value, int(mask) & EVERYONE, place())
        raise Pause

    def syncthreads(self) -> None:
        self._meet("barrier")

    def syncthreads_count(self, value) -> int:
        return sum(map(bool, self._meet("barrier", value).values()))

    def syncthreads_and(self, value) -> int:
        return int(all(self._meet("barrier", value).values()))

    def syncthreads_or(self, value) -> int:
        return int(any(self._meet("barrier", value).values()))

    def syncwarp(self, mask: int = EVERYONE) -> None:
        self._meet("syncwarp", None, mask)

    def _shuffle(self, mask: int, value, source: int):
        here = self._run.lane.thread % 32
        return self._meet("warp", value, mask).get(source if 0 <= source < 32 else here, value)

    def shfl_sync(self, mask, value, lane):
        return self._shuffle(mask, value, int(lane) % 32)

    def shfl_down_sync(self, mask, value, by):
        return self._shuffle(mask, value, self.laneid + int(by))

    def shfl_up_sync(self, mask, value, by):
        return self._shuffle(mask, value, self.laneid - int(by))

    def shfl_xor_sync(self, mask, value, by):
        return self._shuffle(mask, value, self.laneid ^ int(by))

    def ballot_sync(self, mask, vote) -> int:
        return sum(1 << lane for lane, said in self._meet("warp", vote, mask).items() if said)

    def all_sync(self, mask, vote) -> bool:
        return all(self._meet("warp", vote, mask).values())

    def any_sync(self, mask, vote) -> bool:
        return any(self._meet("warp", vote, mask).values())

    def threadfence(self) -> None:
        self._run.once(lambda: self._run.order.fence(self._run.mark()))

    def threadfence_block(self) -> None:
        pass

    threadfence_system = threadfence

    def nanosleep(self, nanoseconds) -> None:
        pass

    def popc(self, number) -> int:
        return int(number).bit_count()

    def fma(self, a, b, c):
        return a * b + c


class _Shared:
    """`cuda.shared`: one array for each place in the source that asks for one, for all threads of a block."""

    def __init__(self, run):
        self._run = run

    def array(self, shape, dtype) -> Watched:
        frame = caller()
        arrays, site = self._run.block.shared, (frame.f_code, frame.f_lasti)
        if site not in arrays:
            values = _blank(shape, dtype)
            arrays[site] = Watched(self._run, values, assigned(frame) or "shared", shared=True, unwritten=True)
        return arrays[site]


class _Local:
    """`cuda.local`: an array of the thread's own."""

    def array(self, shape, dtype) -> np.ndarray:
        return _blank(shape, dtype)


class _Atomic:
    """`cuda.atomic`: each returns what was there before."""

    def __init__(self, run):
        self._run = run

    def _change(self, array, index, by, looks: bool = True):
        if not isinstance(array, Watched):
            raise TypeError(f"an atomic works on an array and an index, got a {type(array).__name__}")
        return self._run.once(array.change, index, by, looks)

    def add(self, array, index, value):
        return self._change(array, index, lambda old: old + value)

    def sub(self, array, index, value):
        return self._change(array, index, lambda old: old - value)

    def exch(self, array, index, value):
        return self._change(array, index, lambda old: value, looks=False)

    def max(self, array, index, value):
        return self._change(array, index, lambda old: value if value > old else old)

    def min(self, array, index, value):
        return self._change(array, index, lambda old: value if value < old else old)

    def inc(self, array, index, limit):
        return self._change(array, index, lambda old: 0 if old >= limit else old + 1)

    def cas(self, array, index, old, value):
        return self._change(array, index, lambda found: value if found == old else found)


def _blank(shape, dtype) -> np.ndarray:
    """An array of nothing in particular: NaN, or a number that nobody would expect."""
    if not isinstance(dtype, np.dtype | type):
        from numba.np.numpy_support import as_dtype

        dtype = as_dtype(dtype)
    count = math.prod(shape) if isinstance(shape, tuple) and len(shape) == 1 else shape
    if not isinstance(count, int | np.integer):
        raise TypeError(f"an array of shape {shape!r:.40} was asked for; this machine knows whole numbers only")
    dtype = np.dtype(dtype)
    return np.full(count, math.nan if dtype.kind == "f" else -123_456_789 if dtype.kind == "i" else 123, dtype)
