"""Rules about which parameters were clipped, and which the optimizers hold."""

from collections.abc import Iterator

from gradlab.ledger.events import Backward, Clip
from gradlab.ledger.finding import Finding
from gradlab.ledger.rules.telling import told
from gradlab.ledger.rules.window import Window, updates


def exhausted_parameters(ledger) -> Iterator[Finding]:
    """A clip over 0 tensors in a window whose update used gradients that no other clip had seen."""
    for window in updates(ledger):
        for clip in window.events:
            if isinstance(clip, Clip) and clip.given == 0 and window.states and not window.clips:
                yield told("exhausted-parameters", clip, window.end, norm=clip.norm,
                           n_params=len(window.end.parameters), norm_true=window.end.norm)


def clip_set_mismatch(ledger) -> Iterator[Finding]:
    """Parameters that are clipped and not updated, updated and not clipped, or given to the clip twice."""
    for window in updates(ledger):
        yield from _duplicate(ledger, window)
        yield from _extra(ledger, window)
        yield from _missing(ledger, window)


def _duplicate(ledger, window: Window) -> Iterator[Finding]:
    for clip in window.clips:
        given = list(clip.parameters)
        twice = [p for p in dict.fromkeys(given) if given.count(p) > 1]
        if twice:
            yield told("clip-set-mismatch", clip, window.end, variant="duplicate", n_clip=clip.given,
                       n_opt=len(window.end.parameters), n_dup=len(twice), name=ledger.parameters[twice[0]])


def _extra(ledger, window: Window) -> Iterator[Finding]:
    if not window.held <= set(ledger.in_model):
        return  # the optimizer holds what the models do not: `optimizer_set_mismatch` is at the root of it
    anywhere = {p for held in ledger.held for p in held}.union(ledger.elsewhere)
    for clip in window.clips:
        with_gradient = {p for state, members in clip.gradients.items() if state.backwards for p in members}
        extra = [p for p in dict.fromkeys(clip.parameters) if p in with_gradient and p not in anywhere]
        if extra:
            yield told("clip-set-mismatch", clip, window.end, variant="extra", n_clip=len(set(clip.parameters)),
                       n_opt=len(window.end.parameters), n_extra=len(extra), name=ledger.parameters[extra[0]])


def _missing(ledger, window: Window) -> Iterator[Finding]:
    # By hand only those that shrank are seen; limits that differ are chosen one by one, and so is what has none.
    if any(clip.how == "by hand" for clip in window.clips) or len({clip.max_norm for clip in window.clips}) != 1:
        return
    clipped = {p for clip in window.clips for p in clip.parameters}
    missing = sorted(set().union(*window.states.values()) - clipped)
    if missing:
        yield told("clip-set-mismatch", window.clips[-1], window.end, variant="missing", n_clip=len(clipped),
                   n_opt=len(window.end.parameters), n_missing=len(missing), name=ledger.parameters[missing[0]])


def optimizer_set_mismatch(ledger) -> Iterator[Finding]:
    """Parameters of the model that receive a gradient window after window, and that nothing updates."""
    anywhere = {p for held in ledger.held for p in held}.union(ledger.elsewhere)
    reached: dict[int, dict[tuple[int, ...], Backward]] = {}
    for backward in ledger.of(Backward):
        for p in set(backward.parameters).intersection(ledger.in_model) - anywhere:
            reached.setdefault(p, {}).setdefault(backward.window, backward)
    outside = sorted(p for p, by_window in reached.items() if len(by_window) > 1)
    if outside:
        second = list(reached[outside[0]].values())[1]
        yield told("optimizer-set-mismatch", second, n=len(outside), name=ledger.parameters[outside[0]])
