"""Counts: what kernels did, in whole numbers that are the same on every machine."""

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass
class Counts:
    """What one launch did, or several: `a + b` is what both did together.

    - `launches`; `threads` that ran in them
    - `reads`, `writes`: elements of global memory; `bytes_read`, `bytes_written`: the same in bytes
    - `loads`, `stores`: instructions that did it; one 128-bit load reads four float32
    - `atomics`: on global or shared memory; they are not among the reads and writes
    - `shared_reads`, `shared_writes`: elements of shared memory
    - `barriers`: meetings of a whole block; `shuffles`: exchanges of a warp
    - `read_from`, `written_to`: the bytes of global memory by the name of the array
    - `busy`, `slots`: what `idle` is made of
    """

    launches: int = 0
    threads: int = 0
    reads: int = 0
    writes: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    loads: int = 0
    stores: int = 0
    atomics: int = 0
    shared_reads: int = 0
    shared_writes: int = 0
    barriers: int = 0
    shuffles: int = 0
    read_from: Counter = field(default_factory=Counter)
    written_to: Counter = field(default_factory=Counter)
    busy: int = 0
    slots: int = 0

    @property
    def bytes(self) -> int:
        """Bytes of global memory read and written."""
        return self.bytes_read + self.bytes_written

    @property
    def idle(self) -> float:
        """The share of their time that threads wait for the busiest thread of their block, from 0 to 1.

        Time is counted in accesses to memory, atomics and shuffles: between two barriers a block takes as long as its
        busiest thread.
        """
        return 1 - self.busy / self.slots if self.slots else 0.0

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __radd__(self, other: int) -> "Counts":  # for sum(), which begins with 0
        return self if other == 0 else NotImplemented
