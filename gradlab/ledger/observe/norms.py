"""How large the gradients are: measured when it must be, and known for nothing when the loop's own clip measured it.

Measuring 45 gradients takes a hundredth of a training step, so it is put off until the gradients are about to change.
If what comes next is a clip over all of them, its norm is the one that was wanted.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gradlab.ledger import later
from gradlab.ledger.later import Later, times, value

HALVES = {torch.float16, torch.bfloat16}


class Norms:
    """L2 norms of the gradients of a `Watch`, as far as they are known since the last change."""

    def __init__(self, watch):
        self.watch = watch
        self.sizes: Any = None  # of each gradient, by place, 0 where there is none; may be on its way
        self._totals: dict[tuple[int, ...], Any] = {}  # over sets of places
        self._promised: _Promise | None = None

    def promise(self) -> Later:
        """The norm over all gradients as they are now, measured as late as possible."""
        if self._promised is None:
            self._promised = _Promise(self)
        return Later(self._promised.read)

    def learn(self, places: tuple[int, ...], total: Any) -> None:
        """Somebody measured the norm over the gradients at `places`."""
        self._totals[places] = total

    def settle(self) -> None:
        """Keep promises: the gradients are about to change."""
        if self._promised is not None:
            self._promised.keep(self.total(self.watch.present))
            self._promised = None

    def forget(self) -> None:
        """The gradients have changed."""
        if self._promised is not None:
            self._promised.keep(math.nan)  # they changed unseen, and it is too late
            self._promised = None
        self.sizes = None
        self._totals = {}

    def scaled(self, places: tuple[int, ...], factor: Any) -> None:
        """The gradients at `places` were all multiplied by `factor`, and nothing else changed."""
        sizes, kept = self.sizes, self._totals
        self.forget()
        if type(sizes) is list and type(factor) is float:
            those = set(places)
            self.sizes = [size * abs(factor) if place in those else size for place, size in enumerate(sizes)]
        for over, total in kept.items():
            if over == places or set(places).issuperset(over):
                self._totals[over] = times(total, _size(factor))

    def known(self, places: tuple[int, ...]) -> Any:
        """The norm over the gradients at `places`, or None where that would have to be measured."""
        if places in self._totals:
            return self._totals[places]
        if self.sizes is None:
            return None
        sizes = self.sizes
        if type(sizes) is Later:
            return Later(lambda: joint([value(sizes)[place] for place in places]))
        return joint([sizes[place] for place in places])

    def total(self, places: tuple[int, ...]) -> Any:
        """The norm over the gradients at `places`."""
        if places not in self._totals:
            self.measure()
            self._totals[places] = self.known(places)
        return self._totals[places]

    def measure(self) -> Any:
        """The norm of each gradient, by place."""
        if self.sizes is None:
            self.sizes = sizes_of(self.watch.gradients())
        return self.sizes


def _size(factor: Any) -> Any:
    return Later(lambda: abs(value(factor))) if type(factor) is Later else abs(factor)


class _Promise:
    """A norm that will be known before the gradients change."""

    def __init__(self, norms: Norms):
        self.norms: Norms | None = norms
        self.number: Any = None

    def keep(self, number: Any) -> None:
        self.number, self.norms = number, None  # and with the norms every gradient

    def read(self) -> Any:
        if self.number is None:  # asked for in the middle of the loop
            if self.norms.watch.changes() is None:
                self.norms.settle()
            else:
                return math.nan
        return self.number


def joint(norms: Sequence[float]) -> float:
    """The norm of several tensors together from the norm of each: NaN if one is, infinite if one is and none is NaN."""
    if all(map(math.isfinite, norms)):
        return math.hypot(*norms)
    return math.nan if any(map(math.isnan, norms)) else math.inf


@torch.no_grad()
def sizes_of(tensors: Sequence[Tensor | None]) -> Any:
    """The L2 norm of each tensor, 0 for None; a list at once if all are on the CPU, on its way otherwise.

    Half-precision tensors are measured in float32. NaN for what cannot be measured.
    """
    given = [_dense(tensor) for tensor in tensors if tensor is not None]
    try:
        halves = any(tensor.dtype in HALVES for tensor in given)
        norms = list(torch._foreach_norm([t.float() if t.dtype in HALVES else t for t in given] if halves else given))
    except (RuntimeError, NotImplementedError, AttributeError):
        norms = [_norm(tensor) for tensor in given]
    there = [tensor is not None for tensor in tensors]
    if all([norm.device.type == later.NEAR for norm in norms]):
        return _spread(there, [norm.item() for norm in norms])
    stacked: dict = {}
    for norm in norms:
        stacked.setdefault((norm.device, norm.dtype), []).append(norm)
    kinds = [(norm.device, norm.dtype) for norm in norms]
    stacked = {kind: torch.stack(group) for kind, group in stacked.items()}

    def read() -> list[float]:
        columns = {kind: iter(_values(column)) for kind, column in stacked.items()}
        return _spread(there, [next(columns[kind]) for kind in kinds])

    once: list = []
    return Later(lambda: once[0] if once else once.append(read()) or once[0])


def _dense(tensor: Tensor) -> Tensor:
    if tensor.layout is torch.strided:
        return tensor
    return tensor.coalesce().values() if tensor.is_sparse else tensor.values()


def _norm(tensor: Tensor) -> Tensor:
    try:
        return torch.linalg.vector_norm(tensor if tensor.is_floating_point() or tensor.is_complex() else tensor.float())
    except (RuntimeError, NotImplementedError):
        return torch.tensor(math.nan)


def _values(column: Tensor) -> list[float]:
    try:
        return column.tolist()
    except (RuntimeError, NotImplementedError):
        return [math.nan] * column.numel()


def _spread(there: list[bool], norms: list[float]) -> list[float]:
    column = iter(norms)
    return [next(column) if present else 0.0 for present in there]
