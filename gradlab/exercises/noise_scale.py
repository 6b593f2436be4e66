"""Exercise: the gradient noise scale from gradient norms at two batch sizes."""

import math
from collections.abc import Callable, Sequence

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial, Unfit, number
from gradlab.pitfalls.pitfall import written

TASK = """
Estimate the gradient noise scale from the norms that an accumulation loop has logged.

- `small_norms` and `large_norms` are lists of the same length, one entry an update: the norm of the gradient of one
  micro-batch of `small_batch` examples, and that of the whole window of `large_batch` examples
- on average the *squared* norm of the gradient of B examples is `signal + noise / B`. Two batch sizes are two equations
  for the two unknowns; solved for one update:
  - `signal = (large_batch * large**2 - small_batch * small**2) / (large_batch - small_batch)`
  - `noise = (small**2 - large**2) / (1 / small_batch - 1 / large_batch)`
- the noise scale is `noise / signal`, a number of examples. Single updates scatter widely, so use all of them, and use
  them well
- if the estimate of the signal is not above 0, there is no noise scale: return `math.nan`
"""


def noise_scale(small_norms: Sequence[float], large_norms: Sequence[float], small_batch: int,
                large_batch: int) -> float:
    small = sum(norm * norm for norm in small_norms) / len(small_norms)
    large = sum(norm * norm for norm in large_norms) / len(large_norms)
    signal = (large_batch * large - small_batch * small) / (large_batch - small_batch)
    noise = (small - large) / (1 / small_batch - 1 / large_batch)
    return noise / signal if signal > 0 else math.nan


def situation(words: str, small_batch: int, large_batch: int, signal: float, noise: float,
              scatter: Sequence[tuple[float, float]]) -> Fixture:
    """An update for each of `scatter`: factors of its squared norms against those that are right on average."""
    small = [math.sqrt((signal + noise / small_batch) * factor) for factor, _ in scatter]
    large = [math.sqrt((signal + noise / large_batch) * factor) for _, factor in scatter]

    def build() -> Setup:
        return Setup((list(small), list(large), small_batch, large_batch))

    def read(setup: Setup, returned) -> Reading:
        kept = setup.arguments[:2] == (small, large)
        facts = {"small": small, "large": large, "small_batch": small_batch, "large_batch": large_batch}
        changed = "" if kept else "your function changed the norms it was given"
        if returned is None and math.isnan(noise_scale(small, large, small_batch, large_batch)):
            raise Unfit("your function returned None where the estimate of the signal is not above 0; return "
                        "`float(\"nan\")` there")
        return Reading({"noise scale": number(returned)}, facts, changed)

    return Fixture(words, words, build, read)


# The factors have the mean 1, so that the first four situations have the noise scale of their signal and noise.
ONE = ((1.0, 1.0),)
SOME = ((1.3, 1.7), (0.8, 0.6), (1.1, 0.9), (0.7, 1.1), (1.2, 0.8), (0.9, 0.9))
WIDE = ((1.25, 0.75), (0.75, 1.25), (1.5, 0.9), (0.5, 1.1))

SITUATIONS = (
    situation("one update with batches of 16 and 128", 16, 128, 0.04, 6.4, ONE),
    situation("six updates with batches of 16 and 128", 16, 128, 0.04, 6.4, SOME),
    situation("four updates with batches of 8 and 32", 8, 32, 2.5, 50.0, WIDE),
    situation("six updates with batches of 1 and 64", 1, 64, 0.3, 120.0, SOME),
    situation("three updates whose estimate of the signal is below 0", 16, 128, 1e-3, 8.0,
              ((1.2, 0.7), (1.4, 0.8), (1.1, 0.6))),
)


def estimate(*, root: Callable = lambda norm: norm**2, swapped: bool = False, biased: str = "", short: bool = False,
             inverted: bool = False, sign: int = 1, always: bool = False, only: str = "") -> Callable:
    """The right program with one thing exchanged."""

    def program(small_norms, large_norms, small_batch, large_batch):
        small, large = (sum(map(root, norms)) / len(norms) for norms in (small_norms, large_norms))
        b, B = (large_batch, small_batch) if swapped else (small_batch, large_batch)
        signal = (B * large - b * small) / (B - b)
        signal = {"large": large, "small": small}.get(biased, signal)
        noise = sign * (small - large) * (b if short else 1 / (1 / b - 1 / B))
        if only:
            return {"signal": signal, "noise": noise}[only]
        if not (always or signal > 0):
            return math.nan
        return signal / noise if inverted else noise / signal

    return program


def single(small: float, large: float, small_batch: int, large_batch: int) -> float:
    """The estimate of one update."""
    return noise_scale([small], [large], small_batch, large_batch)


def mean_of_ratios(small_norms, large_norms, small_batch, large_batch):
    found = [estimate(always=True)([small], [large], small_batch, large_batch)
             for small, large in zip(small_norms, large_norms, strict=True)]
    return sum(found) / len(found)


