"""What a training step keeps in memory, counted in bytes and split into its four parts.

Counted, not observed: the backward pass needs what the forward pass computed, autograd keeps those tensors, and hooks
see every one of them come and go. So the numbers are the same each time and on every machine, and no other program has
a part in them. What they leave out is short-lived: the buffers inside an operation, and what the allocator rounds up.
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class StepMemory(NamedTuple):
    """Bytes that a training step holds, by what they are for.

    - `parameters`: the weights, and buffers such as running means
    - `gradients`: all `.grad` together
    - `optimizer`: its state, such as momentum or Adam's two averages
    - `activations`: the most that autograd kept at one time for backward passes to come, the batch's own tokens
      included, parameters excluded
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All four together; they are all there at the end of the last forward pass of a later update."""
        return sum(self)


class SavedTensors:
    """Counts the bytes of tensors that autograd keeps for the backward pass, while used as a context manager.

    A storage that several tensors share counts once. Those in `besides` do not count: they are there anyway.

    - `now`: bytes kept at this moment; `most`: the most there were at one time

    Source: `torch.autograd.graph.saved_tensors_hooks`.
    """

    def __init__(self, besides: Iterable[Tensor] = ()):
        self.now = self.most = 0
        self._besides = {_place(tensor) for tensor in besides}
        self._holders: Counter = Counter()  # by storage: how many saved tensors lie in it
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda kept: kept.tensor)

    def __enter__(self) -> "SavedTensors":
        self._hooks.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._hooks.__exit__(*error)

    def _pack(self, tensor: Tensor) -> "_Kept":
        kept, place = _Kept(tensor), _place(tensor)
        if place not in self._besides:
            size = tensor.untyped_storage().nbytes()
            if not self._holders[place]:
                self.now += size
                self.most = max(self.most, self.now)
            self._holders[place] += 1
            weakref.finalize(kept, self._freed, place, size)  # autograd lets go of it: after backward, or unused
        return kept

    def _freed(self, place: tuple, size: int) -> None:
        self._holders[place] -= 1
        if not self._holders[place]:
            del self._holders[place]
            self.now -= size


class _Kept:
    """A saved tensor. It lives as long as autograd keeps it."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor.detach()  # with its history, an operation that saves its own result would never be freed


def step_memory(model: nn.Module, optimizer: torch.optim.Optimizer, update: Callable[[], object]) -> StepMemory:
    """What memory one update takes: `update()` makes it, with all its forward and backward passes, and steps.

    It really runs, so the weights move. Tensors are counted by their storage, on whatever device they are.

    Errors: TypeError for an `update` that cannot be called; ValueError if it leaves no gradient, for there is no
    backward pass to measure then. A loop that clears gradients should do so at its beginning.
    """
    if not callable(update):
        raise TypeError(f"step_memory: update must be a function that makes one update, got {update!r:.60}; "
                        "wrap the step: lambda: step(batch)")
    weights = [*model.parameters(), *model.buffers()]
    with SavedTensors(besides=weights) as saved:
        update()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    if not gradients:
        raise ValueError("step_memory: after the update no parameter has a gradient; it must run a backward pass, and "
                         "clear at its beginning, not at its end")
    state = [value for of_one in optimizer.state.values() for value in of_one.values() if isinstance(value, Tensor)]
    return StepMemory(_bytes(weights), _bytes(gradients), _bytes(state), saved.most)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum({_place(tensor): tensor.untyped_storage().nbytes() for tensor in tensors}.values())


def _place(tensor: Tensor) -> tuple:
    return str(tensor.device), tensor.untyped_storage().data_ptr()
