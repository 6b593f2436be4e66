"""Which events a picture of one training step shows, and how repeats of them share a row."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from gradlab.ledger.events import Backward, Edit, Event, Measure, ScalerUpdate, Schedule, Skip, Step, ZeroGrad

MOST = 16  # rows in a picture
ALONE = 4  # so many repeats have a row each
QUIET = (Measure, Edit, ScalerUpdate, Schedule)  # what does not belong to every step


@dataclass(frozen=True)
class Row:
    """One row of the picture.

    - `places`: the places in the ledger of the event, or of all repeats of it that share the row
    - `hidden`: whether it only stands for events that found no room
    - `loop`, `turns`: rows with the same number `loop`, from 1, repeat together, `turns` times; 0 and 1 for others
    """

    places: tuple[int, ...] = ()
    hidden: bool = False
    loop: int = 0
    turns: int = 1


def passes(events: Sequence[Event], optimizer: int = 0) -> list[range]:
    """The places of the events of each update: up to the update, and what follows it in the same turn of the loop.

    The last one has no update where events are left over.
    """
    found, start, place = [], 0, 0
    while place < len(events):
        event, place = events[place], place + 1
        if isinstance(event, Step | Skip) and event.optimizer == optimizer:
            while place < len(events) and _follows(events[place], event):
                place += 1
            if place < len(events) and isinstance(events[place], Backward) and _further(events[place], event):
                while isinstance(events[place - 1], ZeroGrad):
                    place -= 1  # it clears for that backward, which comes next in the same code
            found.append(range(start, place))
            start = place
    return found + [range(start, place)] * (place > start)


def _follows(later: Event, update: Event) -> bool:
    """Whether an event belongs to the turn of the loop of the update before it: its line comes further down."""
    if isinstance(later, Backward) or (isinstance(later, Step | Skip) and later.optimizer == update.optimizer):
        return False
    further = _further(later, update)
    return isinstance(later, ScalerUpdate | Schedule) if further is None else further


def _further(later: Event, earlier: Event) -> bool | None:
    """Whether an event stands no higher than another in the same function; None where that cannot be compared."""
    here, there = earlier.where, later.where
    if not here or not there or (here.file, here.function) != (there.file, there.function):
        return None
    return there.line >= here.line


def choose(events: Sequence[Event], step: int | None = None, first: Collection[int] = ()) -> tuple[int, int, range]:
    """Which update to draw: its number, how many there are, and the places of its events.

    Without `step` it is the one that `first` leads to, the places that the most important finding marks. Events left
    over after the last update have the next number. Raises IndexError where `step` is not the number of an update.
    """
    first = [place for place in first if 0 <= place < len(events)]
    numbers = [events[place].optimizer for place in first if isinstance(events[place], Step | Skip)]
    optimizer = numbers[0] if numbers and step is None else 0
    turns = passes(events, optimizer)
    count = sum(isinstance(event, Step | Skip) and event.optimizer == optimizer for event in events)
    if step is not None:
        if not -len(turns) <= step < len(turns):
            known = f"its updates have the numbers 0 to {len(turns) - 1}" if turns else "it is empty"
            raise IndexError(f"there is no update {step} in this ledger: {known}")
        step %= len(turns)
        return step, count, turns[step]
    if not first:
        return 0, count, turns[0] if turns else range(0)
    # What has no backward pass between it belongs together, even where the lines do not tell that it does.
    last = max(first)
    near = min(place for place in first if not any(isinstance(event, Backward) for event in events[place + 1:last]))
    step, places = next((step, places) for step, places in enumerate(turns) if near in places)
    return step, count, range(places.start, max(places.stop, last + 1))


def gather(events: Sequence[Event], places: range, marked: Collection[int] = ()) -> list[Row]:
    """The rows that show `events` at `places`, at most `MOST` of them, the `marked` ones before the others."""
    rows = []
    for _, group in groupby(places, key=lambda place: _likeness(events[place])):
        group = tuple(group)
        rows += [Row(group)] if len(group) > ALONE else [Row((place,)) for place in group]
    if len(rows) > MOST:
        rows = _fold(rows, events)
    return rows if len(rows) <= MOST else _hide(rows, events, marked)


def _likeness(event: Event) -> tuple:
    """What two events share that can share a row."""
    return (type(event), event.where, *(getattr(event, name, None) for name in ("optimizer", "how", "what")))


def _places(rows: Sequence[Row]) -> tuple[int, ...]:
    return tuple(chain.from_iterable(row.places for row in rows))


def _fold(rows: list[Row], events: Sequence[Event]) -> list[Row]:
    """Rows that repeat together, three times or more, once."""
    likeness = [(_likeness(events[row.places[0]]), len(row.places)) for row in rows]
    folded, place, loop = [], 0, 0
    while place < len(rows):
        best = (0, 1, 1)  # rows saved, rows in the loop, turns
        for length in range(1, 9):
            turn, turns = likeness[place:place + length], 1
            while likeness[place + turns * length:place + (turns + 1) * length] == turn:
                turns += 1
            if turns > 2:
                best = max(best, (length * (turns - 1), -length, turns))
        saved, length, turns = best[0], abs(best[1]), best[2]
        loop += saved > 0 and length > 1
        for first in range(place, place + length):
            together = rows[first:first + length * turns:length]
            folded.append(Row(_places(together)) if length == 1 else Row(_places(together), loop=loop, turns=turns))
        place += length * turns
    return folded


def _hide(rows: list[Row], events: Sequence[Event], marked: Collection[int]) -> list[Row]:
    """The most important rows, in order, and for each gap between them one that stands for the rest."""
    seen = Counter()

    def importance(place: int) -> tuple:
        row, event = rows[place], events[rows[place].places[0]]
        seen[type(event)] += 1  # the first of each kind before the second of any
        return set(row.places).isdisjoint(marked), isinstance(event, QUIET), seen[type(event)], place

    ranked = sorted(range(len(rows)), key=importance)
    for room in range(MOST, 0, -1):
        kept = set(ranked[:room])
        shown = []
        for hidden, group in groupby(range(len(rows)), key=lambda place: place not in kept):
            group = [rows[place] for place in group]
            if hidden and len(group) > 1:
                group = [Row(_places(group), hidden=True)]
            shown += group
        if len(shown) <= MOST:
            break
    return shown