def mean_of_good_ratios(small_norms, large_norms, small_batch, large_batch):
    found = [single(small, large, small_batch, large_batch)
             for small, large in zip(small_norms, large_norms, strict=True)]
    good = [value for value in found if not math.isnan(value)]
    return sum(good) / len(good) if good else math.nan


def of_some_updates(keep: Callable) -> Callable:
    """A program that averages signal and noise, and treats an update whose own signal is not above 0 otherwise."""

    def program(small_norms, large_norms, small_batch, large_batch):
        pairs = [(estimate(only="signal", always=True)([small], [large], small_batch, large_batch),
                  estimate(only="noise", always=True)([small], [large], small_batch, large_batch))
                 for small, large in zip(small_norms, large_norms, strict=True)]
        pairs = keep(pairs)
        signal = sum(signal for signal, _ in pairs)
        return sum(noise for _, noise in pairs) / signal if signal > 0 else math.nan

    return program


def left_out(pairs: list) -> list:
    return [pair for pair in pairs if pair[0] > 0]


def set_to_zero(pairs: list) -> list:
    return [(max(0.0, signal), noise) for signal, noise in pairs]


def given_up(pairs: list) -> list:
    return pairs if len(left_out(pairs)) == len(pairs) else []


def whatever_sign(small_norms, large_norms, small_batch, large_batch):
    return abs(estimate(always=True)(small_norms, large_norms, small_batch, large_batch))


def square_of_mean(small_norms, large_norms, small_batch, large_batch):
    small, large = (sum(norms) / len(norms) for norms in (small_norms, large_norms))
    return noise_scale([small], [large], small_batch, large_batch)


def last_only(small_norms, large_norms, small_batch, large_batch):
    return noise_scale(small_norms[-1:], large_norms[-1:], small_batch, large_batch)


def first_only(small_norms, large_norms, small_batch, large_batch):
    return noise_scale(small_norms[:1], large_norms[:1], small_batch, large_batch)


def told(mine: Trial, right: Trial) -> dict:
    """The learner's value and the right one, the batch sizes, the mean squared norms and the single estimates."""
    facts, n = mine.facts, len(mine.facts["small"])
    b, B = facts["small_batch"], facts["large_batch"]
    small, large = (sum(norm**2 for norm in facts[name]) / n for name in ("small", "large"))
    singles = [estimate(always=True)([s], [g], b, B) for s, g in zip(facts["small"], facts["large"], strict=True)]
    return {"yours": mine.result["noise scale"], "true": right.result["noise scale"], "n": n, "b": b, "big": B,
            "small": small, "large": large, "signal": (B * large - b * small) / (B - b),
            "lowest": min(singles), "highest": max(singles)}


def mistake(variant: str, *programs: Callable) -> list[Wrong]:
    return [Wrong("wrong-noise-scale", variant, program, told) for program in programs]


def both(**exchanged) -> list[Callable]:
    """Looking whether the signal is above 0, and not."""
    return [estimate(always=always, **exchanged) for always in (False, True)]


WRONG = (
    *mistake("mean-of-ratios", mean_of_ratios, mean_of_good_ratios),
    *mistake("not-squared", *both(root=lambda norm: norm)),
    *mistake("updates-picked", of_some_updates(left_out), of_some_updates(set_to_zero)),
    *mistake("given-up", of_some_updates(given_up)),
    *mistake("sign-dropped", whatever_sign),
    *mistake("square-of-mean", square_of_mean),
    *mistake("sizes-swapped", *both(swapped=True)),
    *mistake("window-as-signal", estimate(biased="large", always=True)),
    *mistake("micro-batch-as-signal", estimate(biased="small", always=True)),
    *mistake("window-without-noise", *both(short=True)),
    *mistake("upside-down", *both(inverted=True)),
    *mistake("sign", *both(sign=-1)),
    *mistake("noise-only", estimate(only="noise")),
    *mistake("signal-only", estimate(only="signal")),
    *mistake("one-update", last_only, first_only),
    *mistake("below-zero", estimate(always=True)),
)


def unexplained(mine: Trial, right: Trial) -> str:
    yours, true = mine.result["noise scale"], right.result["noise scale"]
    if math.isnan(true):
        return (f"With {mine.fixture.words} you returned {written(yours)}; there is no noise scale, and math.nan is "
                "asked for")
    return f"With {mine.fixture.words} you got {written(yours)}; the noise scale is {written(true)}"


EXERCISE = Exercise(
    name="noise-scale",
    title="How large a batch is worth it",
    minutes=10,
    difficulty=3,
    lab="03_accumulation",
    task=TASK,
    signature="def noise_scale(small_norms, large_norms, small_batch, large_batch) -> float",
    right=noise_scale,
    wrong=WRONG,
    fixtures=SITUATIONS,
    unexplained=unexplained,
    hints=(
        "Of six updates one may have a signal close to 0, or below it. What does that do to the mean of six ratios? "
        "And what does it do to a mean of six signals?",
        "Average the squares of `small_norms` and those of `large_norms` first. Put these two means into the two "
        "formulas, and divide once, at the end, if the signal is above 0.",
    ),
)
