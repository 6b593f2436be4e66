"""Exercise: a cosine decay that begins where the warmup ends."""

import math
from collections.abc import Callable

import torch

from gradlab import pitfalls
from gradlab.exercises.exercise import Exercise
from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial, number
from gradlab.pitfalls.pitfall import written

TASK = """
Give the learning rate of step number `step`; the first step has number 0.

- the first `warmup_steps` steps are a linear warmup: step 0 runs at `base_lr / warmup_steps`, step `warmup_steps - 1`
  at `base_lr`. `warmup_steps` may be 0
- then the rate falls along half a wave of the cosine: step `warmup_steps` runs at `base_lr`, a step half way from
  there to `total_steps` at half of it, and step `total_steps` at 0
- all later steps run at 0

`total_steps` is larger than `warmup_steps`.
"""


def cosine_lr(step: int, base_lr: float, warmup_steps: int, total_steps: int) -> float:
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    done = (step - warmup_steps) / (total_steps - warmup_steps)
    return base_lr * (1 + math.cos(math.pi * min(1.0, done))) / 2


def situation(words: str, base_lr: float, warmup_steps: int, total_steps: int, steps: tuple[int, ...]) -> Fixture:
    """The rates of some `steps`; `words` says with what."""

    def read(setup: Setup, returned: list) -> Reading:
        # As one tensor, compared relative to the largest rate: 1 + cos near 0 has few digits left in float32.
        rates = torch.tensor([number(rate, f"your function, at step {step},") for step, rate in
                              zip(steps, returned, strict=True)], dtype=torch.float64)
        told = {"steps": steps, "base_lr": base_lr, "warmup_steps": warmup_steps, "total_steps": total_steps}
        return Reading({"rates": rates}, told)

    return Fixture(f"{warmup_steps} of {total_steps} steps", words,
                   lambda: Setup((base_lr, warmup_steps, total_steps)), read,
                   call=lambda function, setup: [function(step, *setup.arguments) for step in steps])


SITUATIONS = (
    situation("base_lr 0.3, warmup_steps 4 and total_steps 15", 0.3, 4, 15, tuple(range(22))),
    situation("base_lr 4e-4, warmup_steps 200 and total_steps 2001", 4e-4, 200, 2001,
              (0, 1, 99, 198, 199, 200, 201, 500, 1100, 1600, 1999, 2000, 2001, 2002, 3000, 4000)),
    situation("base_lr 0.05, warmup_steps 0 and total_steps 8", 0.05, 0, 8, tuple(range(12))),
    situation("base_lr 2.0, warmup_steps 1 and total_steps 7", 2.0, 1, 7, tuple(range(10))),
)

Share = Callable[[int, int, int], float]  # of the decay that is done, from step, warmup_steps and total_steps


def right_share(step: int, warmup_steps: int, total_steps: int) -> float:
    return min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))


