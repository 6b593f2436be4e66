"""Exercise: the learning rate of each step during a linear warmup."""

from collections.abc import Callable
from functools import partial

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial, number
from gradlab.pitfalls.pitfall import written

TASK = """
Give the learning rate of step number `step`; the first step has number 0.

- during the first `warmup_steps` steps the rate rises in equal strides
- step 0 runs at `base_lr / warmup_steps`, so that no update is lost to a rate of 0
- step `warmup_steps - 1` runs at `base_lr`, and so do all later ones
- `warmup_steps` may be 0: then every step runs at `base_lr`
"""


def lr_at(step: int, base_lr: float, warmup_steps: int) -> float:
    if step >= warmup_steps:
        return base_lr
    return base_lr * (step + 1) / warmup_steps


def situation(words: str, base_lr: float, warmup_steps: int, steps: tuple[int, ...]) -> Fixture:
    """The rates of some `steps`; `words` says with what."""

    def read(setup: Setup, returned: list) -> Reading:
        rates = [number(rate) for rate in returned]
        return Reading({"rates": rates}, {"steps": steps, "base_lr": base_lr})

    return Fixture(f"{warmup_steps} steps", words, lambda: Setup((base_lr, warmup_steps)), read,
                   call=lambda function, setup: [function(step, *setup.arguments) for step in steps])


SITUATIONS = (
    situation("base_lr 0.3 and warmup_steps 5", 0.3, 5, (0, 1, 2, 3, 4, 5, 6, 7)),
    situation("base_lr 4e-4 and warmup_steps 2000", 4e-4, 2000, (0, 1, 999, 1998, 1999, 2000, 2001, 100_000)),
    situation("base_lr 0.05 and warmup_steps 1", 0.05, 1, (0, 1, 2)),
    situation("base_lr 0.05 and warmup_steps 0", 0.05, 0, (0, 1, 2)),
)


def ramp(shift: int, longer: int = 0, *, clamp: bool = True, whole: bool = False) -> Callable:
    """A warmup whose share is (step + shift) / (warmup_steps + longer)."""

    def program(step, base_lr, warmup_steps):
        if warmup_steps + longer <= 0:
            return base_lr
        share = (step + shift) / (warmup_steps + longer)
        share = int(share) if whole else share
        return base_lr * (min(1.0, share) if clamp else share)

    return program


def rates(mine: Trial, right: Trial, which: int = 0) -> dict:
    """What the messages quote of the first rate that is off (the last with `which` -1), and of the first two steps."""
    yours, planned = mine.result["rates"], right.result["rates"]
    place = [place for place, pair in enumerate(zip(yours, planned, strict=True)) if _apart(*pair)][which]
    return {"i": mine.facts["steps"][place] + 1, "lr": yours[place], "lr_planned": planned[place],
            "lr_first": planned[0], "lr_second": yours[1], "base_lr": mine.facts["base_lr"]}


def _apart(a: float, b: float) -> bool:
    return not abs(a - b) <= 1e-3 * max(abs(a), abs(b))


WRONG = (
    Wrong("scheduler-off-by-one", "zero-first", ramp(0), rates),
    Wrong("scheduler-off-by-one", "zero-first", ramp(0, -1), rates),
    Wrong("scheduler-off-by-one", "late-end", ramp(1, 1), partial(rates, which=-1)),
    Wrong("scheduler-off-by-one", "early-end", ramp(1, -1), rates),
    Wrong("scheduler-off-by-one", "skipped-first", ramp(2), rates),
    Wrong("scheduler-off-by-one", "skipped-first", ramp(2, 1), rates),
    Wrong(None, "rises for ever", ramp(1, clamp=False), rates,
          "Update {i} used learning rate {lr}, above base_lr, which is {base_lr}: the rate goes on rising",
          "Plot the rates of twice as many steps as the warmup has."),
    Wrong(None, "constant", lambda step, base_lr, warmup_steps: base_lr, rates,
          "Update 1 used learning rate {lr} at once: there is no warmup",
          "Print the rates of the first five steps."),
    Wrong(None, "whole numbers", ramp(1, whole=True), rates,
          "Update {i} used learning rate {lr}: the rate stays there, and at the end of the warmup jumps to {base_lr}",
          "Print `3 // 5` and `3 / 5`."),
    Wrong(None, "share", lambda step, base_lr, warmup_steps: lr_at(step, 1.0, warmup_steps), rates,
          "Update {i} used learning rate {lr}: that is the share of base_lr, and base_lr is {base_lr}",
          "Print the rate long after the warmup, beside `base_lr`."),
)


def unexplained(mine: Trial, right: Trial) -> str:
    told = rates(mine, right)
    return (f"With {mine.fixture.words} update {told['i']} (step {told['i'] - 1}) used learning rate "
            f"{written(told['lr'])}; {written(told['lr_planned'])} is asked for")


EXERCISE = Exercise(
    name="warmup",
    title="A linear warmup",
    minutes=6,
    difficulty=1,
    lab="02_warmup",
    task=TASK,
    signature="def lr_at(step, base_lr, warmup_steps) -> float",
    right=lr_at,
    wrong=WRONG,
    fixtures=SITUATIONS,
    unexplained=unexplained,
    hints=(
        "Write down the rates for `warmup_steps` 5 on paper: five strides, the fifth ends at `base_lr`. What does "
        "step 0 get, and what do the steps after the fifth?",
        "From step `warmup_steps` on return `base_lr`; that also settles `warmup_steps` 0. Before it, `step + 1` of "
        "`warmup_steps` strides are done.",
    ),
)
