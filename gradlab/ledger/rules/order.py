"""Rules about the order of zero_grad, backward, clip and step within a window."""

from bisect import bisect
from collections.abc import Iterator
from math import nan

from gradlab.ledger.events import Backward, Clip, Provenance, ZeroGrad
from gradlab.ledger.finding import Finding
from gradlab.ledger.rules.telling import told
from gradlab.ledger.rules.window import Window, above, one_loop, states, updates, whole, windows


def clip_after_step(ledger) -> Iterator[Finding]:
    """A clip of gradients that an update has used up, where that update used them unclipped."""
    for clip, before, _ in _misplaced(ledger):
        if before is None or _in_front(ledger, clip, before):
            continue
        lines = {"line_clip": clip.where.line, "line_step": before.end.where.line, "norm": before.end.norm}
        if clip.max_norm is None:
            yield told("clip-after-step", before.end, clip, variant="by-hand", **lines)
        else:
            yield told("clip-after-step", before.end, clip, max_norm=clip.max_norm, **lines)


def clip_before_backward(ledger) -> Iterator[Finding]:
    """A clip that ran before the gradients of its window were there, and none after."""
    for clip, before, after in _misplaced(ledger):
        if after is None or before is not None and not _in_front(ledger, clip, before):
            continue
        evidence = {"norm_step": after.end.norm}
        if clip.missing == clip.given and clip.given:
            yield told("clip-before-backward", clip, after.end, variant="none", n_params=clip.given, **evidence)
        elif clip.missing:
            yield told("clip-before-backward", clip, after.end, n_none=clip.missing, n_params=clip.given,
                       norm=clip.norm, **evidence)
        else:
            yield told("clip-before-backward", clip, after.end, variant="zeros-or-stale", norm=clip.norm, **evidence)
        break  # what the next ones met is another matter, but the mistake is the same
    yield from _clipped_in_part(ledger)


def _clipped_in_part(ledger) -> Iterator[Finding]:
    """One clip in the middle of a window of micro-batches."""
    for window in updates(ledger):
        if len(window.clips) != 1 or not one_loop(window.used):
            continue
        clip, = window.clips
        seen = [b for b in window.used if b.index < clip.index]
        if clip.coefficient < 1 and 0 < len(seen) < len(window.used):
            yield told("clip-before-backward", clip, window.used[-1], window.end, variant="partial", n_seen=len(seen),
                       n_backward=len(window.used), norm=clip.norm, norm_step=window.end.norm)


def _misplaced(ledger) -> Iterator[tuple[Clip, Window | None, Window | None]]:
    """The clips that met no gradient of their window, with the unclipped update before and the one after.

    Both windows are of one optimizer; either is None where there was none, or where it was clipped in its place.
    """
    anywhere = {p for held in ledger.held for p in held}
    clips = [clip for clip in ledger.of(Clip) if _met_nothing(clip, anywhere.intersection(clip.parameters))]
    for optimizer, held in enumerate(ledger.held):
        own = [window for window in windows(ledger) if window.optimizer == optimizer]
        ends = [window.end.index for window in own]
        for clip in clips:
            if not set(held).isdisjoint(clip.parameters):
                place = bisect(ends, clip.index)
                before, after = own[place - 1] if place else None, own[place] if place < len(own) else None
                yield clip, _unclipped(before), _unclipped(after)


def _met_nothing(clip: Clip, parameters) -> bool:
    """Whether all gradients were missing, zero, or used up by an update already."""
    there = states(clip, parameters)
    if any(state.backwards for state in there):
        return all(_used_up(state) for state in there)
    return clip.norm == 0


def _used_up(state: Provenance) -> bool:
    return state.stale and bool(state.backwards) and max(state.backwards) < max(state.steps)


def _unclipped(window: Window | None) -> Window | None:
    return window if window and window.updated and window.states and not window.clips else None


