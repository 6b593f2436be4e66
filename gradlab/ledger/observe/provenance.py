"""The state of the gradients, and how events change it."""

from collections.abc import Callable, Sequence

from gradlab.ledger.events import Gradients, Provenance

# A gradient that nobody ever clears must not make each event longer than the one before.
UPDATES_KEPT, BACKWARDS_KEPT = 32, 1024


def changed(state: Gradients, places: tuple[int, ...], change: Callable[[Provenance], Provenance]) -> Gradients:
    """The state with the provenance of the parameters at `places` changed; those that had none begin with nothing."""
    if len(state) < 2 and (not state or places in state.values()):  # the usual case: all gradients, all alike
        return {change(provenance): places for provenance in state or (Provenance(),)}
    new: dict[Provenance, tuple[int, ...]] = {}
    rest = set(places)
    for provenance, holders in state.items():
        inside = tuple([place for place in holders if place in rest])
        if len(inside) < len(holders):
            _join(new, provenance, holders if not inside else tuple([p for p in holders if p not in rest]))
        if inside:
            rest.difference_update(inside)
            _join(new, change(provenance), inside)
    if rest:
        _join(new, change(Provenance()), tuple(sorted(rest)))
    return new


def without(state: Gradients, places: Sequence[int]) -> Gradients:
    """The state once the gradients at `places` are gone."""
    if len(state) == 1 and places in state.values():
        return {}
    gone = set(places)
    kept = {provenance: tuple([place for place in held if place not in gone]) for provenance, held in state.items()}
    return {provenance: held for provenance, held in kept.items() if held}


def unused(provenance: Provenance) -> tuple[int, ...]:
    """The backward passes in it that no update has used."""
    if not provenance.steps:
        return provenance.backwards
    last = provenance.steps[-1]
    return tuple([place for place in provenance.backwards if place > last])


def lost(before: Gradients, after: Gradients) -> tuple[int, ...]:
    """The backward passes that no update had used before and that are in no gradient after."""
    gone = {place for provenance in before for place in unused(provenance)}
    if not gone:
        return ()
    return tuple(sorted(gone.difference(*[provenance.backwards for provenance in after])))


def with_clip(provenance: Provenance, place: int) -> Provenance:
    backwards, scales, clips, edits, steps = provenance
    return Provenance(backwards, scales, clips + (place,), edits, steps)


def with_backward(provenance: Provenance, place: int, scale: float) -> Provenance:
    backwards, scales, clips, edits, steps = provenance
    return Provenance((backwards + (place,))[-BACKWARDS_KEPT:], (scales + (scale,))[-BACKWARDS_KEPT:],
                      clips, edits, steps)


def with_step(provenance: Provenance, place: int) -> Provenance:
    backwards, scales, clips, edits, steps = provenance
    steps = steps + (place,)
    if len(steps) > UPDATES_KEPT:
        forgotten, steps = steps[-UPDATES_KEPT - 1], steps[-UPDATES_KEPT:]
        old = sum(place < forgotten for place in backwards)
        backwards, scales = backwards[old:], scales[old:]
        clips, edits = (tuple([place for place in places if place > forgotten]) for places in (clips, edits))
    return Provenance(backwards, scales, clips, edits, steps)


def with_factor(provenance: Provenance, factor: float) -> Provenance:
    """After a multiplication that may have taken a loss scale out."""
    scales = tuple([1.0 if abs(scale * factor - 1) < 1e-6 else scale * factor for scale in provenance.scales])
    return provenance._replace(scales=scales)


def _join(state: dict, provenance: Provenance, places: tuple[int, ...]) -> None:
    held = state.get(provenance)
    state[provenance] = places if held is None else tuple(sorted(held + places))
