"""Rules about windows of several micro-batches: what is clipped in each, and what the sum is divided by."""

from collections.abc import Iterator
from itertools import pairwise
from math import isclose, prod

from gradlab.ledger.events import Backward, Clip, Provenance
from gradlab.ledger.finding import Finding
from gradlab.ledger.rules.telling import told
from gradlab.ledger.rules.window import Window, one_loop, updates, whole, windows


def clip_each_micro_batch(ledger) -> Iterator[Finding]:
    """A sum of micro-batches that was clipped while it grew, and again at least once."""
    for window in updates(ledger):
        if not one_loop(window.used):
            continue
        for state in window.states:
            micro_batches = [place for place in state.backwards if place > window.begin]
            clips = [ledger[place] for place in state.clips if place > window.begin]
            early = [clip for clip in clips if micro_batches[0] < clip.index < micro_batches[-1]]
            # Different limits are chosen one by one; a clip that left the sum alone did no harm.
            if len(clips) < 2 or not _at_one_limit(clips) or not any(clip.coefficient < 1 for clip in early):
                continue
            evidence = {"n_clip": len(clips), "n_backward": len(window.used)}
            weights = [prod(clip.coefficient for clip in clips if clip.index > place) for place in micro_batches]
            if clips[0].how == "value":  # which scales every entry by another factor
                yield told("clip-each-micro-batch", *clips, window.end, variant="counted", **evidence)
            else:
                yield told("clip-each-micro-batch", *clips, window.end, w_first=weights[0], w_last=weights[-1],
                           **evidence)
            break


def _at_one_limit(clips: list[Clip]) -> bool:
    """Whether they have the same limit. Where it was not said, by hand, all leave a gradient of the same norm."""
    if any(clip.max_norm is not None for clip in clips):
        return len({clip.max_norm for clip in clips}) == 1
    left = [clip.norm * clip.coefficient for clip in clips]
    return isclose(min(left), max(left), rel_tol=0.01)


def wrong_accumulation_divisor(ledger) -> Iterator[Finding]:
    """A sum of micro-batches divided by another number than theirs, or by different ones, or again and again."""
    for window in updates(ledger):
        n = len(window.used)
        if n < 2 or not one_loop(window.used):
            continue
        if _by_index(window.used) and not window.edits:  # a running mean makes the sum before smaller, too
            yield told("wrong-accumulation-divisor", *window.used, window.end, variant="by-index", n_backward=n,
                       w_first=1.0, w_last=1 / n)
        for state in window.states:
            weights = _divided_in_the_loop(ledger, state, window)
            if weights:
                yield told("wrong-accumulation-divisor", *(ledger[place] for place in state.edits), window.end,
                           variant="in-loop", n_backward=n, w_first=weights[0], w_last=weights[-1])
                break
    for counted in _counted(ledger):
        if any(len(window.used) == divisor for window, divisor in counted):
            continue  # a few odd windows among those that fit are left over
        for window, divisor in counted:
            # A larger number may be a count of targets: then nothing is wrong with it.
            if len(window.used) > divisor:
                # A half may as well belong to the loss, of which it says nothing that k of them are summed.
                yield told("wrong-accumulation-divisor", window.used[-1], window.end, n_backward=len(window.used),
                           divisor=divisor, ratio=len(window.used) / divisor, level="info" if divisor == 2 else None)


def leftover_micro_batches(ledger) -> Iterator[Finding]:
    """A window that holds another number of micro-batches than the divisor, among windows that fit it."""
    for counted in _counted(ledger):
        odd = [(window, k) for window, k in counted if len(window.used) != k]
        if not 0 < len(odd) <= len(counted) / 2:
            continue
        for window, k in odd:
            n = len(window.used)
            if n < k:
                yield told("leftover-micro-batches", window.used[-1], window.end, variant="window",
                           i=window.number + 1, r=n, k=k, ratio=n / k)
            else:
                yield told("leftover-micro-batches", window.used[0], window.used[-1], window.end, variant="carried",
                           r=n - k, total=n, k=k)


def _by_index(backwards: list[Backward]) -> bool:
    """Whether the divisors are 1, 2, 3 and so on."""
    return [b.divisor for b in backwards] == list(range(1, len(backwards) + 1))


def _divided_in_the_loop(ledger, state: Provenance, window: Window) -> list[float]:
    """What each micro-batch counts if the sum was divided by their number after each of them; else empty."""
    micro_batches = [place for place in state.backwards if place > window.begin]
    n = len(micro_batches)
    divisions = [e for e in (ledger[place] for place in state.edits)
                 if e.factor is not None and isclose(e.factor * n, 1, rel_tol=0.01)]
    if n < 2 or sum(any(a < e.index < b for e in divisions) for a, b in pairwise(micro_batches)) < n - 1:
        return []
    return [n ** -sum(e.index > place for e in divisions) for place in micro_batches]


def _counted(ledger) -> Iterator[list[tuple[Window, int]]]:
    """For each optimizer its windows, if all their losses were divided by the same whole number, and that number."""
    by_optimizer: dict[int, list[Window]] = {}
    for window in windows(ledger):
        by_optimizer.setdefault(window.optimizer, []).append(window)
    for own in by_optimizer.values():
        own = [window for window in own if window.used and not window.lost and not _cut_off(window)]
        if any(b.halved for window in own for b in window.used):
            continue
        divisors = {b.divisor for window in own for b in window.used}
        # A division of the gradients by hand may make up for it.
        if len(divisors) != 1 or not whole(*divisors) or any(window.edits for window in own):
            continue
        if one_loop([b for window in own for b in window.used]):
            yield [(window, round(*divisors)) for window in own]


def _cut_off(window: Window) -> bool:
    """Whether the recording may have begun in the middle of this window: a gradient was there before it."""
    return window.begin < 0 and any(not state.backwards for state in window.used[0].gradients)
