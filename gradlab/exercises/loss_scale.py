"""Exercise: the rule by which a loss scale finds its own size."""

from collections.abc import Callable, Sequence
from functools import partial

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial, Unfit, described, number
from gradlab.pitfalls.pitfall import written

TASK = """
Write the rule of a dynamic loss scale. The function is called once after every backward pass:

- `scale` is the loss scale of that backward pass, and `overflowed` says whether a gradient came out infinite or NaN
- after an overflow the scale is halved for the next time, below 1 as well, and the update is left out, for its
  gradients are spoilt
- after `growth_interval` steps in a row without an overflow the scale is doubled, and the count begins again
- `good_steps` is yours to count with. It is 0 at the beginning, and at every later call it is what you returned last

Return three things: the next `scale`, the next `good_steps`, and `update`, which says whether this update is made.
"""


def next_scale(scale: float, good_steps: int, overflowed: bool, growth_interval: int) -> tuple[float, int, bool]:
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    if good_steps == growth_interval:
        return scale * 2, 0, True
    return scale, good_steps, True


def situation(name: str, words: str, growth_interval: int, pattern: str, scale: float = 1024.0) -> Fixture:
    """A run of calls, from `scale` on; `pattern` has a "." for each call without overflow and an "x" for each with."""
    flags = [sign == "x" for sign in pattern]

    def call(function: Callable, setup: Setup) -> list[tuple[float, bool]]:
        now, good_steps, calls = scale, 0, []
        for overflowed in flags:
            returned = function(now, good_steps, overflowed, growth_interval)
            now, good_steps, update = _three(returned)
            calls.append((now, update))
        return calls

    def read(setup: Setup, calls: list[tuple[float, bool]]) -> Reading:
        scales, updates = (list(part) for part in zip(*calls, strict=True))
        return Reading({"scales": scales, "updates": updates},
                       {"before": [scale, *scales[:-1]], "overflowed": flags, "growth_interval": growth_interval})

    return Fixture(name, words, lambda: Setup(()), read, call, rtol=1e-6)


def _three(returned) -> tuple[float, object, bool]:
    if returned is None:
        raise Unfit("your function returned None; did you forget `return`?")
    if not isinstance(returned, Sequence) or isinstance(returned, str) or len(returned) != 3:
        raise Unfit(f"your function returned {described(returned)}; it returns three things: the next scale, the next "
                    "good_steps, and whether the update is made")
    scale, good_steps, update = returned
    if hasattr(update, "item"):
        update = update.item()
    if not isinstance(update, bool) and (not isinstance(update, int | float) or update not in (0, 1)):
        raise Unfit(f"your third result is {described(update)}; it says whether the update is made, True or False")
    return number(scale, "your first result, the next scale,"), good_steps, bool(update)


SITUATIONS = (
    situation("no overflow", "ten steps without overflow and growth_interval 4", 4, "." * 10),
    situation("one overflow", "one overflow after two good steps and growth_interval 4", 4, "..x" + "." * 9),
    situation("a start from too high", "five overflows at once and growth_interval 3", 3, "xxxxx" + "." * 7, 2.0**20),
    situation("again and again", "an overflow after every growth and growth_interval 2", 2, "..x..x..x.x.."),
    situation("interval 1", "growth_interval 1 and one overflow", 1, "...x.."),
    situation("below 1", "a scale of 2, three overflows and growth_interval 2", 2, "xxx....", 2.0),
)


def rule(*, down: float = 0.5, up: float = 2.0, reset: bool = True, restart: bool = True, longer: int = 0,
         skip: Callable[[bool], bool] = lambda overflowed: overflowed, ignore: bool = False,
         any_step: bool = False) -> Callable:
    """A rule that is right but for what is chosen here.

    `down`, `up`: factors after an overflow and after a good interval; `reset`: an overflow takes the count to 0;
    `restart`: a growth does; `longer`: good steps more than the interval; `skip`: which updates are left out; `ignore`:
    an overflow counts as a good step; `any_step`: every good step grows.
    """

    def program(scale, good_steps, overflowed, growth_interval):
        update = not skip(overflowed)
        if overflowed and not ignore:
            return scale * down, 0 if reset else good_steps, update
        good_steps += 1
        if any_step or good_steps >= growth_interval + longer:
            return scale * up, 0 if restart else good_steps, update
        return scale, good_steps, update

    return program


def interval_in_calls(scale, good_steps, overflowed, growth_interval):
    """Counts calls, and overflows are calls too."""
    good_steps += 1
    if overflowed:
        return scale / 2, good_steps, False
    if good_steps >= growth_interval:
        return scale * 2, 0, True
    return scale, good_steps, True


def grows_once(scale, good_steps, overflowed, growth_interval):
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    return scale * 2 if good_steps == growth_interval else scale, good_steps, True


def tests_first(scale, good_steps, overflowed, growth_interval):
    """Looks at the count before it looks at this step."""
    if good_steps == growth_interval:
        scale, good_steps = scale * 2, 0
    return (scale / 2, 0, False) if overflowed else (scale, good_steps + 1, True)


