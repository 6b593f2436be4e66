"""Rules about what a clip computes, what it does to broken gradients, and how its limit compares with the norms."""

from collections.abc import Iterator
from math import acos, degrees, hypot, inf, isclose, isfinite, sqrt
from statistics import median

from gradlab.ledger.events import Clip, Edit
from gradlab.ledger.finding import Finding
from gradlab.ledger.rules.mixed_precision import scale_left
from gradlab.ledger.rules.telling import told
from gradlab.ledger.rules.window import Window, states, updates

RUN = 20  # updates from which a share of them says something about the limit


def max_norm_not_positive(ledger) -> Iterator[Finding]:
    """A clip at 0, which erases every gradient, or below, which turns them around."""
    for window in updates(ledger):
        for clip in window.clips:
            if clip.max_norm is None or clip.max_norm > 0:
                continue
            if clip.max_norm == 0:
                yield told("max-norm-not-positive", clip, window.end, variant="zero", n_params=clip.given)
            elif clip.how == "norm":
                yield told("max-norm-not-positive", clip, window.end, variant="negative", max_norm=clip.max_norm,
                           coef=clip.coefficient)


def clip_cures_nonfinite(ledger) -> Iterator[Finding]:
    """A gradient that was not finite, was clipped, and was used all the same."""
    for window in updates(ledger):
        for clip in window.clips:
            if (not isfinite(clip.norm) and not isfinite(window.end.norm) and clip.max_norm is not None
                    and not _overflowed(window, clip)):
                yield told("clip-cures-nonfinite", clip, window.end, variant="stepped", norm=clip.norm,
                           max_norm=clip.max_norm)


def low_precision_norm(ledger) -> Iterator[Finding]:
    """A norm that overflowed though the gradients are finite: the clip made zeros of them all."""
    for window in updates(ledger):
        for clip in window.clips:
            if clip.max_norm and _overflowed(window, clip):
                norm = _size(window, clip)
                yield told("low-precision-norm", clip, window.end, norm=clip.norm, dtype="the gradients' own precision",
                           norm32=norm, coef=clip.max_norm / norm, coef_yours=0)


def _overflowed(window: Window, clip: Clip) -> bool:
    return clip.norm == inf and isfinite(_size(window, clip))


def _size(window: Window, clip: Clip) -> float:
    """The norm of all gradients just before a clip, as the ledger measured it."""
    last = max((e for e in (*window.backwards, *window.edits) if e.index < clip.index), key=lambda event: event.index)
    if isinstance(last, Edit):
        return last.norm_after
    return last.norm / last.scale * _scale(clip)


def value_clip_for_norm_clip(ledger) -> Iterator[Finding]:
    """Entries cut off at a limit, which turns the gradient."""
    for window in updates(ledger):
        for clip in window.clips:
            if clip.how == "value" and clip.coefficient < 1:
                yield told("value-clip-for-norm-clip", clip, window.end, variant="clamped", max_norm=clip.max_norm,
                           norm=clip.norm, norm_after=clip.norm * clip.coefficient)


def per_tensor_norm(ledger) -> Iterator[Finding]:
    """Several clips at one limit in one window, each of other tensors."""
    for window in updates(ledger):
        clips = [clip for clip in window.clips if clip.how == "norm" and clip.norm_type == 2]
        sets = [set(clip.parameters) for clip in clips]
        limits = {clip.max_norm for clip in clips}
        if len(clips) < 2 or len(limits) > 1 or len(set().union(*sets)) < sum(map(len, sets)):
            continue
        max_norm, = limits
        after = [clip.norm * clip.coefficient for clip in clips]
        if not hypot(*after) > max_norm * 1.0001:
            continue
        if all(len(of_one) == 1 for of_one in sets):
            along = sum(clip.norm * left for clip, left in zip(clips, after, strict=True))
            cosine = along / hypot(*(clip.norm for clip in clips)) / hypot(*after)
            yield told("per-tensor-norm", *clips, window.end, k=len(clips), max_norm=max_norm,
                       norm_global=hypot(*after), angle=degrees(acos(min(1.0, cosine))))
        else:
            yield told("per-tensor-norm", *clips, window.end, variant="separate", k=len(clips), max_norm=max_norm,
                       bound=sqrt(len(clips)) * max_norm)


def always_clipped(ledger) -> Iterator[Finding]:
    """A run of at least 20 updates that were all clipped, at one limit."""
    for optimizer in range(len(ledger.held)):
        own = [window for window in updates(ledger) if window.optimizer == optimizer]
        clips = [window.clips[-1] for window in own if len(window.clips) == 1]
        if len(own) < RUN or len(clips) < len(own):
            continue
        limits = [_limit(clip) for clip in clips]
        left = [clip.norm * clip.coefficient / _scale(clip) for clip in clips]
        # Not so if some were below it, if it follows a schedule or the norms, or if it is one of entries or groups.
        if not isclose(min(left), max(limits), rel_tol=0.01):
            continue
        yield told("always-clipped", clips[-1], percent=100, norm_med=median(clip.norm for clip in clips),
                   max_norm=limits[-1], optimizer="your optimizer",
                   consequence="a gradient of one and the same size at every step")


def clip_after_warmup_only(ledger) -> Iterator[Finding]:
    """Clipping that began after the first updates, some of which had exceeded its limit."""
    for optimizer in range(len(ledger.held)):
        own = [window for window in updates(ledger) if window.optimizer == optimizer]
        begin = next((i for i, window in enumerate(own) if window.clips), 0)
        clips = [clip for window in own[begin:] for clip in window.clips]
        # Begun after one window, or by hand (where a clip that does not act is not seen), proves nothing.
        if begin < 2 or any(clip.how != "norm" for clip in clips):
            continue
        limits = [_limit(clip) for clip in clips]
        above = [window.end for window in own[:begin] if window.end.norm > limits[0]]
        if above and isclose(min(limits), max(limits), rel_tol=0.01) and all(w.clips for w in own[begin:]):
            largest = max(above, key=lambda step: step.norm)
            yield told("clip-after-warmup-only", largest, clips[0], i=begin + 1, n=len(above), max_norm=limits[0],
                       ratio=largest.norm / limits[0])


def _limit(clip: Clip) -> float:
    """The limit of a clip as it acts on unscaled gradients."""
    return (clip.norm * clip.coefficient if clip.max_norm is None else clip.max_norm) / _scale(clip)


def _scale(clip: Clip) -> float:
    return max(scale_left(state) for state in states(clip, clip.parameters))
