"""Rules about which micro-batches are in which update, and with what weights; asked where nothing is clipped."""

from collections.abc import Callable

import torch
from torch import Tensor

from gradlab.exercises.leftover_window.shares import even, members, shares
from gradlab.exercises.mistakes import Diagnosis, Rule, say
from gradlab.exercises.trial import Trial
from gradlab.ledger import Backward, Step
from gradlab.pitfalls.pitfall import written

KNOWN = ("leftover-micro-batches", "wrong-accumulation-divisor", "zero-grad-before-step", "missing-zero-grad",
         "always-normalise")
COUNT = "Count the backward passes before each step."
MOVED = "Print a weight before and after an epoch."
LEFT = "Print the norm of the gradient just before each step."


def of_shares(tell: Callable[[Trial, Tensor], Diagnosis | None]) -> Rule:
    """A rule that looks at the weights of the micro-batches where no clip can have changed them."""
    def rule(mine: Trial, right: Trial) -> Diagnosis | None:
        if mine.fixture.tight or mine.fault is not None or (found := shares(mine)) is None:
            return None
        return tell(mine, found)
    return rule


def idle(mine: Trial, right: Trial) -> Diagnosis | None:
    """No update at all, on a situation in which not even a window was whole or nothing was learned."""
    if mine.fault is not None or mine.result["updates"]:
        return None
    passes = len(mine.ledger.of(Backward))
    if not passes:
        return Diagnosis(None, "No backward pass reached the model's parameters, and no update was made", MOVED)
    if steps := len(mine.ledger.of(Step)):
        return say("zero-grad-before-step", "nothing-left", n_backward=passes // steps)
    if mine.fixture.n < mine.fixture.k:
        return say("leftover-micro-batches", "never-used", r=mine.fixture.n, k=mine.fixture.k)
    return Diagnosis(None, f"{passes} backward passes ran in two epochs and no update was made", MOVED)


def again(mine: Trial, found: Tensor) -> Diagnosis | None:
    """A micro-batch that is in more than one update."""
    if not ((found != 0).sum(0) > 1).any():
        return None
    number = next(number for number in range(1, len(found)) if (found[number] * found[:number]).any())
    inside, earlier = set(members(found[number])), [members(row) for row in found[:number]]
    if any(inside <= set(window) for window in mine.fixture.windows):
        return Diagnosis(None, f"Update {number + 1} came in the middle of a window, with the gradient of all its "
                         f"micro-batches so far: your first epoch made {mine.facts['epochs'].count(0)} updates, and "
                         f"with accumulation_steps {mine.fixture.k} it has {len(mine.fixture.windows) // 2}",
                         COUNT, "inside")
    whole = [place for place, used in enumerate(earlier) if used and inside.issuperset(used)]
    if not whole:
        twice = sorted(inside.intersection(place for used in earlier for place in used))
        which = f"Micro-batch{'es' * (len(twice) > 1)} {_listed([place % mine.fixture.n + 1 for place in twice])}"
        return Diagnosis(None, f"{which} of an epoch went into update {number + 1} after another update had used "
                         f"{'them' if len(twice) > 1 else 'it'} already",
                         COUNT, "twice")
    return say("missing-zero-grad", "sum", i=number + 1, n_windows=len(whole) + 1, j=whole[0] + 1,
               norm=mine.result["updates"][number].norm())


def carried(mine: Trial, found: Tensor) -> Diagnosis | None:
    """An update with micro-batches of both epochs."""
    for row in found:
        places = members(row)
        early = sum(place < mine.fixture.n for place in places)
        if 0 < early < len(places):
            if even(row[places]) and abs(row[places[0]].item() * mine.fixture.k - 1) < 1e-3:
                return say("leftover-micro-batches", "carried", r=early, total=len(places), k=mine.fixture.k)
            return Diagnosis("leftover-micro-batches", f"The last {early} of one epoch were left in the gradients when "
                             f"the next began, so its first update was made of {len(places)} micro-batches",
                             variant="carried")
    return None


def lost(mine: Trial, found: Tensor) -> Diagnosis | None:
    """Micro-batches that are in no update: those at the end of an epoch, or all but the last of each window."""
    unused = (found == 0).all(0).nonzero().flatten().tolist()
    if not unused:
        return None
    fixture, left = mine.fixture, mine.fixture.n % mine.fixture.k
    tail = [epoch * fixture.n + place for epoch in (0, 1) for place in range(fixture.n - left, fixture.n)]
    if left and unused == tail:
        return say("leftover-micro-batches", "never-used", r=left, k=fixture.k)
    if [members(row) for row in found] == [[window[-1]] for window in fixture.windows]:
        first = found[0][found[0] != 0]
        return say("zero-grad-before-step", "last-only", n_backward=fixture.k, divisor=1 / first.item())
    return None  # then the windows begin or end elsewhere


def cut(mine: Trial, found: Tensor) -> Diagnosis | None:
    """Windows that begin or end elsewhere."""
    sizes, fixture = [len(members(row)) for row in found], mine.fixture
    yours = [size for size, epoch in zip(sizes, mine.facts["epochs"], strict=True) if epoch == 0]
    asked = [len(window) for window in fixture.windows][:len(fixture.windows) // 2]
    if yours == asked:
        return None
    if 0 in yours:
        return Diagnosis(None, f"Update {yours.index(0) + 1} of the first epoch was made with gradients of 0; an "
                               "optimizer with momentum moves the weights all the same",
                         "Print the norm of the gradient just before each step.", "empty")
    if set(yours) == {1}:
        return Diagnosis(None, f"Every micro-batch made an update of its own, {len(yours)} in an epoch; with "
                               f"accumulation_steps {fixture.k} there are {len(asked)}", COUNT, "no window")
    return Diagnosis(None, f"The updates of your first epoch were made of {_listed(yours)} micro-batches; asked for "
                           f"are {_listed(asked)}", COUNT, "windows")


def _listed(sizes: list[int]) -> str:
    *first, last = map(str, sizes)
    return f"{', '.join(first)} and {last}" if first else last


def uneven(mine: Trial, found: Tensor) -> Diagnosis | None:
    """Micro-batches of one window that do not count alike."""
    for number, row in enumerate(found):
        weights = row[row != 0]
        if len(weights) < 2 or even(weights):
            continue
        told = {"n_backward": len(weights), "w_first": weights[0].item(), "w_last": weights[-1].item()}
        if len(weights) < mine.fixture.k and number:  # the whole windows before it are even
            return Diagnosis("leftover-micro-batches", f"Inside the short window, of {len(weights)} micro-batches, the "
                             f"divisor changed: in step {number + 1} its first counts {written(told['w_first'])} and "
                             f"its last {written(told['w_last'])}", variant="window")
        steps, ratios = weights[:-1] - weights[1:], weights[1:] / weights[:-1]
        if len(weights) > 2 and even(torch.cat([steps, weights[-1:]])):
            return Diagnosis(None, f"Of {len(weights)} micro-batches the first counts {len(weights)} times as much as "
                             "the last, and what lies between falls evenly, as if each backward() ran on the sum of "
                             "all losses so far", "Call backward() on one micro-batch's loss at a time.", "total")
        variant = "in-loop" if even(ratios) and ratios[0] > 1 else "by-index"
        return say("wrong-accumulation-divisor", variant, **told)
    return None


def divided(mine: Trial, found: Tensor) -> Diagnosis | None:
    """Windows whose weights do not sum to 1: all of them by the same factor or divisor, or only the short one."""
    sums, sizes = found.sum(1), [len(window) for window in mine.fixture.windows]
    if len(sums) != len(sizes):
        return None
    off = [number for number, total in enumerate(sums.tolist()) if abs(total - 1) > 1e-3]
    if not off:
        return None
    number, k = off[0], mine.fixture.k
    if all(sizes[number] < k for number in off):
        return _short(mine, number, sums[number].item(), sizes[number])
    n_backward, total = sizes[number], sums[number].item()
    norm = mine.result["updates"][number].norm().item()
    if abs(norm / mine.fixture.max_norm - 1) < 1e-3:  # nothing else brings all of them to the limit
        return say("always-normalise", norm=norm / total, max_norm=mine.fixture.max_norm, coef=total)
    divisor = n_backward / total
    if abs(divisor - 1) < 1e-3:
        true = mine.result["updates"][number].norm() / total
        return say("wrong-accumulation-divisor", "none", n_backward=n_backward, norm=true * total, norm_true=true)
    return say("wrong-accumulation-divisor", "", n_backward=n_backward, divisor=divisor, ratio=total)


def _short(mine: Trial, number: int, total: float, r: int) -> Diagnosis:
    k, n_backward = mine.fixture.k, r
    if abs(total * k / r - 1) < 1e-3:
        return say("leftover-micro-batches", "window", i=number + 1, r=r, k=k, ratio=total)
    if abs(total - r) < 1e-3:
        return Diagnosis("leftover-micro-batches", f"The {n_backward} micro-batches of the short window were summed "
                         f"and divided by nothing: the update of step {number + 1} is {written(total)} times their "
                         "mean", variant="window")
    return Diagnosis("leftover-micro-batches", f"Only the short window is off: its {n_backward} micro-batches count "
                     f"{written(total / r)} each in step {number + 1}, and their mean gives them {written(1 / r)}",
                     variant="window")


def infinite(mine: Trial, right: Trial) -> Diagnosis | None:
    """An update that is not a number."""
    bad = [number for number, update in enumerate(mine.result.get("updates", ())) if not update.isfinite().all()]
    return Diagnosis(None, f"Update {bad[0] + 1} holds NaN or inf", "Print each divisor.", "infinite") if bad else None


def of_rate(mine: Trial, right: Trial) -> Diagnosis | None:
    """A step at another learning rate than the optimizer came with."""
    other = [(number, rate) for number, rate in enumerate(mine.facts.get("rates", ()), start=1) if rate != 1]
    if not other:
        return None
    return Diagnosis(None, f"You made update {other[0][0]} at a learning rate of {written(other[0][1])}, and the "
                           "optimizer came with 1. That stretches what was clipped before; mend the gradient itself, "
                           "before the clip", LEFT, "rate")


RULES: tuple[Rule, ...] = (infinite, of_rate, *map(of_shares, (again, carried, lost, cut, uneven, divided)), idle)
