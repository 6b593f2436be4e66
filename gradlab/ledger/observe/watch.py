"""Which gradients there are, and whether one was changed, replaced or cleared since somebody last looked.

A change is known by the identity of `p.grad` and by its version, which every in-place operation raises (but not one
through `.data` or numpy). Gradients are held weakly, since the ledger must not keep their memory once the loop let go
of it; those of a loop that clears them by nothing but zero_grad may be held by themselves, which costs less.
"""

from collections.abc import Sequence
from operator import is_
from typing import NamedTuple
from weakref import ref

from torch import Tensor

from gradlab.ledger.observe.memory import Memory


class Changes(NamedTuple):
    """The places of parameters whose gradient is no longer the one that was seen last; `seen` is what is there now."""

    cleared: Sequence[int] = ()  # there was one and now there is none
    edited: Sequence[int] = ()  # it is the same tensor with a higher version
    replaced: Sequence[int] = ()  # it is another tensor
    appeared: Sequence[int] = ()  # there was none and now there is one
    seen: tuple[list, list] | None = None

    @property
    def touched(self) -> tuple[int, ...]:
        """Those that have a gradient now."""
        kinds = [places for places in (self.edited, self.replaced, self.appeared) if places]
        return tuple(kinds[0]) if len(kinds) == 1 else tuple(sorted([place for kind in kinds for place in kind]))


class Watch:
    """The parameters observed, each with its place, and what was last seen of their gradients."""

    def __init__(self):
        self.parameters: list[Tensor] = []
        self.index: dict[int, int] = {}  # by id(parameter), which stays theirs: they are held in `parameters`
        self.everything: tuple[int, ...] = ()  # all places
        self.present: tuple[int, ...] = ()  # places that had a gradient
        self.sentinels: tuple[int, ...] = ()  # places whose gradients stand for all
        self.weakly = True  # whether to hold gradients weakly, which costs more
        self._turn = 0
        self._refs: list = []  # weak references to the gradients seen last, or
        self._held: list[Tensor | None] | None = None  # those gradients
        self._versions: list[int | None] = []  # of all, empty where only those of the sentinels are known
        self._few: list[int | None] = []
        self._memory: Memory | None = None

    def add(self, parameter: Tensor) -> int:
        """The place of a parameter, a new one for a parameter not met before."""
        place = self.index.get(id(parameter))
        if place is None:
            self.know_versions()
            place = self.index[id(parameter)] = len(self.parameters)
            self.parameters.append(parameter)
            self.everything += (place,)
            gradient = parameter.grad
            if self._held is None:
                self._refs = [*self._refs, _nothing if gradient is None else ref(gradient)]
            else:
                self._held = [*self._held, gradient]
            self._versions = [*self._versions, *_versions([gradient])]
            if gradient is not None:
                self.present += (place,)
                self._memory = None
        return place

    def appoint(self, sentinels: tuple[int, ...]) -> None:
        """Let the gradients at these places stand for all."""
        self.know_versions()
        self.sentinels, self._few = sentinels, [self._versions[place] for place in sentinels]

    def gradients(self) -> list[Tensor | None]:
        """The gradients there are now, by place."""
        return [parameter.grad for parameter in self.parameters]

    def changes(self) -> Changes | None:
        """What changed since `settle`, or None."""
        gradients = self.gradients()
        if not self.present and not self.weakly:  # the usual case of a loop that is trusted
            there = _there(gradients)
            return Changes(appeared=there, seen=(gradients, [])) if there else None
        versions = _versions(gradients)
        same = None if not self.present else list(map(is_, gradients, self._last()))
        if (versions == self._versions if self._versions else not self.disturbed()) and (same is None or all(same)):
            return None
        seen = gradients, versions
        if not self.present:
            return Changes(appeared=_there(gradients), seen=seen)
        if not any([version is not None for version in versions]):
            return Changes(cleared=self.present, seen=seen)
        known = self._versions or [-1] * len(versions)
        present = set(self.present)
        return Changes(
            cleared=[place for place in self.present if gradients[place] is None],
            edited=[place for place in self.present if same[place] and versions[place] not in (None, known[place])],
            replaced=[place for place in self.present if not same[place] and gradients[place] is not None],
            appeared=[place for place in _there(gradients) if place not in present], seen=seen)

    def disturbed(self) -> bool:
        """Whether a few of the gradients have changed, the sentinels and one that takes its turn.

        A tenth of the cost of `changes`, and enough to notice what a loop does to all gradients of an optimizer.
        """
        if not self.parameters:
            return False
        self._turn = turn = (self._turn + 1) % len(self.parameters)
        places = (*self.sentinels, turn)
        few = [self.parameters[place].grad for place in places]
        last = ([self._refs[place]() for place in places] if self._held is None else
                [self._held[place] for place in places])
        return not all(map(is_, few, last)) or _versions(few[:-1]) != self._few

    def settle(self, changes: Changes) -> None:
        """Take the gradients for seen, as `changes` found them."""
        gradients, self._versions = changes.seen
        self._few = _versions([gradients[place] for place in self.sentinels])
        if changes.cleared or changes.replaced or changes.appeared:
            if self.weakly:
                self._held, self._refs = None, [_nothing if each is None else ref(each) for each in gradients]
            else:
                self._held = gradients
            self.present = _there(gradients) if self.present else changes.appeared
            self._memory = None

    def catch_up(self) -> bool:
        """Take the gradients for seen as they are now; whether anything had changed."""
        changes = self.changes()
        if changes is not None:
            self.settle(changes)
        return changes is not None

    def settle_versions(self) -> None:
        """The same after something that edited gradients in place and did nothing else.

        What is not held weakly is trusted: the sentinels do for now, and `know_versions` will ask the others.
        """
        self._versions = _versions(self.gradients()) if self.weakly else []
        self._few = self._some_versions()

    def know_versions(self) -> None:
        """Before something that edits some of the gradients, and nobody knows which."""
        if not self._versions:
            self._versions = _versions(self.gradients())

    def clear(self) -> None:
        """All gradients are gone."""
        self._held, self._versions = [None] * len(self.parameters), [None] * len(self.parameters)
        self._few, self.present, self._memory = [None] * len(self.sentinels), (), None

    def _last(self) -> list[Tensor | None]:
        return [was() for was in self._refs] if self._held is None else self._held

    def _some_versions(self) -> list[int | None]:
        return _versions([self.parameters[place].grad for place in self.sentinels])

    def settle_at(self, places: list[int]) -> None:
        """The same for some gradients that were edited in place."""
        self.know_versions()
        for place in places:
            gradient = self.parameters[place].grad
            self._versions[place] = None if gradient is None else _version(gradient)
        self._few = self._some_versions()

    def memory(self) -> Memory:
        """Where the gradients lie."""
        if self._memory is None:
            self._memory = Memory(self.gradients())
        return self._memory


def _there(gradients: list[Tensor | None]) -> tuple[int, ...]:
    return tuple([place for place, gradient in enumerate(gradients) if gradient is not None])


def _nothing() -> None:
    """Stands for the weak reference to a gradient where there is none."""


def _versions(gradients: list[Tensor | None]) -> list[int | None]:
    try:
        return [None if gradient is None else gradient._version for gradient in gradients]
    except RuntimeError:
        return [None if gradient is None else _version(gradient) for gradient in gradients]


def _version(gradient: Tensor) -> int:
    try:
        return gradient._version
    except RuntimeError:  # inference tensors have none
        return 0
