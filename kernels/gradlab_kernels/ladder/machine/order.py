"""Who comes first: when two accesses of different threads are in an order, and when they race.

Within a block a barrier puts everything before it in front of everything after it, for a warp `syncwarp` does. Shuffles
exchange registers and order no memory. Between blocks there is one way only: write, `threadfence`, then an atomic that
the other block's later atomic can tell the arrival by.
"""

from typing import NamedTuple

from .source import Place


class Stamp(NamedTuple):
    """Who touched an element, when, and how."""

    block: int
    thread: int
    epoch: int  # barriers passed before
    warp_epoch: int  # syncwarps passed before
    serial: int
    atomic: bool
    place: Place


class Mark(NamedTuple):
    """A moment of a thread: of a fence, or of an atomic."""

    thread: int
    epoch: int
    serial: int

    def after(self, other) -> bool:
        """Whether it comes after a stamp or a mark of the same block."""
        return other.epoch < self.epoch or other.thread == self.thread and other.serial < self.serial


class Order:
    """What the blocks of one launch have published, and what the present one has seen."""

    def __init__(self):
        self.published: dict[int, list[Mark]] = {}
        self.begin(0)

    def begin(self, block: int) -> None:
        """The next block starts."""
        self.block, self.fences, self.seen = block, [], []

    def fence(self, mark: Mark) -> None:
        self.fences.append(mark)

    def atomic(self, mark: Mark) -> None:
        """An atomic publishes what was fenced before it, and sees what other blocks have published."""
        self.published.setdefault(self.block, []).extend(fence for fence in self.fences if mark.after(fence))
        self.seen.append(mark)

    def before(self, earlier: Stamp, now: Stamp) -> bool:
        """Whether `earlier` is in front of `now` on every machine, not only on this one."""
        if earlier.block == now.block:
            return (
                earlier.thread == now.thread
                or earlier.epoch < now.epoch
                or earlier.thread // 32 == now.thread // 32
                and earlier.warp_epoch < now.warp_epoch
            )
        moment = Mark(now.thread, now.epoch, now.serial)
        if not any(moment.after(seen) for seen in self.seen):
            return False
        return earlier.atomic or any(mark.after(earlier) for mark in self.published.get(earlier.block, ()))