def first_wrong(mine: Trial, right: Trial, part: str = "scales") -> dict:
    """What the messages quote of the first step whose scale (or `part`) is off.

    `n_good` counts the good steps up to it, since an overflow or since the learner's scale changed; `last` is the step
    of the last overflow.
    """
    yours, true = mine.result[part], right.result[part]
    place = next(place for place, pair in enumerate(zip(yours, true, strict=True)) if pair[0] != pair[1])
    flags, before = mine.facts["overflowed"], mine.facts["before"]
    n_good = 0
    while n_good <= place and not flags[place - n_good] and before[place - n_good] == before[place]:
        n_good += 1
    return {"i": place + 1, "scale": mine.result["scales"][place], "scale_true": right.result["scales"][place],
            "scale_before": before[place], "n_good": n_good, "growth_interval": mine.facts["growth_interval"],
            "last": next((step + 1 for step in range(place, -1, -1) if flags[step]), 0),
            "update": right.result["updates"][place]}


updated = partial(first_wrong, part="updates")

WRONG = (
    Wrong("loss-scale-wrong-way", "", rule(down=2.0), first_wrong),
    Wrong("loss-scale-wrong-way", "swapped", rule(down=2.0, up=0.5), first_wrong),
    Wrong("loss-scale-wrong-way", "never-halves", rule(down=1.0), first_wrong),
    Wrong("loss-scale-wrong-way", "never-halves", rule(ignore=True), first_wrong),
    Wrong("loss-scale-wrong-way", "never-grows", rule(up=1.0), first_wrong),
    Wrong("loss-scale-grows-too-soon", "", rule(any_step=True), first_wrong),
    Wrong("loss-scale-grows-too-soon", "not-restarted", rule(restart=False), first_wrong),
    Wrong("loss-scale-grows-too-soon", "kept-count", rule(reset=False), first_wrong),
    Wrong("loss-scale-grows-too-soon", "kept-count", interval_in_calls, first_wrong),
    Wrong("overflow-not-skipped", "", rule(skip=lambda overflowed: False), updated),
    Wrong("overflow-not-skipped", "reversed", rule(skip=lambda overflowed: not overflowed), updated),
    Wrong(None, "never made", rule(skip=lambda overflowed: True), updated,
          "Your third result at step {i} is False, although this step had no overflow, and you never say True: no "
          "update is ever made", "Print the third result of ten steps of which the third overflows."),
    Wrong(None, "grows once", grows_once, first_wrong,
          "Your scale grew once and at step {i} it did not, although {growth_interval} more good steps had passed: the "
          "count goes on past the interval", "Print good_steps at every step."),
    Wrong(None, "a step late", rule(longer=1), first_wrong,
          "After {growth_interval} good steps, at step {i}, the scale is still {scale}; {scale_true} is asked for. "
          "It grows a step late", "Count on your fingers: which step is good step number growth_interval?"),
    Wrong(None, "a step late", tests_first, first_wrong,
          "After {growth_interval} good steps, at step {i}, the scale is still {scale}; {scale_true} is asked for. "
          "It grows a step late", "Count on your fingers: which step is good step number growth_interval?"),
    Wrong(None, "a step early", rule(longer=-1), first_wrong,
          "Your scale grew to {scale} at step {i}, a step before {growth_interval} good steps had passed",
          "Count on your fingers: which step is good step number growth_interval?"),
    Wrong(None, "other factors", rule(down=0.1), first_wrong,
          "After the overflow at step {i} your scale went from {scale_before} to {scale}; half, {scale_true}, is "
          "asked for", "Print the quotient of the two scales."),
    Wrong(None, "quarters", rule(down=0.25), first_wrong,
          "After the overflow at step {i} your scale went from {scale_before} to {scale}; half, {scale_true}, is "
          "asked for", "Print the quotient of the two scales."),
)


def unexplained(mine: Trial, right: Trial) -> str:
    part = "scales" if mine.result["scales"] != right.result["scales"] else "updates"
    told = first_wrong(mine, right, part)
    overflowed = mine.facts["overflowed"][told["i"] - 1]
    good = f"{told['n_good']} good step{'s' * (told['n_good'] != 1)} since it changed"
    if part == "updates":
        return (f"With {mine.fixture.words} your third result at step {told['i']} is {not told['update']}; this step "
                f"had {'an' if overflowed else 'no'} overflow")
    return (f"With {mine.fixture.words}, after step {told['i']} ({'an overflow' if overflowed else good}), your scale "
            f"went from {written(told['scale_before'])} to {written(told['scale'])}; {written(told['scale_true'])} is "
            "asked for")


EXERCISE = Exercise(
    name="loss-scale",
    title="A loss scale that finds its own size",
    minutes=8,
    difficulty=2,
    lab="04_mixed_precision",
    task=TASK,
    signature="def next_scale(scale, good_steps, overflowed, growth_interval)",
    right=next_scale,
    wrong=WRONG,
    fixtures=SITUATIONS,
    unexplained=unexplained,
    hints=(
        "There are three cases: an overflow; a good step that completes an interval; any other good step. Write down "
        "for each of them all three results. When does the count go back to 0?",
        "`if overflowed: return scale / 2, 0, False`. Otherwise add 1 to `good_steps`; if that reaches "
        "`growth_interval`, return twice the scale and a count of 0, and if not, the same scale and the new count. In "
        "both cases the update is made.",
    ),
)
