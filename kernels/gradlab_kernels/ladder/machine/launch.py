"""launch(): run a kernel on this machine."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from types import FunctionType
from typing import Any

import numpy as np

from .addresses import Addresses
from .block import Block
from .counts import Counts
from .device import Cuda
from .errors import Endless, KernelError, Unwritten
from .lane import Lane
from .memory import Watched
from .order import Mark, Order, Stamp
from .source import place, text, without_ours
from .stand_in import stand_in

STEPS = 20_000_000  # half a minute or so


def launch(
    kernel: Callable,
    blocks: int,
    threads: int,
    *arguments: Any,
    unwritten: Sequence[int] = (),
    memory: Mapping[str, np.ndarray] | None = None,
    steps: int = STEPS,
) -> Counts:
    """Run `kernel` with `blocks` blocks of `threads` threads each, and count what it does.

    - `arguments`: numpy arrays of one dimension, which the kernel may change, and numbers
    - `unwritten`: places of arguments that hold nothing yet, so that reading before writing is found
    - `memory`: further arrays by name, which the kernel reaches by address
    - `steps`: accesses to memory and the like that are allowed in all, repeated ones too

    Errors: KernelError of one of its kinds; ValueError for a grid that no GPU has; what the kernel itself raises.
    """
    if not (1 <= blocks and 1 <= threads <= 1024):
        raise ValueError(f"a launch takes at least 1 block of 1 to 1024 threads, got {blocks} of {threads}")
    run = Run(steps)
    names = _names(kernel, len(arguments))
    given = [
        run.watch(argument, name, place in unwritten) if isinstance(argument, np.ndarray) else argument
        for place, (argument, name) in enumerate(zip(arguments, names, strict=True))
    ]
    for name, values in (memory or {}).items():
        run.watch(values, name)
    function = stand_in(kernel, Cuda(run, blocks, threads), run.addresses.instructions())
    with redirect_stdout(_Once(run, sys.stdout)), np.errstate(all="ignore"):
        try:
            for number in range(blocks):
                run.block = Block(run, number, threads)
                run.order.begin(number)
                run.block.execute(lambda: function(*given))
                if run.unwritten is not None and run.unwritten.shared:
                    raise run.unwritten
            if run.unwritten is not None:
                raise run.unwritten
        except Exception as error:
            if run.unwritten is not None and not isinstance(error, KernelError):
                raise run.unwritten from error  # what was not there came first
            raise without_ours(error)  # noqa: B904 - it is the same error
    run.counts.launches, run.counts.threads = 1, blocks * threads
    return run.counts


class Run:
    """A launch under way: the lane and the block at work, what was counted, who comes first."""

    lane: Lane
    block: Block

    def __init__(self, steps: int):
        self.counts, self.order, self.addresses = Counts(), Order(), Addresses(self)
        self.steps = self.left = steps
        self.unwritten: Unwritten | None = None

    def watch(self, values: np.ndarray, name: str, unwritten: bool = False) -> Watched:
        watched = Watched(self, values, name, unwritten=unwritten)
        self.addresses.add(values, watched)
        return watched

    def once(self, act: Callable | None, *arguments):
        """What `act` gives, or gave this lane when it was here before."""
        lane = self.lane
        self.step()
        if lane.at == len(lane.log):
            lane.serial += 1
            lane.log.append(act(*arguments))
        lane.at += 1
        return lane.log[lane.at - 1]

    def step(self) -> None:
        """Count a step, a repeated one too: a loop with a barrier in it repeats ever more."""
        self.left -= 1
        if self.left < 0:
            lane, source = self.lane, text(place())
            raise Endless(
                f"the launch was ended after {self.steps} steps, thread {lane.thread} of block {self.block.number} "
                f"being in `{source}`",
                steps=self.steps,
                thread=lane.thread,
                block=self.block.number,
                source=source,
            )

    @property
    def live(self) -> bool:
        """Whether what the lane does now is done for the first time."""
        return self.lane.at == len(self.lane.log)

    def stamp(self) -> Stamp:
        lane, block = self.lane, self.block
        warp_epoch = block.warp_epochs[lane.warp]
        return Stamp(block.number, lane.thread, block.epoch, warp_epoch, lane.serial, False, place())

    def mark(self) -> Mark:
        return Mark(self.lane.thread, self.block.epoch, self.lane.serial)

    def count(self, what: str, array: Watched, elements: int) -> None:
        self.lane.steps += 1
        counts, size = self.counts, elements * array.dtype.itemsize
        if what == "atomics":
            counts.atomics += 1
        elif array.shared and what == "reads":
            counts.shared_reads += elements
        elif array.shared:
            counts.shared_writes += elements
        elif what == "reads":
            counts.reads, counts.loads = counts.reads + elements, counts.loads + 1
            counts.bytes_read += size
            counts.read_from[array.name] += size
        else:
            counts.writes, counts.stores = counts.writes + elements, counts.stores + 1
            counts.bytes_written += size
            counts.written_to[array.name] += size


class _Once:
    """A stream on which a lane that is begun again does not repeat what it has printed."""

    def __init__(self, run: Run, stream):
        self._run, self._stream = run, stream

    def write(self, words: str) -> int:
        return self._stream.write(words) if self._run.live else len(words)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def _names(kernel: Any, count: int) -> list[str]:
    """What the kernel calls its arguments."""
    try:
        names = list(inspect.signature(kernel if type(kernel) is FunctionType else kernel.py_func).parameters)
    except Exception:  # not everything that can be called has one
        names = []
    return (names + [f"argument {place}" for place in range(len(names), count)])[:count]
