"""Exercise: scale the gradients by a coefficient that only the device knows, or leave them alone."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numba import cuda

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.kernels.playing import Played, draw, play
from gradlab.exercises.kernels.rules import by_the_machine
from gradlab.exercises.mistakes import Diagnosis, Wrong, say
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial
from gradlab.pitfalls.pitfall import written

TASK = """
Write the kernel that clips: it finds the norm in `norm[0]`, where another kernel has left it, and scales `grads` in
place.

- the coefficient is `max_norm / (norm[0] + 1e-6)`, as in torch. Is it 1 or more, the kernel leaves at once: it neither
  writes gradients nor reads them
- `grads`: float32, any number of them; the grid does not depend on it
- is the norm NaN, every gradient becomes NaN, as in torch: an error that spreads is found
"""


def clip_kernel(grads, norm, max_norm):
    coefficient = max_norm / (norm[0] + 1e-6)
    if coefficient >= 1:
        return
    i = cuda.grid(1)
    while i < grads.size:
        grads[i] *= coefficient
        i += cuda.gridsize(1)


def situation(name: str, size: int, max_norm: float, seed: int, poison: float | None = None) -> Fixture:
    """`size` gradients of which the norm is known; one of them may be NaN or infinite."""

    def fresh() -> np.ndarray:
        grads = draw(size, seed)
        if poison is not None:
            grads[size // 3] = poison
        return grads

    norm = float(np.linalg.norm(fresh().astype(float)))

    def build() -> Setup:
        return Setup((fresh(), np.array([norm], np.float32), max_norm))

    def call(function, setup: Setup) -> Played:
        return play(function, 2, 32, *setup.arguments)

    def read(setup: Setup, played: Played) -> Reading:
        after, before = setup.arguments[0], fresh()
        grads = played.names[0] if played.names else ""
        facts = {"played": played, "before": before, "after": after, "norm": norm, "max_norm": max_norm, "n": size,
                 "reads": played.counts.read_from[grads] // 4, "writes": played.counts.written_to[grads] // 4,
                 "n_finite": int(np.isfinite(after).sum())}
        if played.error is not None:
            return Reading({"stopped": type(played.error).__name__}, facts)
        result = {"gradients": torch.from_numpy(after)}
        if norm < max_norm:
            result |= {"writes": float(facts["writes"]), "reads": float(facts["reads"])}
        return Reading(result, facts)

    words = f"{size} gradients with norm {norm:.4g} and max_norm {max_norm:g}"
    return Fixture(name, words.replace("norm nan", "norm NaN"), build, read, call=call, rtol=1e-4)


SITUATIONS = (
    situation("over the limit", 150, 1.5, 21),
    situation("under the limit", 150, 50.0, 22),
    situation("fewer elements than threads", 7, 0.5, 23),
    situation("a NaN", 150, 1.5, 24, math.nan),
    situation("an infinity", 90, 1.5, 25, math.inf),
)


def scaled(coefficient: Callable[[float, float], float], leave: Callable[[float, float], bool]) -> Callable:
    """A kernel that multiplies by a coefficient of norm and limit, unless it leaves."""

    def program(grads, norm, max_norm):
        before = float(norm[0]) + 1e-6
        if leave(before, max_norm):
            return
        factor = coefficient(before, max_norm)
        for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
            grads[i] *= factor

    return program


def ratio(norm: float, max_norm: float) -> float:
    return max_norm / norm


def upside_down(norm: float, max_norm: float) -> float:
    return norm / max_norm


def one_or(norm: float, max_norm: float) -> float:
    """The coefficient, cut at 1. NaN stays."""
    return 1.0 if norm <= max_norm else max_norm / norm


def reads_only(grads, norm, max_norm):
    if max_norm / (norm[0] + 1e-6) >= 1:
        for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
            grads[i]
    else:
        clip_kernel(grads, norm, max_norm)


def looks(grads, norm, max_norm):
    norm[0]


def sizes(mine: Trial, right: Trial) -> dict:
    before, after = mine.facts["before"], mine.facts["after"]
    quoted = ("norm", "max_norm", "n", "n_finite", "reads", "writes")
    return {name: mine.facts[name] for name in quoted} | {"coef": float(np.nanmedian(after / before))}


WRONG = (
    Wrong("always-writes", "", scaled(one_or, lambda norm, limit: False), sizes),
    Wrong("always-writes", "reads", reads_only, sizes),
    Wrong("inverted-coefficient", "", scaled(upside_down, lambda norm, limit: norm <= limit), sizes),
    Wrong("inverted-coefficient", "", scaled(upside_down, lambda norm, limit: False), sizes),
    Wrong("inverted-coefficient", "decision", scaled(upside_down, lambda norm, limit: norm >= limit), sizes),
    Wrong("inverted-coefficient", "decision", scaled(ratio, lambda norm, limit: limit / norm < 1), sizes),
    Wrong("nan-slips-through", "", scaled(ratio, lambda norm, limit: not norm > limit), sizes),
    Wrong("nan-slips-through", "", scaled(ratio, lambda norm, limit: not limit < norm < math.inf), sizes),
    Wrong("always-normalise", "", scaled(ratio, lambda norm, limit: False), sizes),
    Wrong(None, "nothing", looks, sizes,
          "The norm was {norm}, over your limit of {max_norm}, and no gradient changed",
          "Print the coefficient that thread 0 computes."),
)


def taken_together(mine: Trial, right: Trial) -> Diagnosis | None:
    """Two threads that both scale one gradient."""
    played: Played = mine.facts["played"]
    error = played.error
    if type(error).__name__ != "Race" or error.array != played.names[0]:
        return None
    both = error.did == error.other_did == "wrote" or error.source == error.other_source
    if not both:  # one only reads it, as far as anybody knows
        return None
    within = error.block == error.other_block
    first, second = (error.other, error.thread) if within else (error.other_block, error.block)
    what = "thread" if within else "block"
    return say("wrong-tail", "together", first=f"{what} {first}", second=f"{what} {second}", array=error.array,
               index=error.index)


def left_out(mine: Trial, right: Trial) -> Diagnosis | None:
    """Gradients that were not scaled, or twice, while others were scaled as they are meant to be."""
    if not mine.facts["norm"] > mine.facts["max_norm"] or not math.isfinite(mine.facts["norm"]):
        return None
    factor = mine.facts["max_norm"] / mine.facts["norm"]
    with np.errstate(all="ignore"):
        times = np.log(mine.facts["after"] / mine.facts["before"]) / math.log(factor)
    whole = np.round(times)
    if not np.isfinite(times).all() or np.abs(times - whole).max() > 1e-3 or not whole.any() or (whole == 1).all():
        return None
    lost, more = (whole == 0).nonzero()[0], (whole > 1).nonzero()[0]
    array, n = mine.facts["played"].names[0], len(whole)
    if len(more):
        return say("wrong-tail", "twice", n_twice=len(more), n=n, array=array, index=int(more[0]),
                   times=int(whole[more[0]]))
    return say("wrong-tail", n_lost=len(lost), n=n, array=array, index=int(lost[0]))


def unexplained(mine: Trial, right: Trial) -> str:
    facts, asked = mine.facts, right.facts["after"]
    place = int((~np.isclose(facts["after"], asked, rtol=1e-4, equal_nan=True)).argmax())
    array = facts["played"].names[0]
    return (f"With {mine.fixture.words} {array}[{place}] was {written(float(facts['before'][place]))} and came out as "
            f"{written(float(facts['after'][place]))}; {written(float(asked[place]))} is asked for")


EXERCISE = Exercise(
    name="clip-kernel",
    title="Clip, or leave at once",
    minutes=15,
    difficulty=3,
    lab="07_kernels",
    task=TASK,
    signature="def clip_kernel(grads, norm, max_norm)",
    right=clip_kernel,
    wrong=WRONG,
    fixtures=SITUATIONS,
    structure=(taken_together, by_the_machine),
    symptoms=(left_out,),
    known=("wrong-tail", "reading-past-end"),
    unexplained=unexplained,
    hints=(
        "Every thread can compute the coefficient for itself. For which coefficients is there nothing to do, and to "
        "which of them does NaN belong? What is the answer of a comparison with NaN?",
        "Compute the coefficient from `norm[0]`; `if coefficient >= 1: return` lets a NaN go on. Then stride over the "
        "gradients from `cuda.grid(1)` by `cuda.gridsize(1)`, and multiply each in place.",
    ),
)
