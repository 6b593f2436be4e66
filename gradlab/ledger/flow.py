"""The flow of the gradient: how large it is between one event and the next, and in what state.

Events say what they measured; the flow says what follows for the norm over *all* gradients between them. An unscale
divides it, a clip of all gradients multiplies it, a clip of some of them takes their share. Where nothing that was
measured says how large it is, it is None.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradlab.ledger.events import Backward, Clip, Edit, Event, Gradients, Provenance, Skip, Step, Unscale, ZeroGrad


@dataclass(frozen=True)
class Reach:
    """The gradient between two neighbouring events.

    - `norm`: L2 norm over all gradients; 0.0 where there are none, None where it is not known
    - `scale`: the largest loss scale that is still in them, 1.0 without
    - `clipped`: whether a clip has acted on them and nothing was added since
    - `stale`: whether an update has used all of them and nothing was added since
    - `old`: where new gradients were added to used ones, the norm of the used ones alone, as far as known
    """

    norm: float | None = 0.0
    scale: float = 1.0
    clipped: bool = False
    stale: bool = False
    old: float | None = None


def flow(events: Sequence[Event], start: int, stop: int, *, held: Sequence[Sequence[int]] = (),
         leftover: Gradients | None = None) -> list[Reach]:
    """The reaches before, between and after `events[start:stop]`: one more than there are events.

    `held` are the parameters that each optimizer holds, and `leftover` the gradients after the last event of all.
    """
    # An update is the nearest event upstream that says how large the gradient is, so the reckoning begins there.
    spring = next((place for place in range(start - 1, -1, -1) if isinstance(events[place], Step)), 0)
    reaches, norm, old = [], None, None
    for place in range(spring, stop):
        event, living = events[place], _living(events[place].gradients)
        before = _seen(event, living, norm)
        if place == spring and before is None and not living:
            before = 0.0
        if reaches and reaches[-1].norm is None and before is not None:
            reaches[-1] = _state(living, before, old)
        if place == start:
            reaches = [_state(living, before, old)]
        if place + 1 < len(events):
            later = events[place + 1].gradients
        else:
            later = _later(event) if leftover is None else leftover
        later = _living(later)
        norm = _after(event, living, later, before, held)
        if later and all(origin.stale and not _mixed(origin) for origin in later):
            old = norm
        elif old and before and norm is not None and not isinstance(event, Backward):
            old *= norm / before  # what acts on the sum acts on its used part
        reaches.append(_state(later, norm, old))
    return reaches[-(stop - start + 1):] if stop > start else [Reach()]


def whole(clip: Clip) -> bool:
    """Whether a clip was given every gradient there was, once."""
    living = {parameter for names in _living(clip.gradients).values() for parameter in names}
    given = set(clip.parameters)
    return len(clip.parameters) > clip.missing and living <= given and len(given) == len(clip.parameters)


def limit(clip: Clip) -> float | None:
    """The max_norm of a clip where it can be held against the flow: one of all gradients, or one that met none."""
    comparable = clip.how == "norm" and clip.norm_type == 2 and (whole(clip) or len(clip.parameters) <= clip.missing)
    return clip.max_norm if comparable and clip.max_norm and 0 < clip.max_norm < math.inf else None


def _living(gradients: Mapping[Provenance, tuple[int, ...]]) -> Gradients:
    """Without gradients that hold nothing but zeros."""
    return {origin: names for origin, names in gradients.items() if names and (origin.backwards or origin.edits)}


def _mixed(origin: Provenance) -> bool:
    return origin.stale and bool(origin.backwards) and max(origin.backwards) > max(origin.steps)


def _state(living: Gradients, norm: float | None, old: float | None) -> Reach:
    mixed = any(_mixed(origin) for origin in living)
    clipped = any(max(origin.clips, default=-1) > max(origin.backwards, default=-1) for origin in living)
    return Reach(norm=norm, clipped=clipped,
                 scale=max((scale for origin in living for scale in origin.scales), default=1.0),
                 stale=bool(living) and not mixed and all(origin.stale for origin in living),
                 old=old if mixed else None)


def _later(event: Event) -> Gradients:
    """The gradients after the last event of a ledger that is still being written."""
    if isinstance(event, ZeroGrad):
        return {}
    used = (event.index,) if isinstance(event, Step) else ()
    return {origin._replace(steps=origin.steps + used): names for origin, names in event.gradients.items()}


def _seen(event: Event, living: Gradients, norm: float | None) -> float | None:
    """The norm just before an event: what the event itself measured, if it measured all of it."""
    count = sum(map(len, living.values()))
    if isinstance(event, Edit) and not math.isnan(event.norm_before):
        return event.norm_before
    if isinstance(event, Step) and not math.isnan(event.norm) and count <= len(event.parameters):
        return event.norm
    if isinstance(event, Clip) and event.norm_type == 2 and whole(event):
        # A norm that was measured and is NaN leaves a coefficient that is NaN; without that it was not measured.
        if not math.isnan(event.norm) or math.isnan(event.coefficient):
            return event.norm
    if norm is None and (isinstance(event, Skip) or isinstance(event, Unscale) and event.found_inf):
        return math.nan
    return norm


def _after(event: Event, living: Gradients, later: Gradients, before: float | None,
           held: Sequence[Sequence[int]]) -> float | None:
    if isinstance(event, ZeroGrad):
        return 0.0 if not later else before if not event.parameters else None
    if isinstance(event, Backward):
        return None if math.isnan(event.norm) else event.norm
    if isinstance(event, Edit):
        if not math.isnan(event.norm_after):
            return event.norm_after
        return None if before is None or event.factor is None else before * abs(event.factor)
    if before is None:
        return None
    if isinstance(event, Unscale):
        reached = set(held[event.optimizer]) if 0 <= event.optimizer < len(held) else None
        every = reached is None or all(reached.issuperset(names) for names in living.values())
        return before / event.scale if every and event.scale else None
    if isinstance(event, Clip):
        return _clipped(event, before)
    return before


def _clipped(clip: Clip, before: float) -> float | None:
    if not clip.parameters or clip.coefficient == 1:
        return before
    if whole(clip):
        return before * abs(clip.coefficient)
    if clip.norm_type != 2 or len(set(clip.parameters)) < len(clip.parameters) or not math.isfinite(clip.norm):
        return None
    # Pythagoras: the tensors it was given and the others are at right angles.
    if not before or not math.isfinite(before):
        return before
    share = clip.norm / before
    return before * math.sqrt(max(1 - share * share * (1 - clip.coefficient * clip.coefficient), 0.0))