def _in_front(ledger, clip: Clip, before: Window) -> bool:
    """Whether a clip between two updates is meant for the second.

    In a loop, "after the step" and "before the next backward" are the same moment. The lines tell; where they cannot
    be compared, the first window does: a clip that belongs in front was in front of the first backward, too.
    """
    stands_above = above(clip.where, before.end.where)
    if stands_above is not None:
        return stands_above
    return any(first.where == clip.where for first in ledger.of(Clip) if not first.window[before.optimizer])


def missing_zero_grad(ledger) -> Iterator[Finding]:
    """An update whose gradient holds backward passes from before and from after an earlier update."""
    without_growth = None
    for window in updates(ledger):
        for state in window.states:
            own = [place for place in state.steps if ledger[place].optimizer == window.optimizer]
            old = [place for place in state.backwards if own and place < own[-1]]
            new = [place for place in state.backwards if own and place > own[-1]]
            # An edit in between makes it a momentum written by hand.
            if not old or not new or any(own[-1] < place < new[0] for place in state.edits):
                continue
            first = ledger[own[0]]
            since = {"i": window.number + 1, "n_windows": len(own) + 1, "j": first.window[window.optimizer] + 1}
            # What a backward pass leaves is not clipped yet, before and after.
            norm, before = _left_by(ledger[new[-1]]), [place for place in old if place < own[0]]
            norm_before = _left_by(ledger[before[-1]]) if before else nan
            if norm > norm_before:
                yield told("missing-zero-grad", first, window.end, norm_j=norm_before, norm_i=norm, **since)
                return
            without_growth = without_growth or (first, window.end, {"norm": norm, **since})
    if without_growth:
        *events, evidence = without_growth
        yield told("missing-zero-grad", *events, variant="sum", **evidence)


def _left_by(backward: Backward) -> float:
    return backward.norm / backward.scale


def zero_grad_before_step(ledger) -> Iterator[Finding]:
    """Backward passes that were cleared before the update that they were meant for."""
    for window in updates(ledger):
        cleared = [e for e in window.events if isinstance(e, ZeroGrad) and not e.in_step
                   and {b.index for b in window.lost}.intersection(e.lost)]
        if not cleared:
            continue
        n_backward, n_lost, n_left = len(window.backwards), len(window.lost), len(window.used)
        if not n_left:
            # A gradient put there by hand (per-example clipping, gradient surgery) is what was meant to be used.
            put = any(place > cleared[-1].index for state in states(window.end, window.held) for place in state.edits)
            if cleared[-1].index > window.backwards[-1].index and not put:
                yield told("zero-grad-before-step", window.backwards[-1], cleared[-1], window.end,
                           variant="nothing-left", n_backward=n_backward)
            continue
        if any(_put_there(ledger, state, cleared[-1].index) for state in window.states):
            continue
        divisors = {b.divisor for b in window.backwards}
        divisor = next(iter(divisors))
        # More may be cleared on purpose (SAM, a diagnostic), unless the divisor says how many were to be summed.
        if one_loop(window.backwards) and len(divisors) == 1 and whole(divisor) and n_left < divisor <= n_backward:
            if n_left == 1:
                level = "info" if window.used[0].halved else None
                yield told("zero-grad-before-step", cleared[0], window.end, variant="last-only", level=level,
                           n_backward=n_backward, divisor=divisor)
            else:
                yield told("zero-grad-before-step", cleared[0], window.end, n_backward=n_backward, n_lost=n_lost,
                           n_left=n_left, divisor=divisor)


def _put_there(ledger, state: Provenance, cleared: int) -> bool:
    """Whether a gradient was made by hand since it was cleared: from a sum kept elsewhere, say, which holds the rest.

    A multiple of the gradient is nothing new. But whether one that was replaced is a multiple of the one before cannot
    be told where there is only one tensor, so what looks like a clip there may be anything.
    """
    edits = [ledger[place] for place in state.edits if place > cleared]
    clips = [ledger[place] for place in state.clips if place > cleared]
    return (any(edit.factor is None or edit.what in ("replaced", "copy_", "") for edit in edits)
            or any(clip.how == "by hand" and clip.after and len(clip.parameters) == 1 for clip in clips))
