"""What an edit of gradients was: a clip by hand, a division, a clearing, or something else.

Only numbers tell, so here is what is taken for what. An edit is a clip by hand if it made gradients smaller

- all by one factor below 1, unless that is 1/n for a whole number n (an average; n up to 4096, or a million where the
  loop's own number is at hand), (n - 1)/n (a running mean; n up to 16, or 1000), 1/scale of a loss scale in them (an
  unscaling), or a number of three digits such as 0.3 (a weight). Even then it is a clip if the norm after it has two
  digits, 1.0 say, and the norm before had not;
- each by a factor of its own so that all arrive at one norm: then it is one clip a tensor;
- by cutting every element at one limit.

An edit that changed no norm at all (a factor of 1, a limit that nothing reached) is none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gradlab.ledger.events import Clip, Edit, Where
from gradlab.ledger.later import value
from gradlab.ledger.observe import provenance
from gradlab.ledger.observe.norms import HALVES, joint

MULTIPLYING = {"mul_", "div_", "*=", "/=", "_foreach_mul_", "_foreach_div_"}
CLAMPING = {"clamp_"}
ANYTHING = {"", "replaced", "copy_", "fill_"}  # operations whose name says nothing about what they did
LARGEST_AVERAGE, LARGEST_EXACT_AVERAGE = 4096, 10**6


@dataclass
class Facts:
    """What is known of an edit.

    `before` and `now` are the norms of all gradients by place, None where not measured; `fresh` had no gradient before;
    `what` is the operation, empty where it was not seen; `factor` is what the loop multiplied by, `divisor` what it
    divided by, None if not seen; `part` says that only some elements of a gradient were edited.
    """

    where: Where
    places: tuple[int, ...]
    before: Sequence[float] | None = None
    now: Sequence[float] | None = None
    what: str = ""
    factor: float | None = None
    divisor: float | None = None
    after: Where | None = None
    fresh: Sequence[int] = ()
    part: bool = False

    def moved(self) -> list[int]:
        """The places whose norm is another now, or may be."""
        if self.now is None or self.before is None:
            return [place for place in self.places if place not in self.fresh or self.now is None or self.now[place]]
        return [place for place in self.places if not _same(self.before[place], self.now[place])]


def write(recorder, facts: Facts) -> None:
    """Write the event, or events, that an edit amounts to."""
    places, before, now, moved = facts.places, facts.before, facts.now, facts.moved()
    zeros = now is not None and not any(now[place] for place in places)
    if facts.part:
        _edit(recorder, facts, None)
        return
    if facts.what in ("zero_", "_foreach_zero_") or (moved and zeros and facts.what in ANYTHING):
        recorder.cleared(facts.where, places, "by hand", facts.after)
        return
    known = facts.factor is not None and not zeros
    if facts.factor == 1 or (not moved and not known and facts.what in MULTIPLYING | CLAMPING | ANYTHING):
        recorder.change(places, lambda as_it_was: as_it_was)
        return
    factor = _common_factor(recorder, facts)
    if factor is not None and 0 < factor < 1 and not _is_division(recorder, facts, factor):
        _clip(recorder, facts, places, factor)
    elif _is_one_norm(facts, moved):
        for place in moved:
            _clip(recorder, facts, (place,), now[place] / before[place])
    elif _is_one_limit(recorder, facts, moved):
        _clip(recorder, facts, places, _total(now, places) / _total(before, places))
    else:
        _edit(recorder, facts, factor)


def _clip(recorder, facts: Facts, places: tuple[int, ...], coefficient: float) -> None:
    norm = math.nan if facts.before is None else _total(facts.before, places)
    at = recorder.write(Clip(where=facts.where, after=facts.after, how="by hand", given=len(places),
                             parameters=places, norm=norm, coefficient=coefficient))
    recorder.change(places, lambda p: provenance.with_clip(p, at))


def _edit(recorder, facts: Facts, factor: float | None) -> None:
    totals = [math.nan if sizes is None else _total(sizes, range(len(sizes))) for sizes in (facts.before, facts.now)]
    at = recorder.write(Edit(where=facts.where, after=facts.after, parameters=facts.places, factor=factor,
                             norm_before=totals[0], norm_after=totals[1], what=facts.what))

    def change(p):
        p = p._replace(edits=p.edits + (at,))
        unscales = factor is not None and any(scale != 1 and _close(factor * scale, 1, 1e-4) for scale in p.scales)
        return provenance.with_factor(p, factor) if unscales else p

    recorder.change(facts.places, change)


def _common_factor(recorder, facts: Facts) -> float | None:
    """The one factor between the norms after and before; what the loop multiplied by where that was seen."""
    if facts.factor is not None:
        return abs(facts.factor)
    if facts.before is None or facts.now is None or facts.what not in MULTIPLYING | ANYTHING:
        return None
    ratios = [facts.now[place] / facts.before[place] for place in facts.places if facts.before[place]]
    if not ratios or any(facts.now[place] and not facts.before[place] for place in facts.places):
        return None
    if not all(map(math.isfinite, ratios)):
        return None
    if max(ratios) - min(ratios) > tolerance(recorder, facts.places) * max(ratios):
        return None
    return _total(facts.now, facts.places) / _total(facts.before, facts.places)


def _is_division(recorder, facts: Facts, factor: float) -> bool:
    """Whether a factor below 1 is an average, an unscaling or a weight, and not the coefficient of a clip."""
    if any(scale != 1 and _close(factor * scale, 1, 1e-5) for p in recorder.state for scale in p.scales):
        return True
    if facts.factor is None:
        half = tolerance(recorder, facts.places) > 1e-3
        plain = (_is_whole(1 / factor, 64, 4e-3) if half else
                 _is_whole(1 / factor, LARGEST_AVERAGE, 1e-6) or _is_running_mean(factor, 16, 1e-6))
    elif facts.divisor is not None:
        plain = (_is_whole(facts.divisor, math.inf, 0.0) or _digits(facts.divisor, 3, 1e-7)
                 or _is_running_mean(factor, 1000, 1e-9))
    else:
        plain = (_is_whole(1 / factor, LARGEST_EXACT_AVERAGE, 1e-9) or _is_whole(1 / factor, LARGEST_AVERAGE, 1e-6)
                 or _digits(factor, 3, 1e-7) or _is_running_mean(factor, 1000, 1e-9)
                 or _is_running_mean(factor, 16, 1e-6))
    if not plain:
        return False
    if facts.before is None or facts.now is None:
        return True
    return _digits(_total(facts.before, facts.places), 2, 1e-5) or not _digits(_total(facts.now, facts.places), 2, 1e-5)


def _is_running_mean(factor: float, largest: int, tolerance: float) -> bool:
    """Whether a factor below 1 is (n - 1)/n: what n - 1 examples count in a mean once another one joins them."""
    n = round(1 / (1 - factor))
    return n <= largest and _close(factor, (n - 1) / n, tolerance)


def _is_one_norm(facts: Facts, moved: list[int]) -> bool:
    """Whether several gradients shrank to one and the same norm."""
    if facts.before is None or facts.now is None or len(moved) < 2:
        return False
    if facts.what not in MULTIPLYING | ANYTHING:
        return False
    norms = [facts.now[place] for place in moved]
    return (all(0 < facts.now[place] < facts.before[place] for place in moved)
            and max(norms) - min(norms) <= 1e-4 * max(norms))


def _is_one_limit(recorder, facts: Facts, moved: list[int]) -> bool:
    """Whether the elements of gradients were cut at one limit."""
    if facts.before is None or facts.now is None or not moved:
        return False
    if not all(facts.now[place] <= facts.before[place] for place in moved) or not math.isfinite(
            _total(facts.before, facts.places)):
        return False
    if facts.what in CLAMPING:
        return True
    if facts.what not in ANYTHING:
        return False
    gradients = [recorder.watch.parameters[place].grad for place in moved]
    if any(gradient.is_sparse or gradient.is_complex() for gradient in gradients):
        return False
    cut = [gradient.detach().abs() for gradient in gradients]
    limit = cut[0].max().item()
    # At least two elements stand at the limit: the largest of a gradient always stands alone at its own.
    return (all(tensor.max().item() == limit for tensor in cut)
            and sum(int((tensor == limit).sum()) for tensor in cut) > 1)


def _total(sizes: Any, places: Sequence[int]) -> float:
    return joint([sizes[place] for place in places])


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _is_whole(number: float, largest: float, tolerance: float) -> bool:
    return math.isfinite(number) and round(number) <= largest and _close(number, round(number), tolerance)


def _close(a: float, b: float, tolerance: float) -> bool:
    return abs(a - b) <= tolerance * abs(b)


def _digits(number: float, digits: int, tolerance: float) -> bool:
    """Whether a number is one with at most so many significant digits."""
    return math.isfinite(number) and number != 0 and _close(number, float(f"{number:.{digits}g}"), tolerance)


def tolerance(recorder, places: Sequence[int]) -> float:
    """How exactly norms of these gradients can be compared."""
    gradients = [recorder.watch.parameters[place].grad for place in places]
    return 1e-2 if any(gradient is not None and gradient.dtype in HALVES for gradient in gradients) else 2e-5


def describe(recorder, where: Where, places: tuple[int, ...], before: Any, *, what: str, after: Where | None,
             fresh: Sequence[int] = ()) -> None:
    """Write what happened to gradients that were found changed; `before` are the norms known from before."""
    now = value(recorder.norms.measure())
    write(recorder, Facts(where, places, value(before), now, what, after=after, fresh=fresh))
