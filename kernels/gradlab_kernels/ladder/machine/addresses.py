"""Words at raw addresses: the package's load and store instructions, counted.

A load of four words is one instruction. A misaligned one fails, as it does on a GPU.
"""

from collections.abc import Callable

import numpy as np

from ...cuda import twins
from .errors import PastTheEnd
from .memory import Watched


class Addresses:
    """The memory that a launch can reach by address."""

    def __init__(self, run):
        self._run, self._known = run, []

    def add(self, values: np.ndarray, watched: Watched) -> None:
        if values.size:
            self._known.append((values.ctypes.data, values.nbytes, values.itemsize, watched))

    def _find(self, address: int, wide: int) -> tuple[Watched, int]:
        if wide == 16 and address % 16:
            raise ValueError(f"misaligned 128-bit access at {address:#x}")
        for base, size, item, watched in self._known:
            if base <= address < base + size:
                return watched, (address - base) // item
        lane = self._run.lane
        raise PastTheEnd(
            f"thread {lane.thread} of block {self._run.block.number} went to an address that belongs to no array",
            block=self._run.block.number,
            thread=lane.thread,
        )

    def load(self, count: int, item: int, result: Callable) -> Callable:
        def ld(address):
            def read():
                watched, index = self._find(int(address), count * item)
                return watched.read(index, count)

            words = tuple(map(result, self._run.once(read)))
            return words if count > 1 else words[0]

        return ld

    def store(self, count: int, item: int) -> Callable:
        def st(address, *words):
            def write():
                watched, index = self._find(int(address), count * item)
                watched.write(index, words)

            self._run.once(write)

        return st

    def take_ticket(self, address):
        def take():
            watched, index = self._find(int(address), 4)
            return watched.change(index, lambda old: old + 1)

        return int(self._run.once(take))

    def instructions(self) -> dict[str, Callable]:
        """The instructions of `gradlab_kernels.cuda.instructions` by name; those that touch no memory are the twins."""
        pure = ("bf16x2_unpack", "bf16x2_pack", "f16x2_unpack", "f16x2_pack")
        return {name: getattr(twins, name) for name in pure} | {
            "ld_i64": self.load(1, 8, int),
            "ld_f32": self.load(1, 4, np.float32),
            "ld_f64": self.load(1, 8, np.float64),
            "ld_f32x4": self.load(4, 4, np.float32),
            "ld_f64x2": self.load(2, 8, np.float64),
            "st_i32": self.store(1, 4),
            "st_f32": self.store(1, 4),
            "st_f64": self.store(1, 8),
            "st_f32x4": self.store(4, 4),
            "st_f64x2": self.store(2, 8),
            "take_ticket": self.take_ticket,
        }
