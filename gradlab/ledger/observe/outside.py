"""Parameters of the models that no optimizer given to `record` holds: does something else update them?

Another optimizer may, which was not given; or the loop itself, which copies weights from a master copy in float32.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

# Integers of as many bytes, by which the bits of any number can be summed exactly.
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Outside:
    """Watches parameters, given by place. `updated`: the places of those that something else updates."""

    def __init__(self, parameters: list[Tensor]):
        self._parameters = parameters
        self._first: dict[int, tuple[int | None, Tensor | None]] = {}  # by place: the version and `_bits`
        self.updated: set[int] = set()

    @property
    def seen(self) -> tuple[int, ...]:
        """The places of those that were looked at."""
        return tuple(self._first)

    def held_elsewhere(self, places: Iterable[int]) -> None:
        """Another optimizer holds these."""
        self.updated.update(places)

    def look(self, places: Iterable[int], again: bool = True) -> None:
        """Look at those at `places`: for the first time, or `again`, to compare them with what they were then."""
        for place in places:
            if place in self.updated or (place in self._first and not again):
                continue
            version, bits = now = _version(self._parameters[place]), _bits(self._parameters[place])
            first_version, first_bits = self._first.setdefault(place, now)
            if bits is None or version != first_version or not torch.equal(bits, first_bits):
                self.updated.add(place)  # or nobody can tell

    def let_go(self) -> None:
        self._parameters, self._first = [], {}


def _version(tensor: Tensor) -> int | None:
    try:
        return tensor._version
    except RuntimeError:  # inference tensors have none
        return None


@torch.no_grad()
def _bits(tensor: Tensor) -> Tensor | None:
    """Two numbers of which one is another if an element is, as good as certainly; so no copy is kept.

    The sum of the elements' bits, and of their squares, for small changes up and down may make up for each other in
    the first. None for what has no bits.
    """
    if tensor.is_meta:
        return None
    try:
        real = torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor.detach()
        bits = real.contiguous().view(_BITS[real.element_size()])
        return torch.stack([each.sum(dtype=torch.int64) for each in (bits, bits * bits)])
    except (RuntimeError, NotImplementedError, KeyError):
        return None
