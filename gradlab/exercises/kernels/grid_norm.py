"""Exercise: the norm of all elements in one launch, finished by the block that comes last."""

import math
from collections.abc import Callable

import numpy as np
from numba import cuda, float64

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.kernels.playing import Played, draw, play, shares
from gradlab.exercises.kernels.rules import BY_THE_MACHINE, by_itself, by_the_machine, by_the_shares
from gradlab.exercises.mistakes import Diagnosis, Wrong, say
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial
from gradlab.pitfalls.pitfall import written

TASK = """
Write one kernel that leaves the norm of all `values`, √(Σ x²), in `norm[0]`.

- `values`: float32, any number of them; the grid does not depend on it, so a thread may have many elements or none
- `partial`: float64, one place for each block: for its sum of squares. It holds nothing before
- `ticket`: int32, `ticket[0]` is 0 before, and has to be 0 again in the end, for the next launch
- `norm`: float64, for the result
- blocks have 32 threads. The block that draws the last ticket adds up the sums of all
"""
BEFORE = -777.0  # what stands in `partial` and `norm` before


def grid_norm(values, partial, ticket, norm):
    shared = cuda.shared.array(32, float64)
    thread = cuda.threadIdx.x
    mine = float64(0)
    i = cuda.grid(1)
    while i < values.size:
        x = float64(values[i])
        mine += x * x
        i += cuda.gridsize(1)
    shared[thread] = mine
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        half //= 2
    if thread == 0:
        partial[cuda.blockIdx.x] = shared[0]
        cuda.threadfence()
        if cuda.atomic.add(ticket, 0, 1) == cuda.gridDim.x - 1:
            total = float64(0)
            for block in range(cuda.gridDim.x):
                total += partial[block]
            norm[0] = math.sqrt(total)
            ticket[0] = 0


def situation(name: str, size: int, blocks: int, seed: int, launches: int = 1) -> Fixture:
    """`size` elements; the last of several launches is looked at, each with values of its own."""
    words = (f"{size} elements and {blocks} {'block' if blocks == 1 else 'blocks'} of 32 threads"
             + (f", the {launches}nd launch with the same ticket" if launches > 1 else ""))

    def launched(function: Callable, inputs) -> tuple[Played, dict[str, np.ndarray]]:
        ticket, norm = np.zeros(1, np.int32), np.full(1, BEFORE)
        for values in inputs:
            partial = np.full(blocks, BEFORE)
            played = play(function, blocks, 32, values, partial, ticket, norm, unwritten=(1, 3))
            if played.error is not None or norm[0] == BEFORE:  # the launch before it has failed already
                break
        return played, {"partial": partial, "ticket": ticket, "norm": norm}

    def call(function, setup: Setup):
        inputs = setup.arguments
        true = float(np.linalg.norm(inputs[-1].astype(float)))
        played, left = launched(function, inputs)
        if played.error is None and launches == 1 and not math.isclose(left["norm"][0], true, rel_tol=1e-4):
            counted = shares(size, lambda marked: launched(function, [marked])[1]["norm"][0] ** 2)
            played = Played(counts=played.counts, names=played.names, shares=counted)
        return played, left, true

    def read(setup: Setup, returned) -> Reading:
        played, left, true = returned
        facts = {"played": played, "norm": float(left["norm"][0]), "norm_true": true, "partial": left["partial"],
                 "ticket": int(left["ticket"][0]), "n": size, "blocks": blocks}
        if played.error is not None:
            return Reading({"stopped": type(played.error).__name__}, facts)
        kept = all(np.array_equal(now, before) for now, before in zip(setup.arguments, inputs(), strict=True))
        changed = "" if kept else "your kernel changed `values`, which is only to be read"
        return Reading({"norm": facts["norm"]}, facts, changed)

    def inputs():
        return tuple(draw(size, seed + launch) for launch in range(launches))

    return Fixture(name, words, lambda: Setup(inputs()), read, call=call, rtol=1e-4)


SITUATIONS = (
    situation("more elements than threads", 150, 3, 11),
    situation("fewer elements than threads", 5, 2, 12),
    situation("one block", 70, 1, 13),
    situation("a second launch", 90, 3, 14, launches=2),
)


