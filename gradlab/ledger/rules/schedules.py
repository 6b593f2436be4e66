"""Rules about when the learning rate moves."""

from collections.abc import Iterator
from itertools import pairwise

from gradlab.ledger.events import Backward, Schedule, Skip, Step, ZeroGrad
from gradlab.ledger.finding import Finding
from gradlab.ledger.rules.telling import told
from gradlab.ledger.rules.window import above, updates

# They look at a metric, or may be told the epoch as a fraction, so they need not count updates.
OWN_CLOCK = ("ReduceLROnPlateau", "CosineAnnealingWarmRestarts")
SETTLING = 2  # skipped steps that are usual while a loss scale settles


def scheduler_off_by_one(ledger) -> Iterator[Finding]:
    """A scheduler that moves before the first update, or a first update at rate 0."""
    for optimizer, held in enumerate(ledger.held):
        own = [e for e in ledger if isinstance(e, Step | Skip | Schedule) and e.optimizer == optimizer]
        steps = [e for e in own if isinstance(e, Step)]
        if not steps:
            continue
        for moved in _from_the_start(own):
            if moved.before != moved.lr and _in_front(ledger, moved, steps[0], frozenset(held), own):
                yield told("scheduler-off-by-one", moved, steps[0], variant="skipped-first", lr=steps[0].lr[0],
                           lr_first=moved.before[0])
                break
        if len(steps) > 1 and not any(steps[0].lr) and any(steps[1].lr):
            yield told("scheduler-off-by-one", steps[0], steps[1], variant="zero-first", level="info",
                       lr_second=max(steps[1].lr))


def _from_the_start(own: list) -> Iterator[Schedule]:
    for event in own:
        if not isinstance(event, Schedule):
            return
        yield event


def _in_front(ledger, moved: Schedule, step: Step, held: frozenset[int], own: list) -> bool:
    """Whether the scheduler moves before the update in every turn of the loop.

    A recording may begin between the two, and a resumed run may wind its schedule forward first.
    """
    if not any(e.where == moved.where for e in own if isinstance(e, Schedule) and e is not moved):
        return False
    if above(moved.where, step.where):
        return True
    return (any(isinstance(e, Backward) and held.intersection(e.parameters) for e in ledger[:moved.index])
            and not any(isinstance(e, ZeroGrad) and held.intersection(e.parameters)
                        for e in ledger[moved.index:step.index]))


def scheduler_wrong_clock(ledger) -> Iterator[Finding]:
    """A scheduler that moves with each micro-batch, or for updates that the scaler left out."""
    for optimizer, held in enumerate(ledger.held):
        for schedules in _by_line(ledger, optimizer):
            yield from _per_micro_batch(ledger, optimizer, frozenset(held), schedules)
            yield from _on_skipped_step(ledger, optimizer, schedules)


def _by_line(ledger, optimizer: int) -> list[list[Schedule]]:
    """The moves of each scheduler that counts its calls."""
    lines: dict[tuple, list[Schedule]] = {}
    for event in ledger.of(Schedule):
        if event.optimizer == optimizer and event.scheduler not in OWN_CLOCK:
            lines.setdefault((event.scheduler, event.where), []).append(event)
    return list(lines.values())


def _per_micro_batch(ledger, optimizer: int, held: frozenset[int], schedules: list[Schedule]) -> Iterator[Finding]:
    own = [window for window in updates(ledger) if window.optimizer == optimizer]
    backwards = [b for b in ledger.of(Backward) if held.intersection(b.parameters)]
    for window in own:
        inside = [e for e in schedules if window.begin < e.index < window.end.index]
        between = [any(a.index < b.index < c.index for b in window.used) for a, c in pairwise(inside)]
        if between and all(between) and abs(len(schedules) - len(backwards)) <= 1:
            yield told("scheduler-wrong-clock", *inside, window.end, variant="per-micro-batch",
                       n_sched=len(schedules), n_update=len(own), n_backward=len(backwards))
            return


def _on_skipped_step(ledger, optimizer: int, schedules: list[Schedule]) -> Iterator[Finding]:
    skipped, places = [], {event.index: event for event in schedules}
    turns = [e for e in ledger if isinstance(e, Step | Skip) and e.optimizer == optimizer]
    for turn in turns:
        for event in ledger[turn.index + 1:]:
            if event.index in places and isinstance(turn, Skip):
                skipped.append(event)
            if event.index in places or isinstance(event, Backward):
                break
    # Once an epoch is not once an update: the scheduler must move with nearly all of them.
    if skipped and len(schedules) >= 0.8 * len(turns):
        yield told("scheduler-wrong-clock", *skipped, variant="on-skipped-step",
                   level="warn" if len(skipped) > SETTLING else "info", n_sched=len(schedules),
                   n_update=sum(isinstance(turn, Step) for turn in turns), n_skip=len(skipped))
