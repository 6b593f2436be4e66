"""Exercise: the sum of squares of the elements of each block, added by all of its threads."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numba import cuda, float64

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.kernels.playing import Played, draw, play, shares
from gradlab.exercises.kernels.rules import BY_THE_MACHINE, by_itself, by_the_machine, by_the_shares
from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial
from gradlab.pitfalls.pitfall import written

TASK = """
Write a kernel in which each block adds the squares of its own elements and writes the sum to `sums[b]`, where `b` is
the number of the block.

- `values`: float32. Thread `cuda.grid(1)` has the element of that number; the last block may have threads without one
- `sums`: float64, one place for each block. What stands in it before is of no meaning
- blocks have 32 or 64 threads, and all threads of a block work on one shared array, in halves
- add in float64: `float64(x)`
"""
BEFORE = -777.0  # what stands in `sums` before


def block_sum(values, sums):
    shared = cuda.shared.array(64, float64)
    thread, i = cuda.threadIdx.x, cuda.grid(1)
    x = float64(0)
    if i < values.size:
        x = float64(values[i])
    shared[thread] = x * x
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        half //= 2
    if thread == 0:
        sums[cuda.blockIdx.x] = shared[0]


def situation(name: str, size: int, threads: int, seed: int) -> Fixture:
    """`size` elements in as many blocks as they need."""
    blocks = -(-size // threads)
    words = f"{size} elements in {blocks} {'block' if blocks == 1 else 'blocks'} of {threads} threads"

    def once(function, values) -> tuple[Played, np.ndarray]:
        sums = np.full(blocks, BEFORE)
        return play(function, blocks, threads, values, sums, unwritten=(1,)), sums

    def call(function, setup: Setup):
        (values,) = setup.arguments
        true = np.array([float((part.astype(float) ** 2).sum())
                         for part in np.split(values, range(threads, size, threads))])
        played, sums = once(function, values)
        if played.error is None and not np.allclose(sums, true, rtol=1e-4):
            counted = shares(size, lambda marked: once(function, marked)[1].sum())
            played = Played(counts=played.counts, names=played.names, shares=counted)
        return played, sums, true

    def read(setup: Setup, returned) -> Reading:
        played, sums, true = returned
        facts = {"played": played, "sums": sums, "true": true}
        if played.error is not None:
            return Reading({"stopped": type(played.error).__name__}, facts)
        changed = "" if np.array_equal(*setup.seen) else "your kernel changed `values`, which is only to be read"
        did = played.counts
        if np.allclose(sums, true, rtol=1e-4) and not (did.barriers or did.shuffles or did.atomics):
            changed = changed or ("the sums are right, and in each block one thread has added alone: no thread met "
                                  "another, and the sum is to be added by all")
        return Reading({"sums": torch.from_numpy(sums)}, facts, changed)

    def build() -> Setup:
        values = draw(size, seed)
        return Setup((values,), seen=(values, draw(size, seed)))

    return Fixture(name, words, build, read, call=call, rtol=1e-4)


SITUATIONS = (
    situation("several blocks", 75, 32, 1),
    situation("one full block", 64, 64, 2),
    situation("less than half a block", 29, 64, 3),
)



def serial(of: Callable[[float], float], finish: Callable[[float], float] = float) -> Callable:
    """A kernel in which one thread of each block adds `of` each element."""

    def program(values, sums):
        if cuda.threadIdx.x == 0:
            elements = range(cuda.grid(1), min(values.size, cuda.grid(1) + cuda.blockDim.x))
            sums[cuda.blockIdx.x] = finish(sum(of(float(values[i])) for i in elements))

    return program


def first_sum(mine: Trial, right: Trial) -> dict:
    yours, true = mine.facts["sums"], mine.facts["true"]
    place = int((~np.isclose(yours, true, rtol=1e-4)).nonzero()[0][0])
    return {"block": place, "yours": float(yours[place]), "true": float(true[place])}


WRONG = (
    Wrong(None, "no squares", serial(float), first_sum,
          "In sums[{block}] stands {yours}, the sum of the elements; {true} is the sum of their squares",
          "Print what a thread puts into shared memory, beside its element."),
    Wrong(None, "no squares", serial(abs), first_sum,
          "In sums[{block}] stands {yours}, the sum of the elements' sizes; {true} is the sum of their squares",
          "Print what a thread puts into shared memory, beside its element."),
    Wrong(None, "rooted", serial(lambda x: x * x, math.sqrt), first_sum,
          "In sums[{block}] stands {yours}, and {true} is asked for, its square: roots cannot be added over blocks",
          "Compute the norms of [3] and [4], and of [3, 4]."),
)


def unexplained(mine: Trial, right: Trial) -> str:
    told = first_sum(mine, right)
    if told["yours"] == BEFORE:
        return f"With {mine.fixture.words} nothing was written to sums[{told['block']}]"
    return (f"With {mine.fixture.words} sums[{told['block']}] is {written(told['yours'])}; {written(told['true'])} is "
            f"asked for")


EXERCISE = Exercise(
    name="block-sum",
    title="A tree in shared memory",
    minutes=15,
    difficulty=3,
    lab="07_kernels",
    task=TASK,
    signature="def block_sum(values, sums)",
    right=block_sum,
    wrong=WRONG,
    fixtures=SITUATIONS,
    structure=(by_the_machine,),
    symptoms=(by_itself, by_the_shares),
    known=BY_THE_MACHINE,
    unexplained=unexplained,
    hints=(
        "Follow 8 threads on paper: what has thread 0 added after the first round, and who wrote what it read? What do "
        "threads without an element put into the shared array?",
        "Every thread writes its square, or 0, to `shared[thread]`; then a barrier. Then half of the threads add the "
        "other half's numbers to their own, a quarter, and so on, with a barrier after each round that *all* threads "
        "pass. In the end thread 0 writes `shared[0]`.",
    ),
)
