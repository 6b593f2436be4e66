"""run(): a rung of the ladder on given values, with everything counted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .machine import Counts
from .rungs import RUNGS, THREADS


@dataclass(frozen=True)
class Result:
    """What a rung found, and what it took.

    - `norm`: of all values together; `reference`: the same in float64 by numpy
    - `coefficient`: what the values were multiplied by, None where the rung only measures
    - `counts`: what the launches did; `values`: copies of the values as the rung left them
    - `elements`, `blocks`, `threads`: how many values there were, and the grid of a launch (of the last one)
    """

    rung: str
    norm: float
    reference: float
    coefficient: float | None
    counts: Counts
    values: list[np.ndarray]
    elements: int
    blocks: int
    threads: int

    @property
    def error(self) -> float:
        """How far the norm is off, relative to the reference."""
        if self.norm == self.reference or math.isnan(self.norm) and math.isnan(self.reference):
            return 0.0
        return abs(self.norm / self.reference - 1) if self.reference else math.inf

    @property
    def gradient_bytes(self) -> int:
        """Bytes of the values that were read and written: without tables, sums and the like."""
        both = self.counts.read_from + self.counts.written_to
        return sum(size for name, size in both.items() if name == "values" or name.startswith("tensor "))

    @property
    def bytes_per_element(self) -> float:
        """`gradient_bytes` for each value."""
        return self.gradient_bytes / self.elements if self.elements else 0.0


def run(rung: str, values: Any, *, blocks: int | None = None, threads: int = 32, max_norm: float = math.inf) -> Result:
    """Run a rung on this machine's processor and count what it does; `RUNGS` has the names.

    - `values`: an array or tensor, or a list of them; they are read as float32, and left as they are
    - `blocks`: of a launch; the first three rungs take as many as there are elements for
    - `threads`: of a block, a power of two; from "shuffle" on a multiple of 32. "clip" has a size of its own
    - `max_norm`: for the rungs that clip

    Errors: KeyError for an unknown rung, ValueError for a grid that the rung cannot use.
    """
    if rung not in RUNGS:
        raise KeyError(f"there is no rung {rung!r}; the rungs are {', '.join(RUNGS)}")
    if threads < 1 or threads & (threads - 1):
        raise ValueError(f"threads must be a power of two, got {threads}")
    if threads % 32 and rung not in ("atomic", "tree"):
        raise ValueError(f"{rung!r} works in warps of 32: threads must be a multiple of 32, got {threads}")
    chosen = RUNGS[rung]
    if blocks is not None and chosen.blocks is None:
        raise ValueError(f"{rung!r} takes a block for each {threads} elements; leave blocks out")
    listed = values if isinstance(values, Sequence) else [values]
    tensors = [_aligned(each) for each in listed]
    reference = math.sqrt(sum(float((t.astype(np.float64) ** 2).sum()) for t in tensors))
    elements = sum(tensor.size for tensor in tensors)
    blocks = blocks or chosen.blocks
    norm, coefficient, counts = chosen.launch(tensors, blocks, threads, max_norm)
    grid = blocks or max(1, -(-tensors[-1].size // threads))
    threads = THREADS if rung == "clip" else threads
    return Result(rung, norm, reference, coefficient, counts, tensors, elements, grid, threads)


def _aligned(values: Any) -> np.ndarray:
    """A flat float32 copy at an address that 128-bit loads can take."""
    given = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    room = np.empty(given.size + 4, np.float32)
    start = -room.ctypes.data % 16 // 4
    copy = room[start : start + given.size]
    copy[:] = given.ravel()
    return copy
