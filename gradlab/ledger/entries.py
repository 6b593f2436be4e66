"""The rows of a picture in words, each with the gradient that it leaves behind."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gradlab.ledger.events import Backward, Clip, Event, Step
from gradlab.ledger.flow import Reach, flow, limit
from gradlab.ledger.rows import Row
from gradlab.ledger.words import line, manner, name, note, number


@dataclass
class Entry:
    """A row in words.

    - `kind`: of its events; "missing" for what did not happen, "rest" for what found no room
    - `word`, `manner`: the name of the event, and a small word below it
    - `after`: the gradient after it
    - `line`, `code`, `aside`: the number of the line, its source, and a small word below that
    - `note`, `small`: what it did to the gradient, and a small word below that
    - `marked`: whether a finding marks it
    - `loop`: as in `Row`
    - `limit`: the max_norm of a clip, where it can be held against the flow; `used`: the norm that an update used
    """

    kind: str
    word: str
    after: Reach
    manner: str = ""
    line: str = ""
    code: str = ""
    aside: str = ""
    note: str = ""
    small: str = ""
    marked: bool = False
    loop: int = 0
    limit: float | None = None
    used: float | None = None


class Teller:
    """Puts rows into words. `places` are those of all events shown, `marked` those that a finding marks."""

    def __init__(self, ledger: Sequence[Event], places: range, marked: Collection[int] = ()):
        self.ledger, self.marked = ledger, set(marked)
        held = getattr(ledger, "held", ())
        leftover = ledger.leftover if getattr(ledger, "finished", False) else None
        self.first, *after = flow(ledger, places.start, places.stop, held=held, leftover=leftover)
        self.after = dict(zip(places, after, strict=True))
        numbers = [ledger[place].number for place in places if isinstance(ledger[place], Backward)]
        # Backward passes for several optimizers are not counted together.
        self.backwards = len(numbers) if numbers == list(range(1, len(numbers) + 1)) else 1
        self.optimizers = len(held)
        self.functions = {ledger[place].where[::2] for place in places if ledger[place].where}

    def tell(self, rows: Sequence[Row]) -> list[Entry]:
        """One entry a row."""
        entries, above = [], None
        for row in rows:
            before = entries[-1].after if entries else self.first
            events = [self.ledger[place] for place in row.places]
            if row.hidden or not events:
                entries.append(self._rest(row) if row.hidden else _missing(before))
                above = None
                continue
            entries.append(self._entry(row, events, before, above))
            above = events[-1]
        return entries

    def _entry(self, row: Row, events: Sequence[Event], before: Reach, above: Event | None) -> Entry:
        event, after = events[-1], self.after[row.places[-1]]
        if row.loop:  # of all its turns the last is told
            before = self.after.get(row.places[-1] - 1, self.first)
        entry = Entry(event.kind, name(events, self.backwards), after, manner(event, self.optimizers), loop=row.loop,
                      marked=not self.marked.isdisjoint(row.places))
        entry.note, entry.small = note(events, before, after)
        where = event.where
        if not above or (above.where, above.after) != (where, event.after):  # else it is the same line again
            entry.line, entry.code = line(where, event.after)
            if where and len(self.functions) > 1 and not (above and above.where and above.where[::2] == where[::2]):
                entry.aside = "top level" if where.function == "<module>" else f"in {where.function}"
        if isinstance(event, Step):
            entry.used = before.norm if math.isnan(event.norm) else event.norm
        limits = [limit(event) for event in events if isinstance(event, Clip)]
        entry.limit = limits[-1] if limits and all(limits) else None
        return entry

    def _rest(self, row: Row) -> Entry:
        return Entry("rest", f"… {len(row.places):,} more", self.after[row.places[-1]],
                     marked=not self.marked.isdisjoint(row.places))


def _missing(before: Reach) -> Entry:
    return Entry("missing", "no zero_grad", before, note=number(before.norm), marked=True,
                 small="already used" if before.stale else "")
