"""The writer of a ledger: it knows what is observed and what state the gradients are in, and writes events."""

import math
import threading
import warnings
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from gradlab.ledger.events import Event, Gradients, ZeroGrad
from gradlab.ledger.later import value
from gradlab.ledger.observe import provenance
from gradlab.ledger.observe.caller import NOWHERE, caller
from gradlab.ledger.observe.edits import describe, tolerance
from gradlab.ledger.observe.norms import Norms, joint
from gradlab.ledger.observe.patches import here
from gradlab.ledger.observe.subject import Subject

# To notice what no function tells, every gradient is looked at before each event, and its norm measured after each
# backward. A loop that has done nothing of the kind in its first windows is trusted more: a few gradients are looked
# at, and all of them only in some windows. Once anything has escaped, all are looked at for good.
CLOSELY, THEN_EACH = 16, 32

_where = Event.__dict__["where"].__get__  # past the reading of numbers that are on their way


class Recorder(Subject):
    """Everything that one `record(...)` knows while its block runs. Observers call it; it writes to `ledger`."""

    def __init__(self, models: Sequence[nn.Module], optimizers: Sequence[Optimizer], scalers: Sequence[Any],
                 schedulers: Sequence[Any], moved: bool, keep: int):
        self.last = NOWHERE  # the place of the last event, of the beginning before the first
        super().__init__(models, optimizers, scalers, schedulers)
        self.moved, self.keep = moved, keep
        self.norms = Norms(self.watch)
        self.state: Gradients = {}
        self.updates = [0] * len(optimizers)
        self.micro_batches = [0] * len(optimizers)  # backward passes in the window of each
        self.window: tuple[int, ...] = tuple(self.updates)
        self.stepping: list = []  # calls of optimizer.step that have begun and not ended
        self.autocast: str | None = ""  # at the last forward pass, empty if there was none since the last backward
        self.edits: list = []  # in-place edits that were seen and are not written yet
        self.backwards = 0
        self.closely = self.carefully = CLOSELY > 0  # measure after each backward; look at every gradient at each event
        self.watch.weakly = self.carefully
        self.edited = self.unseen = False  # whether an edit, or anything at all, has escaped notice so far
        self.lock = threading.RLock()
        self.thread = threading.get_ident()
        self.broken = self.ended = False

    def begin(self) -> None:
        """Take the gradients that are there already: nobody knows where they come from."""
        self.last = caller()
        self.change(self.watch.present, lambda fresh: fresh)

    def _meet(self, tensor: Tensor, name: str) -> int:
        if self.last is NOWHERE or id(tensor) in self.watch.index:
            return super()._meet(tensor, name)
        self.norms.settle()
        place = super()._meet(tensor, name)
        self.norms.forget()
        if tensor.grad is not None:
            self.change((place,), lambda fresh: fresh)
        return place

    def end(self) -> None:
        """Note what is left, and let go of every tensor."""
        if not self.ended:
            self.guarded(Recorder._close)
            self.ended = True
        self.release()
        self.norms, self.edits, self.stepping = Norms(self.watch), [], []

    def _close(self) -> None:
        self.carefully = True
        self.notice(caller())
        self.norms.settle()
        self.meet_models()
        self.look_outside(self.outside.seen)
        if not self.ledger.dropped:
            self.ledger.leftover, self.ledger.finished = self.state, True

    def guarded(self, function, *args) -> Any:
        """Call an observer's method. A mistake of the ledger's must not end the loop that it watches."""
        if self.broken:
            return None
        with self.lock:
            try:
                return function(self, *args)
            except Exception as error:
                self.broken = True
                warnings.warn(f"the ledger stopped recording, the training goes on: {type(error).__name__}: {error}",
                              RuntimeWarning, stacklevel=4)
                return None

    # Writing

    def write(self, event: Event) -> int:
        """Put an event into the ledger and return its place; where that is full, only count it."""
        event.window, event.gradients, event.in_step = self.window, self.state, bool(self.stepping)
        self.last = _where(event)
        place = self.next_place()
        if place < self.keep:
            return self.ledger.append(event)
        event.index = place
        self.ledger.dropped += 1
        return place

    def next_place(self) -> int:
        """The place that the next event will have."""
        return len(self.ledger) + self.ledger.dropped

    def change(self, places: tuple[int, ...], change) -> None:
        """Change the provenance of the gradients at `places`."""
        if places:
            self.state = provenance.changed(self.state, places, change)

    def updated(self, number: int, made: bool) -> None:
        """A window of an optimizer has ended, with an update or without."""
        self.micro_batches[number] = 0
        if made:
            self.updates[number] += 1
            self.window = tuple(self.updates)

    def cleared(self, where, places: Sequence[int], how: str, after=None) -> None:
        """Write that gradients were cleared: they are gone, or zeros."""
        places = tuple(places)
        event = ZeroGrad(where=where, after=after, parameters=places, how=how)
        self.write(event)
        before, kept = self.state, provenance.without(self.state, places)
        lost = provenance.lost(before, kept)
        # What a closure made inside optimizer.step, that step has used.
        event.lost = lost if not self.stepping else tuple([at for at in lost if at < self.stepping[0].first])
        self.state = kept
        if self.watch.present:  # zeros have no history, but they are gradients
            self.change(tuple(sorted(set(places).intersection(self.watch.present))), lambda fresh: fresh)

    def all_gone(self, owner: Any) -> bool:
        """Whether, by the look of a few, one optimizer's zero_grad has taken all the gradients there were."""
        parameters = self.watch.parameters
        return self.holds_all(owner) and all([parameters[place].grad is None for place in self.watch.sentinels])

    def holds_all(self, owner: Any) -> bool:
        """Whether an optimizer holds all parameters that have a gradient, and no others."""
        number = self.numbers.get(id(owner))
        return number is not None and self.ledger.held[number] == self.watch.present

    def drop_raised(self) -> None:
        """Forget calls of optimizer.step that ended by raising."""
        running = [stepping for stepping in self.stepping if stepping.runs()]
        if len(running) < len(self.stepping):
            self.stepping, here.updating = running, False

    # Noticing what no function told

    def look_closely(self, touched: tuple[int, ...]) -> None:
        """After a backward pass that reached `touched`: how closely to look at what follows."""
        self.backwards += 1
        usual = self.backwards <= CLOSELY or self.backwards % THEN_EACH == 0
        self.closely, self.carefully = usual or self.edited, usual or self.unseen
        self.watch.weakly = self.carefully
        seldom = self.backwards & (self.backwards - 1) == 0  # 1, 2, 4, 8
        if seldom:  # a model may change while it trains
            self.meet_models()
        if self.apart:
            self.look_outside(touched, again=seldom)

    def notice(self, where, matters: bool = True) -> None:
        """Write as events what has happened to the gradients since the last one without being seen.

        Whoever calls this knows that the event about to come is ours, so its thread is the one that trains. `matters`
        says whether it could make a difference to what comes: not if all gradients are about to be cleared.
        """
        self.thread = here.thread
        if self.stepping:
            self.drop_raised()
        if self.edits:
            self.write_edits()
        if not self.carefully and not (matters and self.watch.disturbed()):
            return
        changes = self.watch.changes()
        if changes is None:
            return
        if self.stepping and not self.stepping[-1].closure:  # the optimizer's own doing
            self.norms.forget()
            self.watch.settle(changes)
            return
        self.unseen = True
        before, after = self.norms.sizes, self.last
        self.norms.forget()
        self.watch.settle(changes)
        if changes.cleared:
            self.cleared(where, changes.cleared, "by hand", after)
        if changes.touched:
            self.edited = True
            describe(self, where, changes.touched, before, what="" if changes.edited else "replaced", after=after,
                     fresh=changes.appeared)

    def write_edits(self) -> None:
        """Write the in-place edits that were seen."""
        edits, self.edits = self.edits, []
        if self.watch.changes() is None:
            edits[-1].now = self.norms.measure()
        else:  # another edit followed unseen, so what this one made of the gradients can only be reckoned
            self.norms.sizes = edits[-1].now = edits[-1].reckoned()
        for edit in edits:
            edit.write(self)

    def compare(self, where, total: Any) -> None:
        """The norm over all gradients was measured: if another was expected, something changed them unseen."""
        expected = self.norms.known(self.watch.present)
        if type(expected) is float and type(total) is float and not self._alike([expected], [total]):
            self._blind(where)

    def compare_each(self, where) -> None:
        """Measure again, if this is a window to look at closely, and compare with what was expected."""
        expected = self.norms.sizes
        if self.closely and type(expected) is list:
            self.norms.settle()
            self.norms.sizes = None
            found, self.norms.sizes = self.norms.measure(), expected
            if found != expected and not self._alike(expected, found):
                self._blind(where)

    def _alike(self, expected: list[float], found: list[float]) -> bool:
        whole, share = joint(expected), 1e-3 if tolerance(self, self.watch.present) < 1e-3 else 3e-2
        if not math.isfinite(whole):  # what a norm is made of does not matter any more
            return not math.isfinite(joint(found))
        return all([abs(a - b) <= share * a + 1e-6 * whole for a, b in zip(expected, found, strict=True)])

    def _blind(self, where) -> None:
        self.edited = self.unseen = True
        before, after = self.norms.sizes, self.last
        self.norms.settle()
        self.norms.forget()
        now = value(self.norms.measure())
        moved = [place for place in self.watch.present if before is None or before[place] != now[place]]
        describe(self, where, tuple(moved), before, what="", after=after)
