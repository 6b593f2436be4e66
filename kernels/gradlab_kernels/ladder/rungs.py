"""The rungs in order, each with how it is launched on the machine that counts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..coefficient import EPS, decide
from ..cuda.blocks import THREADS
from ..cuda.kernels import CHUNK, multi_norm, multi_scale
from ..layout import F32
from .always import always
from .atomic import one_each
from .lists import PIECE, lists
from .machine import Counts, launch
from .shuffle import block_sum, shuffle, warp_sum
from .stride import stride
from .tree import tree
from .vector import vector


@dataclass(frozen=True)
class Rung:
    """A step of the ladder.

    - `name`; `idea`, what is new in it; `kernels`: the functions that run on the GPU
    - `launch(tensors, blocks, threads, max_norm)`: runs them here; the norm, the coefficient (None where nothing is
      clipped) and the counts. `tensors` are float32 arrays, scaled in place where the rung clips
    - `helpers`: functions that are new with it and that the kernels call
    - `blocks`: how many, where the rung leaves the choice; None where it takes one for each `threads` elements
    """

    name: str
    idea: str
    kernels: tuple[Callable, ...]
    launch: Callable
    blocks: int | None = None
    helpers: tuple[Callable, ...] = ()


def _norm(kernel: Callable, blocks: int | None = None, by_address: bool = False) -> Callable:
    """How a kernel that adds squares to a total is launched: once for each tensor."""

    def start(tensors, chosen, threads, max_norm):
        total, counts = np.zeros(1), Counts()
        for tensor in tensors:
            grid = -(-tensor.size // threads) if blocks is None else chosen
            if by_address:
                there = tensor.ctypes.data, tensor.size, total
                counts += launch(kernel, max(1, grid), threads, *there, memory={"values": tensor})
            else:
                counts += launch(kernel, max(1, grid), threads, tensor, total)
        return math.sqrt(total[0]), None, counts

    return start


def _lists(tensors, blocks, threads, max_norm):
    addresses, counts = _columns(tensors)
    pieces = -(-counts // PIECE)
    owners = np.repeat(np.arange(len(tensors)), pieces)
    starts = np.concatenate([np.arange(n) * PIECE for n in pieces])
    total = np.zeros(1)
    table = addresses, counts, owners, starts
    counted = launch(lists, blocks, threads, *table, total, memory=_named(tensors))
    return math.sqrt(total[0]), None, counted


def _always(tensors, blocks, threads, max_norm):
    norm, _, counts = _norm(stride, blocks)(tensors, blocks, threads, max_norm)
    factor = decide(norm, max_norm, EPS).coefficient
    for tensor in tensors:
        counts += launch(always, blocks, threads, tensor, np.array([factor], np.float32))
    return norm, factor, counts


def _clip(tensors, blocks, threads, max_norm):
    """The package's own kernels, with tables as `cuda/tables.py` makes them. They choose the size of a block."""
    addresses, counts = _columns(tensors)
    pieces = -(-counts // CHUNK)
    first, owners = np.cumsum(pieces) - pieces, np.repeat(np.arange(len(tensors)), pieces)
    kinds = np.full(len(tensors), F32)
    table = np.concatenate([addresses, counts, kinds, first, owners]).astype(np.int64)
    partial, counter, result = np.zeros(blocks), np.zeros(1, np.int32), np.zeros(4, np.float32)
    memory = {"table": table, "partial": partial, "counter": counter, "result": result, **_named(tensors)}
    walk = table.ctypes.data, len(tensors), len(owners)
    scratch = partial.ctypes.data, counter.ctypes.data, result.ctypes.data
    counted = launch(multi_norm, blocks, THREADS, *walk, *scratch, 0, float(max_norm), EPS, memory=memory)
    counted += launch(multi_scale, blocks, THREADS, *walk, result[1:].ctypes.data, 0, memory=memory)
    return float(result[0]), float(result[1]), counted


def _columns(tensors: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([t.ctypes.data for t in tensors], np.int64), np.array([t.size for t in tensors], np.int64)


def _named(tensors: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"tensor {place}": tensor for place, tensor in enumerate(tensors)}


RUNGS = {
    rung.name: rung
    for rung in (
        Rung("atomic", "one thread and one atomic for each element", (one_each,), _norm(one_each)),
        Rung("tree", "a tree in shared memory, one atomic a block", (tree,), _norm(tree)),
        Rung("shuffle", "the tree in registers", (shuffle,), _norm(shuffle), helpers=(warp_sum, block_sum)),
        Rung("stride", "many elements a thread", (stride,), _norm(stride, 4), 4),
        Rung("vector", "four elements a load", (vector,), _norm(vector, 4, True), 4),
        Rung("lists", "all tensors in one launch", (lists,), _lists, 4),
        Rung("always", "then multiply, whatever the factor", (stride, always), _always, 4),
        Rung("clip", "decide on the device, and leave", (multi_norm, multi_scale), _clip, 2),
    )
}
