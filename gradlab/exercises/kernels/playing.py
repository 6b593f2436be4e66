"""Trying a learner's kernel: one launch or several on the machine that counts, whatever the kernel does."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from gradlab_kernels.ladder.machine import Counts, KernelError, launch

STEPS = 400_000  # of all threads; a right kernel takes a tenth of it
DIGITS = 10  # elements whose share is found by one launch


@dataclass(frozen=True)
class Played:
    """What a kernel did in a situation.

    - `error`: what it must not do and did; None without
    - `counts`: what it did otherwise
    - `names`: what it calls its arguments
    - `shares`: how often each element counts in the result; None where that was not asked or cannot be said
    """

    error: KernelError | None = None
    counts: Counts = field(default_factory=Counts)
    names: tuple[str, ...] = ()
    shares: np.ndarray | None = None


def play(kernel: Callable, blocks: int, threads: int, *arguments, unwritten: Sequence[int] = ()) -> Played:
    """One launch. An error of the kernel's own is raised, one that only this machine sees is in `Played`."""
    try:
        counts = launch(kernel, blocks, threads, *arguments, unwritten=unwritten, steps=STEPS)
    except KernelError as error:
        return Played(error, names=names(kernel))
    return Played(counts=counts, names=names(kernel))


def names(kernel: Callable) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(kernel).parameters)
    except Exception:
        return ()


def draw(size: int, seed: int) -> np.ndarray:
    """Random float32 values, not symmetric around 0, none of them twice."""
    return (np.random.default_rng(seed).standard_normal(size) - 0.3).astype(np.float32)


def shares(size: int, total: Callable[[np.ndarray], float]) -> np.ndarray | None:
    """How often the square of each of `size` elements counts in `total(values)`; None where it is no sum of squares.

    The squares are powers of 16, a few elements at a time and 0 elsewhere: the digits of the total, written to the
    base 16, are the shares.
    """
    found = np.zeros(size, int)
    for start in range(0, size, DIGITS):
        values = np.zeros(size, np.float32)
        marked = values[start:start + DIGITS]
        marked[:] = 4.0 ** np.arange(len(marked))
        rest = total(values)
        if not (0 <= rest < 16.0 ** (DIGITS + 1) and abs(rest - round(rest)) < 0.01):
            return None
        rest = round(rest)
        for place in range(start, min(start + DIGITS, size)):
            rest, found[place] = divmod(rest, 16)
        if rest:
            return None
    return found if _adds_up(found, total) else None


def _adds_up(found: np.ndarray, total: Callable[[np.ndarray], float]) -> bool:
    """Whether nothing gives 0, and the first element with a share other than 1 alone gives its share."""
    alone = np.zeros(len(found), np.float32)
    if total(alone) != 0:
        return False
    place = int((found != 1).argmax())
    alone[place] = 1
    return abs(total(alone) - found[place]) < 0.01
