"""Watched: an array that counts its accesses and knows who touched each element last."""

import math
import operator

import numpy as np

from .errors import PastTheEnd, Race, Unwritten
from .order import Stamp
from .source import text


class Watched:
    """An array of one dimension as a kernel sees it, in global memory or in a block's shared memory.

    Reads and writes go through `run`, which does each of them once. `unwritten`: nothing in it may be read before it
    is written.
    """

    def __init__(self, run, values: np.ndarray, name: str, shared: bool = False, unwritten: bool = False):
        if values.ndim != 1:
            raise TypeError(f"{name} has shape {values.shape}; this machine knows arrays of one dimension")
        self._run, self._values, self._unwritten, self.name, self.shared = run, values, unwritten, name, shared
        self._writes: dict[int, Stamp] = {}
        self._reads: dict[int, dict[tuple[int, int], Stamp]] = {}
        self.size, self.shape, self.dtype, self.ndim = values.size, values.shape, values.dtype, 1

    def __len__(self) -> int:
        return self.size

    def __iter__(self):
        return (self[i] for i in range(self.size))

    def __getitem__(self, index):
        return self._run.once(self.read, index)[0]

    def __setitem__(self, index, value):
        self._run.once(self.write, index, (value,))

    def __repr__(self) -> str:
        return f"{self.name}: {self.size} of {self.dtype}"

    def __array__(self, *_, **__):
        raise TypeError(f"{self.name} is an array on the GPU: numpy cannot be called on it, only {self.name}[i]")

    def __getattr__(self, name: str):
        raise AttributeError(f"an array in a kernel has no {name!r} here: it has size, shape, dtype and [index]")

    def read(self, index, count: int = 1) -> tuple:
        """`count` elements by one instruction."""
        first, stamp = self._look(index, count, "read")
        for i in range(first, first + count):
            last = self._writes.get(i)
            if last is None and self._unwritten:
                self._nothing_there(stamp, i)
            if last is not None and not self._run.order.before(last, stamp):
                raise self._race(stamp, "read", last, "wrote", i)
            self._reads.setdefault(i, {})[stamp[:2]] = stamp
        self._run.count("reads", self, count)
        return tuple(self._values[first : first + count])

    def write(self, index, values: tuple) -> None:
        first, stamp = self._look(index, len(values), "wrote")
        for i, value in enumerate(values, first):
            self._may_write(stamp, i, value)
            self._values[i] = value
            self._writes[i] = stamp
        self._run.count("writes", self, len(values))

    def change(self, index, by, looks: bool = True) -> np.generic:
        """Put `by(old)` in the place of the old value, as one step that no other thread sees half done.

        `looks`: whether the new value depends on the old one.
        """
        i, stamp = self._look(index, 1, "wrote")
        if looks and self._unwritten and i not in self._writes:
            self._nothing_there(stamp, i)
        stamp = stamp._replace(atomic=True)
        self._may_write(stamp, i, None)
        old = self._values[i]
        self._values[i] = by(old)
        self._writes[i] = stamp
        self._run.count("atomics", self, 1)
        self._run.order.atomic(self._run.mark())
        return old

    def _look(self, index, count: int, did: str) -> tuple[int, Stamp]:
        if isinstance(index, tuple) and len(index) == 1:
            (index,) = index
        try:
            i = operator.index(index)
        except TypeError:
            raise TypeError(f"{self.name}[...] takes a whole number, got {index!r:.40}") from None
        stamp = self._run.stamp()
        if not 0 <= i <= self.size - count:
            wrong = i if i < 0 or i >= self.size else self.size
            facts = {**self._facts(stamp, wrong), "size": self.size, "did": did, "shared": self.shared}
            raise PastTheEnd(
                f"thread {stamp.thread} of block {stamp.block} {did} {self.name}[{wrong}], and {self.name} has "
                f"{self.size} elements, in `{text(stamp.place)}`",
                **facts,
            )
        return i, stamp

    def _nothing_there(self, stamp: Stamp, i: int) -> None:
        """Told later: another thread or block may be about to write it, and then it is a race."""
        if self._run.unwritten is None:
            self._run.unwritten = Unwritten(
                f"thread {stamp.thread} of block {stamp.block} read {self.name}[{i}], which nobody had written, in "
                f"`{text(stamp.place)}`",
                **self._facts(stamp, i),
                shared=self.shared,
            )

    def _may_write(self, stamp: Stamp, i: int, value) -> None:
        last = self._writes.get(i)
        if last is not None and not (last.atomic and stamp.atomic) and not self._run.order.before(last, stamp):
            if value is None or not _alike(value, self._values[i]):  # all writing the same value is no harm
                raise self._race(stamp, "wrote", last, "wrote", i)
        for reader in self._reads.pop(i, {}).values():
            if not self._run.order.before(reader, stamp):
                raise self._race(stamp, "wrote", reader, "read", i)

    def _race(self, stamp: Stamp, did: str, other: Stamp, other_did: str, i: int) -> Race:
        def who(one):
            return f"thread {one.thread}" if other.block == stamp.block else f"block {one.block}"

        return Race(
            f"{who(other)} {other_did} {self.name}[{i}] in `{text(other.place)}` and {who(stamp)} {did} it in "
            f"`{text(stamp.place)}`, and nothing says which of them comes first",
            **self._facts(stamp, i),
            shared=self.shared,
            did=did,
            other=other.thread,
            other_block=other.block,
            other_did=other_did,
            other_source=text(other.place),
            ticketed=bool(self._run.order.seen),
        )

    def _facts(self, stamp: Stamp, i: int) -> dict:
        return {
            "block": stamp.block,
            "thread": stamp.thread,
            "array": self.name,
            "index": i,
            "source": text(stamp.place),
        }


def _refuse(self, *_):
    raise TypeError(f"{self.name} is an array, and a kernel computes with its elements, such as {self.name}[0]")


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    for _side in ("", "r", "i"):
        setattr(Watched, f"__{_side}{_name}__", _refuse)
for _name in ("lt", "le", "gt", "ge", "float", "neg", "abs"):
    setattr(Watched, f"__{_name}__", _refuse)
Watched.__array_ufunc__ = None  # so that numpy's numbers leave it to the above


def _alike(a, b) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