def serial(finish: Callable, put_back: bool = True) -> Callable:
    """A kernel in which one thread of each block adds its share; the last one leaves `finish(partial, own)`."""

    def program(values, partial, ticket, norm):
        if cuda.threadIdx.x:
            return
        block, blocks = cuda.blockIdx.x, cuda.gridDim.x
        chosen = (i for i in range(values.size) if i // 32 % blocks == block)
        partial[block] = sum(float(values[i]) ** 2 for i in chosen)
        cuda.threadfence()
        if cuda.atomic.add(ticket, 0, 1) == blocks - 1:
            norm[0] = finish([partial[b] for b in range(blocks)], partial[block])
            if put_back:
                ticket[0] = 0

    return program


def sizes(mine: Trial, right: Trial) -> dict:
    return {name: mine.facts[name] for name in ("norm", "norm_true", "n", "blocks", "ticket")}


WRONG = (
    Wrong("forgotten-root", "", serial(lambda partial, own: sum(partial)), sizes),
    Wrong("block-local-norm", "", serial(lambda partial, own: math.sqrt(own)), sizes),
    Wrong("block-local-norm", "sum-of-norms", serial(lambda partial, own: sum(map(math.sqrt, partial))), sizes),
    Wrong(None, "ticket", serial(lambda partial, own: math.sqrt(sum(partial)), put_back=False), sizes,
          "the first launch was right; in the second one norm[0] stayed as it was, and the ticket stands at {ticket}: "
          "no block drew the number it waits for",
          "Print what each block draws in two launches, one after the other."),
)


def from_each_block(mine: Trial, right: Trial) -> Diagnosis | None:
    """Two blocks that both write the norm: each believes that it knows it."""
    played: Played = mine.facts["played"]
    error = played.error
    if type(error).__name__ != "Race" or error.array != played.names[3] or error.other_block == error.block:
        return None
    if error.did != "wrote" or error.other_did != "wrote":
        return None
    return say("block-local-norm", "each-block", first=error.other_block, second=error.block, array=error.array,
               index=error.index)


def local_norms(mine: Trial, right: Trial) -> Diagnosis | None:
    """The norm of one block's sum, or of all blocks' added, by what the kernel itself left in `partial`."""
    facts, norm = mine.facts, mine.facts["norm"]
    if (facts["partial"] < 0).any() or (facts["partial"] > 0).sum() < 2:
        return None
    norms = np.sqrt(facts["partial"])
    if np.isclose(norms, norm, rtol=1e-4).any():
        return say("block-local-norm", **sizes(mine, right))
    if any(math.isclose(norm, total, rel_tol=1e-4) for total in (norms.sum(), facts["partial"].sum())):
        return say("block-local-norm", "sum-of-norms", **sizes(mine, right))
    return None


def unexplained(mine: Trial, right: Trial) -> str:
    facts = mine.facts
    if facts["norm"] == BEFORE:
        drawn = facts["ticket"] == facts["blocks"]
        return (f"With {mine.fixture.words} nothing was written to norm[0]; the ticket stands at "
                f"{facts['ticket']}" + (f": the last number drawn was {facts['ticket'] - 1}" if drawn else ""))
    return (f"With {mine.fixture.words} norm[0] is {written(facts['norm'])}; {written(facts['norm_true'])} is asked "
            f"for")


EXERCISE = Exercise(
    name="grid-norm",
    title="The norm over many blocks",
    minutes=25,
    difficulty=4,
    lab="07_kernels",
    task=TASK,
    signature="def grid_norm(values, partial, ticket, norm)",
    right=grid_norm,
    wrong=WRONG,
    fixtures=SITUATIONS,
    structure=(from_each_block, by_the_machine),
    symptoms=(by_itself, local_norms, by_the_shares),
    known=(*BY_THE_MACHINE, "block-local-norm"),
    unexplained=unexplained,
    hints=(
        "Three parts: each thread adds many elements, a whole grid apart; each block adds its threads, as in the tree; "
        "one block adds the blocks. How does a block know that all others have written?",
        "Thread 0 writes its block's sum to `partial`, calls `cuda.threadfence()`, and draws a ticket: "
        "`cuda.atomic.add(ticket, 0, 1)` returns what stood there before. Who draws `gridDim.x - 1` is last: it adds "
        "all of `partial`, takes one root, and puts the ticket back to 0.",
    ),
)
