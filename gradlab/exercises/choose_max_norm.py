"""Exercise: choose a limit from a history of measured gradient norms."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.mistakes import Diagnosis, say
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial, number
from gradlab.pitfalls.pitfall import written

FEWEST, MOST = 0.02, 0.25  # shares of the finite norms that a fair limit lies below
SPIKE = 10  # times the median

TASK = f"""
Choose a `max_norm` from gradient norms that were measured without clipping, one a step.

- it lets ordinary gradients pass: of the finite norms at most {MOST:.0%} lie above it
- it acts now and then: at least {FEWEST:.0%} lie above it
- it catches every spike, that is every norm over {SPIKE} times the median
- `norms` is a list or an array. It may be short, and it may hold inf and NaN; leave it as it is
- if no norm is finite, raise `ValueError`
"""


def choose_max_norm(norms: Sequence[float]) -> float:
    finite = [norm for norm in norms if math.isfinite(norm)]
    if not finite:
        raise ValueError(f"a limit needs a finite norm, got {len(norms)} norms without any")
    return float(np.percentile(finite, 90))


def situation(words: str, make: Callable[[], Sequence[float]], raises: type[Exception] | None = None) -> Fixture:
    """A history of norms, made afresh by `make` for each trial."""

    def build() -> Setup:
        norms = make()
        return Setup((norms,), seen=norms)

    def read(setup: Setup, returned) -> Reading:
        norms, limit = np.array(make(), dtype=float), number(returned)
        kept = len(setup.seen) == len(norms) and np.array_equal(np.asarray(setup.seen), norms, equal_nan=True)
        finite = norms[np.isfinite(norms)]
        median = float(np.median(finite)) if len(finite) else math.nan
        facts = {"share": float((finite > limit).mean()) if len(finite) else math.nan, "norm_med": median,
                 "n": len(norms), "n_bad": len(norms) - len(finite), "largest": float(max(finite, default=math.nan)),
                 "missed": int(((finite > SPIKE * median) & (finite <= limit)).sum())}
        return Reading({"limit": limit}, facts, "" if kept else "your function changed the norms it was given")

    return Fixture(words, words, build, read, raises=raises, accepts=_fair)


def _fair(trial: Trial) -> bool:
    if "raised" in trial.result or trial.fixture.raises is not None:
        return "raised" in trial.result and trial.fixture.raises is not None
    limit, facts = trial.result["limit"], trial.facts
    return 0 < limit < math.inf and FEWEST <= facts["share"] <= MOST and not facts["missed"]


def ordinary(median: float, count: int, *, falling: float = 1.0) -> np.ndarray:
    """Norms around a median, as runs have them: their logarithms are spread evenly to both sides."""
    draw = np.random.default_rng(7).lognormal(math.log(median), 0.45, count)
    return draw * np.linspace(falling, 1, count)


def with_others(norms: np.ndarray, others: Sequence[float]) -> list[float]:
    """A history with other values at places spread over it."""
    history = norms.tolist()
    for place, other in zip(np.linspace(5, len(norms) - 5, len(others)).astype(int), others, strict=True):
        history[place] = other
    return history


INF, NAN = math.inf, math.nan

SITUATIONS = (
    situation("400 norms around 2.5", lambda: ordinary(2.5, 400).tolist()),
    situation("600 norms around 20, six of them spikes",
              lambda: with_others(ordinary(20, 600), [900, 4000, 700, 20000, 1500, 640])),
    situation("600 norms around 0.01, four of them spikes",
              lambda: with_others(ordinary(0.01, 600), [0.4, 3.0, 0.35, 0.8])),
    situation("an array of 500 norms around 6", lambda: ordinary(6, 500, falling=1.3)),
    situation("300 norms around 3, two of them inf and three NaN",
              lambda: with_others(ordinary(3, 300), [NAN, INF, NAN, INF, NAN])),
    situation("10 norms, one of them NaN", lambda: [3.1, 2.4, 2.9, 3.6, 7.9, NAN, 2.2, 3.3, 4.1, 2.6]),
    situation("no norms at all", list, ValueError),
    situation("three norms, none of them finite", lambda: [NAN, INF, NAN], ValueError),
)


def no_number(mine: Trial, right: Trial) -> Diagnosis | None:
    """A limit of inf or NaN that came from inf or NaN in the history."""
    limit, facts = mine.result["limit"], mine.facts
    if not math.isfinite(limit) and facts["n_bad"]:
        return say("clip-cures-nonfinite", "in-threshold", max_norm=limit, n=facts["n"], n_bad=facts["n_bad"])


def not_positive(mine: Trial, right: Trial) -> Diagnosis | None:
    """A limit of 0 or below."""
    if (limit := mine.result["limit"]) <= 0:
        return say("max-norm-not-positive", "chosen", max_norm=limit)


def most_clipped(mine: Trial, right: Trial) -> Diagnosis | None:
    """A limit that at least half of all steps exceed."""
    if (share := mine.facts["share"]) >= 0.495:
        return say("always-clipped", "chosen", max_norm=mine.result["limit"], percent=100 * share,
                   norm_med=mine.facts["norm_med"])


def symptoms(mine: Trial, right: Trial) -> Diagnosis | None:
    """The first of these on one history, so that the first history that goes wrong decides."""
    return no_number(mine, right) or not_positive(mine, right) or most_clipped(mine, right)


def unexplained(mine: Trial, right: Trial) -> str:
    if mine.fixture.raises is not None or "raised" in mine.result:
        return ""
    limit, facts = mine.result["limit"], mine.facts
    at = f"With {mine.fixture.words} (median {written(facts['norm_med'])}) your limit is {written(limit)}: "
    if facts["missed"]:
        return at + (f"{facts['missed']} of the spikes, which are over {SPIKE} times the median, pass untouched")
    if not facts["share"]:
        return at + f"nothing is ever clipped, for the largest finite norm is {written(facts['largest'])}"
    return at + (f"{written(100 * facts['share'])} % of the finite norms lie above it; "
                 f"{100 * FEWEST:g} % to {100 * MOST:g} % are asked for")


EXERCISE = Exercise(
    name="choose-max-norm",
    title="A limit from measured norms",
    minutes=10,
    difficulty=2,
    lab="01_clipping",
    task=TASK,
    signature="def choose_max_norm(norms) -> float",
    right=choose_max_norm,
    wrong=(),
    fixtures=SITUATIONS,
    symptoms=(symptoms,),
    known=("always-clipped", "clip-cures-nonfinite", "max-norm-not-positive"),
    unexplained=unexplained,
    hints=(
        "Sort a history in your mind: most norms lie close together, a few far above. Which place in that order can a "
        "handful of huge values not move? And what does a mean do when one value is NaN?",
        "Keep the finite norms (`math.isfinite`), refuse an empty rest, and take their 90th percentile.",
    ),
)
