"""Rules about loss scaling: what happens to gradients while a scale is in them, and who makes the step."""

from collections.abc import Iterator
from math import isclose, isfinite

from gradlab.ledger.events import Backward, Provenance, ScalerUpdate, Skip, Step, Unscale, ZeroGrad
from gradlab.ledger.finding import Finding
from gradlab.ledger.rules.telling import told
from gradlab.ledger.rules.window import Window, states, updates, windows


def clip_before_unscale(ledger) -> Iterator[Finding]:
    """A clip of gradients that still hold the loss scale, at a limit that was meant for unscaled ones."""
    for window in windows(ledger):
        if _past_the_scaler(window):
            continue  # they were never unscaled: `scaler_bypassed` is at the root of it
        for clip in window.clips:
            scale = max(scale_left(state) for state in states(clip, window.held.intersection(clip.parameters)))
            max_norm = clip.norm * clip.coefficient if clip.max_norm is None else clip.max_norm
            # A limit from scale / 100 up was multiplied by the scale on purpose.
            if scale > 1 and clip.coefficient < 1 and 0 < max_norm < scale / 100:
                yield told("clip-before-unscale", clip, window.end, norm=clip.norm, scale=scale,
                           norm_true=clip.norm / scale, max_norm=max_norm, max_norm_eff=max_norm / scale)


def unscale_twice(ledger) -> Iterator[Finding]:
    """Gradients divided by the loss scale a second time, by `unscale_` or by hand."""
    for optimizer, held in enumerate(ledger.held):
        first, ended = None, False
        for event in ledger:
            if isinstance(event, ScalerUpdate):
                first, ended = None, False
            elif isinstance(event, Step | Skip) and event.optimizer == optimizer:
                ended = True
            elif isinstance(event, ZeroGrad) and first and set(event.parameters).intersection(held):
                ended = True
            elif isinstance(event, Unscale) and event.optimizer == optimizer:
                if first:
                    yield told("unscale-twice", first, event, variant="update-missing" if ended else "raised",
                               line_first=first.where.line, line_second=event.where.line)
                if not event.refused:
                    first, ended = event, False
    for window in windows(ledger):
        yield from _unscaled_by_hand_too(window)


def _unscaled_by_hand_too(window: Window) -> Iterator[Finding]:
    for unscale in _unscales(window):
        for edit in window.edits:
            if edit.factor is None or not isclose(edit.factor * unscale.scale, 1, rel_tol=0.01):
                continue
            after = edit.index > unscale.index
            norm_true = edit.norm_before if after else edit.norm_after
            yield told("unscale-twice", *sorted((unscale, edit), key=lambda event: event.index), variant="value",
                       scale=unscale.scale, norm=norm_true / unscale.scale, norm_true=norm_true)


def backward_after_unscale(ledger) -> Iterator[Finding]:
    """A scaled gradient added to one that was unscaled already."""
    unscales = [unscale for unscale in ledger.of(Unscale) if not unscale.refused and unscale.scale > 1]
    for backward in ledger.of(Backward):
        if backward.scale == 1:
            continue
        for state in states(backward, backward.parameters):
            if not state.backwards or state.stale or state.scaled:
                continue
            last = ledger[state.backwards[-1]]
            between = [u for u in unscales if last.index < u.index < backward.index
                       and not set(ledger.held[u.optimizer]).isdisjoint(backward.parameters)]
            if between:
                norm = last.norm / between[-1].scale
                for place in state.clips:
                    norm *= ledger[place].coefficient if place > last.index else 1.0
                yield told("backward-after-unscale", between[-1], backward, line=backward.where.line,
                           scale=backward.scale, n=len(state.backwards), norm_a=norm, norm_b=backward.norm)
                break


def scaler_bypassed(ledger) -> Iterator[Finding]:
    """An update of scaled or unscaled gradients that the optimizer made by itself, past the scaler."""
    guarded = {optimizer for optimizer in range(len(ledger.held)) if _guarded_by_hand(ledger, optimizer)}
    unscaled = []
    for window in updates(ledger):
        step = window.end
        if not _past_the_scaler(window):
            continue
        scale = max(scale_left(state) for state in window.states)
        unscales = _unscales(window)
        if scale > 1 and step.moved == step.moved:
            yield told("scaler-bypassed", step, line=step.where.line, scale=scale, moved=step.moved)
        elif scale > 1:
            yield told("scaler-bypassed", step, variant="scaled", scale=scale, norm=step.norm,
                       norm_true=window.used[-1].norm / window.used[-1].scale)
        elif unscales and window.optimizer not in guarded:
            harm = not isfinite(step.norm) and any(unscale.found_inf for unscale in unscales)
            unscaled.append((harm, unscales[-1], step))
    # The loop may look for overflow itself, so only one that was stepped on proves a mistake.
    for harm, unscale, step in sorted(unscaled, key=lambda found: not found[0]):
        variant, level = ("overflow", "error") if harm else ("unscaled", "info")
        yield told("scaler-bypassed", unscale, step, variant=variant, level=level, scale=unscale.scale)


def _past_the_scaler(window: Window) -> bool:
    """Whether an update of gradients that hold or held a loss scale was not the scaler's."""
    return (window.updated and not window.end.through_scaler and bool(window.states)
            and (bool(_unscales(window)) or any(scale_left(state) > 1 for state in window.states)))


def _unscales(window: Window) -> list[Unscale]:
    return [e for e in window.events
            if isinstance(e, Unscale) and e.optimizer == window.optimizer and e.scale > 1 and not e.refused]


def _guarded_by_hand(ledger, optimizer: int) -> bool:
    """Whether every overflow that `unscale_` met was followed by no update of that optimizer: the loop checks."""
    met, guarded = None, False
    for event in ledger:
        if isinstance(event, Unscale) and event.optimizer == optimizer:
            met = event if event.found_inf else None
        elif isinstance(event, Step) and event.optimizer == optimizer and met:
            return False
        elif isinstance(event, ScalerUpdate | ZeroGrad) and met:
            met, guarded = None, True
    return guarded


def scaler_dtype_mismatch(ledger) -> Iterator[Finding]:
    """Autocast in float16 without a loss scale, or in bfloat16 with one."""
    backwards = ledger.of(Backward)
    half = [b for b in backwards if b.autocast == "float16"]
    # A factor above 1 is a loss scale by hand; where a scaler is at work, some loss may go without on purpose.
    if half and all(b.scale == 1 and not (b.divisor and b.divisor < 1) for b in backwards):
        yield told("scaler-dtype-mismatch", half[0], variant="without-scaler", dtype="float16", n_backward=len(half))
    for backward in backwards:
        if backward.autocast == "bfloat16" and backward.scale > 1:
            yield told("scaler-dtype-mismatch", backward, variant="with-scaler", level="info", dtype="bfloat16",
                       scale=backward.scale)


def scale_left(state: Provenance) -> float:
    """The largest loss scale still in a gradient; 1 where it was divided out, by hand too."""
    return max(state.scales, default=1.0)
