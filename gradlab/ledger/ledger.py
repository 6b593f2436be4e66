"""A list of what happened to the gradients, with ways to read it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, overload

from gradlab.ledger.events import KINDS, Event, Gradients, Skip, Step
from gradlab.ledger.finding import Finding
from gradlab.ledger.text import table

LEVELS = ("error", "warn", "info")


class Ledger(Sequence[Event]):
    """The events of a training loop in the order in which they happened; `ledger[i].index == i`.

    - `parameters`: the name of each parameter; its place is the number by which events call it. "head.weight" as in
      `model.named_parameters()`, "model[1].head.weight" of the second of several models, and "optimizer[0].3" for a
      tensor that only an optimizer holds
    - `held`: for each optimizer the parameters it holds; `in_model`: those the models hold
    - `elsewhere`: those of the models that none of the optimizers holds and that something else updates: another
      optimizer, or the loop itself
    - `dropped`: how many later events were left out because the ledger was full
    - `finished`: whether it reaches to the end of the `with` block: that has ended, and nothing was left out
    - `leftover`: the state of the gradients at that end, once `finished`
    """

    def __init__(self, events: Iterable[Event] = (), parameters: Sequence[str] = (),
                 held: Sequence[Sequence[int]] = ((),), in_model: Sequence[int] = (), *, finished: bool = True,
                 leftover: Gradients | None = None, dropped: int = 0, elsewhere: Sequence[int] = ()):
        self._events: list[Event] = []
        self.parameters: tuple[str, ...] = tuple(parameters)
        self.held: tuple[tuple[int, ...], ...] = tuple(tuple(indices) for indices in held)
        self.in_model: tuple[int, ...] = tuple(in_model)
        self.elsewhere: tuple[int, ...] = tuple(elsewhere)
        self.finished, self.dropped = finished, dropped
        self.leftover: Gradients = leftover or {}
        for event in events:
            self.append(event)

    def append(self, event: Event) -> int:
        """Put an event at the end, number it, and return its number."""
        event.index = place = len(self._events)
        self._events.append(event)
        return place

    def __len__(self) -> int:
        return len(self._events)

    @overload
    def __getitem__(self, place: int) -> Event: ...
    @overload
    def __getitem__(self, place: slice) -> list[Event]: ...
    def __getitem__(self, place):
        return self._events[place]

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def of(self, kind: str | type[Event]) -> list[Event]:
        """The events of one kind: `ledger.of("clip")` or `ledger.of(Clip)`."""
        if isinstance(kind, str):
            if kind not in KINDS:
                raise ValueError(f"there is no event {kind!r}; the kinds are {', '.join(KINDS)}")
            kind = KINDS[kind]
        return [event for event in self._events if isinstance(event, kind)]

    def windows(self, optimizer: int = 0) -> list[tuple[Event, ...]]:
        """The events split after each update, made or skipped, of one optimizer; the last window may lack one."""
        if not 0 <= optimizer < max(1, len(self.held)):
            raise ValueError(f"there is no optimizer {optimizer}; the ledger observed {len(self.held)}, counted from 0")
        windows, window = [], []
        for event in self._events:
            window.append(event)
            if isinstance(event, Step | Skip) and event.optimizer == optimizer:
                windows.append(tuple(window))
                window = []
        return windows + [tuple(window)] * bool(window)

    def findings(self, level: str = "warn") -> list[Finding]:
        """What is wrong in this loop, the most important `Finding` first: errors, with `level="warn"` warnings too,
        with `level="info"` everything worth knowing."""
        from gradlab.ledger import rules  # the rules read ledgers, so they know this file and it not them

        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
        return [replace(finding, where=self[finding.events[-1]].where) if finding.events else finding
                for finding in rules.findings(self, level)]

    def draw(self, step: int | None = None, findings: Sequence[Finding] | None = None, *, judged: bool = True):
        """A `Picture` of one update: `step`, from 0, or the first one that is wrong. `gradlab.ledger.picture.draw`."""
        from gradlab.ledger import picture

        return picture.draw(self, step, findings, judged=judged)

    def text(self) -> str:
        """One line an event: the line of code, what was done, and what it did."""
        return table(self)

    __str__ = text

    def __repr__(self) -> str:
        return f"Ledger({len(self)} events, {len(self.parameters)} parameters, {len(self.held)} optimizers)"

    def _repr_mimebundle_(self, include=None, exclude=None) -> Mapping[str, Any]:
        return self.draw()._repr_mimebundle_(include, exclude)
