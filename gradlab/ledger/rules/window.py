"""Window: all that happened between two updates of one optimizer, as the rules look at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from gradlab.ledger.events import Backward, Clip, Edit, Event, Provenance, Skip, Step, Where, ZeroGrad


@dataclass(frozen=True)
class Window:
    """A window that ended: in an update (`end` is a Step) or in one that the scaler left out (a Skip).

    - `optimizer` and `held`: whose window it is and the parameters it holds
    - `number`: how many updates of that optimizer came before; people count from 1, so its update is `number + 1`
    - `begin`: the place after which it begins, that of the last Step or Skip, -1 for the first window
    - `events`: all events after `begin`, those of other optimizers too, `end` last
    """

    ledger: object
    optimizer: int
    held: frozenset[int]
    number: int
    begin: int
    events: tuple[Event, ...]

    @property
    def end(self) -> Step | Skip:
        return self.events[-1]

    @property
    def updated(self) -> bool:
        return isinstance(self.end, Step)

    @cached_property
    def backwards(self) -> list[Backward]:
        """The backward passes that reached one of its parameters."""
        return [e for e in self.events if isinstance(e, Backward) and self.held & set(e.parameters)]

    @cached_property
    def lost(self) -> list[Backward]:
        """Those that were cleared before they were used."""
        lost = {place for e in self.events if isinstance(e, ZeroGrad) for place in e.lost}
        return [b for b in self.backwards if b.index in lost]

    @cached_property
    def states(self) -> dict[Provenance, frozenset[int]]:
        """The state of its own gradients at the end, of those that a backward pass of this window is in."""
        own = {state: self.held.intersection(members) for state, members in self.end.gradients.items()}
        return {state: members for state, members in own.items() if members and self.fresh(state)}

    @cached_property
    def used(self) -> list[Backward]:
        """The backward passes of this window that are in the gradients at its end."""
        places = {place for state in self.states for place in state.backwards}
        return [b for b in self.backwards if b.index in places]

    @cached_property
    def clips(self) -> list[Clip]:
        """The clips of its parameters that found a gradient of this window."""
        return [e for e in self.events if isinstance(e, Clip)
                and any(self.fresh(state) for state in states(e, self.held.intersection(e.parameters)))]

    @cached_property
    def edits(self) -> list[Edit]:
        """The other edits of gradients of this window."""
        return [e for e in self.events if isinstance(e, Edit) and self.held & set(e.parameters)]

    def fresh(self, state: Provenance) -> bool:
        return any(place > self.begin for place in state.backwards)


def windows(ledger) -> list[Window]:
    """The windows of all optimizers that ended, in the order of their ends."""
    return _windows(ledger, len(ledger))


@lru_cache(maxsize=1)  # the rules ask one after another; `findings` lets go of it when they are done
def _windows(ledger, events: int) -> list[Window]:
    found = []
    for optimizer, held in enumerate(ledger.held):
        begin, number = -1, 0
        for event in ledger:
            if isinstance(event, Step | Skip) and event.optimizer == optimizer:
                found.append(Window(ledger, optimizer, frozenset(held), number, begin,
                                    tuple(ledger[begin + 1:event.index + 1])))
                begin, number = event.index, number + isinstance(event, Step)
    return sorted(found, key=lambda window: window.end.index)


def forget() -> None:
    """Let go of the ledger that was read last."""
    _windows.cache_clear()


def updates(ledger) -> Iterator[Window]:
    """The windows that ended in an update."""
    return (window for window in windows(ledger) if window.updated)


def states(event: Event, parameters) -> list[Provenance]:
    """The different states that the gradients of some parameters were in just before an event."""
    parameters = set(parameters)
    return [state for state, members in event.gradients.items() if not parameters.isdisjoint(members)]


def above(one: Where, other: Where) -> bool | None:
    """Whether one line stands above another in the same function; None where they cannot be compared."""
    return one.line < other.line if (one.file, one.function) == (other.file, other.function) else None


def whole(number: float | None) -> bool:
    """Whether a divisor is a whole number from 2 up, and so may be a count."""
    return number is not None and number >= 2 and abs(number - round(number)) < 1e-6 * number


def one_loop(backwards: list[Backward]) -> bool:
    """Whether they are the micro-batches of one loop, and not several losses: one line of code made them all."""
    return len({b.where for b in backwards}) == 1