def half_wave(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


def falling(done: Share = right_share, factor: Callable[[float], float] = half_wave) -> Callable:
    """A right warmup, then `factor` of the share of the decay that is `done`."""

    def program(step, base_lr, warmup_steps, total_steps):
        if step < warmup_steps:
            return base_lr * (step + 1) / warmup_steps
        return base_lr * factor(done(step, warmup_steps, total_steps))

    return program


def clamped(done: Share) -> Share:
    return lambda step, warmup_steps, total_steps: max(0.0, min(1.0, done(step, warmup_steps, total_steps)))


def rising(shift: int, longer: int = 0) -> Callable:
    """A warmup whose share is (step + shift) / (warmup_steps + longer), then a right decay."""

    def program(step, base_lr, warmup_steps, total_steps):
        if step < warmup_steps:
            return base_lr * min(1.0, (step + shift) / max(1, warmup_steps + longer))
        return cosine_lr(step, base_lr, warmup_steps, total_steps)

    return program


def decay_on_the_ramp(step, base_lr, warmup_steps, total_steps):
    return base_lr * min(1.0, (step + 1) / max(1, warmup_steps)) * half_wave(min(1.0, step / total_steps))


def rates(mine: Trial, right: Trial) -> dict:
    """What the messages quote: the first rate that is off, its neighbours, and the lengths."""
    yours, planned = mine.result["rates"].tolist(), right.result["rates"].tolist()
    steps, total, warmup = (mine.facts[name] for name in ("steps", "total_steps", "warmup_steps"))
    near = 1e-3 * max(map(abs, planned))
    place = next(place for place, (a, b) in enumerate(zip(yours, planned, strict=True)) if not abs(a - b) <= near)
    return {"i": steps[place] + 1, "lr": yours[place], "lr_planned": planned[place], "lr_first": planned[0],
            "lr_second": yours[1], "base_lr": mine.facts["base_lr"], "n": total, "n_true": total - warmup,
            "share": f"{warmup / total:.0%}"}


def risen(mine: Trial, right: Trial) -> dict:
    """The first rate that is larger than the one before it, after the warmup."""
    yours, steps = mine.result["rates"].tolist(), mine.facts["steps"]
    place = next(place for place in range(1, len(steps))
                 if steps[place - 1] >= mine.facts["warmup_steps"] and yours[place] > yours[place - 1] * 1.001)
    return {"i": steps[place] + 1, "lr": yours[place], "lr_before": yours[place - 1], "j": steps[place - 1] + 1}


ASKED = "Update {i} used learning rate {lr} where {lr_planned} is asked for: "


def unnamed(variant: str, message: str, experiment: str, program: Callable) -> Wrong:
    """A mistake without an id in the catalogue."""
    return Wrong(None, variant, program, rates, ASKED + message, experiment)


PLACES = (  # of the decay, beside the warmup and the end
    Wrong("decay-out-of-place", "", falling(clamped(lambda step, w, total: step / total)), rates),
    Wrong("decay-out-of-place", "", falling(clamped(lambda step, w, total: step / (total - w))), rates),
    Wrong("decay-out-of-place", "", falling(lambda step, w, total: step / total), rates),
    Wrong("decay-out-of-place", "", decay_on_the_ramp, rates),
    Wrong("decay-out-of-place", "stretched", falling(clamped(lambda step, w, total: (step - w) / total)), rates),
    Wrong("decay-out-of-place", "rises-again", falling(lambda step, w, total: (step - w) / (total - w)), risen),
    Wrong("decay-out-of-place", "rises-again", falling(factor=lambda share: half_wave(2 * share)), risen),
    Wrong("decay-out-of-place", "rises-again", falling(lambda step, w, total: 2 * (step - w) / (total - w)), risen),
    Wrong("scheduler-off-by-one", "zero-first", rising(0), rates),
    Wrong("scheduler-off-by-one", "zero-first", rising(0, -1), rates),
    Wrong("scheduler-off-by-one", "late-end", rising(1, 1), rates),
    Wrong("scheduler-off-by-one", "early-end", rising(1, -1), rates),
    Wrong("scheduler-off-by-one", "skipped-first", rising(2), rates),
    *(Wrong("scheduler-off-by-one", variant, falling(clamped(done)), rates, pitfalls.get(
        "scheduler-off-by-one").messages[variant], "Print your rates of steps `warmup_steps`, `total_steps - 1` and "
        "`total_steps`.") for variant, done in (
        ("decay-early", lambda step, w, total: (step - w + 1) / (total - w)),
        ("decay-early", lambda step, w, total: (step - w) / max(1, total - w - 1)),
        ("decay-late", lambda step, w, total: (step - w) / (total - w + 1)),
        ("decay-late", lambda step, w, total: (step - w - 1) / (total - w)))),
)

SHAPES = (
    unnamed("degrees", "your rates jump about, as they do when the cosine is given degrees; math.cos takes radians",
            "Print math.cos(180) and math.cos(math.pi).",
            falling(factor=lambda share: (1 + math.cos(180 * share)) / 2)),
    unnamed("negative", "the cosine runs from 1 to -1, and your rate with it, below 0",
            "Plot your rates over the whole run.", falling(factor=lambda share: math.cos(math.pi * share))),
    unnamed("quarter", "that is a quarter of a wave, steepest at its end", "Plot your rates over the whole run.",
            falling(factor=lambda share: math.cos(math.pi / 2 * share))),
    unnamed("twice", "1 + cos is 2 at its highest, and so is your rate, in units of base_lr",
            "Print your rates of the last step of the warmup and of the next one.",
            falling(factor=lambda share: 2 * half_wave(share))),
    unnamed("upwards", "your rate begins at 0 after the warmup and rises from there",
            "Print math.cos(0) and your rate of step `warmup_steps`.",
            falling(factor=lambda share: 1 - half_wave(share))),
    unnamed("line", "your rate falls along a straight line",
            "Plot your rates; half a wave of the cosine is flat at both ends.",
            falling(factor=lambda share: 1 - share)),
    unnamed("constant", "your rate stays at base_lr after the warmup", "Plot your rates over the whole run.",
            falling(factor=lambda share: 1.0)),
    unnamed("halved", "only the cosine is halved, and not 1 + cos, so your rate begins at one and a half times base_lr",
            "Print (1 + math.cos(0)) / 2 and 1 + math.cos(0) / 2.",
            falling(factor=lambda share: 1 + math.cos(math.pi * share) / 2)),
    unnamed("no pi", "your cosine runs from 0 to 1 and not to pi, so only the first third of the wave is there",
            "Print math.cos(1) and math.cos(math.pi).", falling(factor=lambda share: (1 + math.cos(share)) / 2)),
    unnamed("whole numbers", "the rate stays at base_lr until the share of the decay that is done, as a whole number, "
            "is 1", "Print 3 // 5 and 3 / 5.", falling(lambda step, w, total: min(1, (step - w) // (total - w)))),
    unnamed("smallest", "your rate falls to a tenth of base_lr and not to 0", "Print your rate of step `total_steps`.",
            falling(factor=lambda share: 0.1 + 0.9 * half_wave(share))),
    unnamed("starts anew", "after the end of the run your rate is base_lr again",
            "Print your rates of steps `total_steps - 1` and `total_steps`.",
            falling(lambda step, w, total: 0.0 if step >= total else right_share(step, w, total))),
    *(unnamed("share", "that is a share of base_lr, and base_lr is {base_lr}",
              "Print your rates of the last step of the warmup and of the next one, beside `base_lr`.", program)
      for program in (lambda step, base_lr, w, total: cosine_lr(step, 1.0, w, total),
                      lambda step, base_lr, w, total: cosine_lr(step, base_lr if step < w else 1.0, w, total))),
    *(unnamed("no warmup", "there is no warmup", "Print the rates of the first five steps.", program)
      for program in (lambda step, base_lr, w, total: cosine_lr(max(step, w), base_lr, w, total),
                      lambda step, base_lr, w, total: cosine_lr(step, base_lr, 0, total))),
)


def unexplained(mine: Trial, right: Trial) -> str:
    told = rates(mine, right)
    return (f"With {mine.fixture.words} update {told['i']} (step {told['i'] - 1}) used learning rate "
            f"{written(told['lr'])}; {written(told['lr_planned'])} is asked for")


EXERCISE = Exercise(
    name="cosine-after-warmup",
    title="A cosine after the warmup",
    minutes=10,
    difficulty=2,
    lab="02_warmup",
    task=TASK,
    signature="def cosine_lr(step, base_lr, warmup_steps, total_steps) -> float",
    right=cosine_lr,
    wrong=(*PLACES, *SHAPES),
    fixtures=SITUATIONS,
    unexplained=unexplained,
    hints=(
        "Two parts, and one question for the second: which share of the decay is done? It is 0 at step `warmup_steps`, "
        "1 at step `total_steps`, and stays 1 after it. On paper, with `warmup_steps` 4 and `total_steps` 15: what is "
        "it at steps 4, 5, 15 and 20?",
        "`done = (step - warmup_steps) / (total_steps - warmup_steps)`, and not more than 1. Then "
        "`math.cos(math.pi * done)` goes from 1 to -1; add 1 and halve it, and it goes from 1 to 0.",
    ),
)
