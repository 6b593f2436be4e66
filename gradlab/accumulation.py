"""How much each micro-batch counts in each update of a loop, read off a model whose gradients are known."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

# Trains for one epoch: loop(model, optimizer, micro_batches, loss_fn); loss_fn(model, micro_batch) is a mean loss.
Loop = Callable[[nn.Module, torch.optim.Optimizer, Sequence[Tensor], Callable[[nn.Module, Tensor], Tensor]], object]


class Tracer(nn.Module):
    """A model that is linear in its one vector of weights, `(parameters,)`: the gradient of its output is its input."""

    def __init__(self, parameters: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(parameters, dtype=torch.float64))

    def forward(self, gradient: Tensor) -> Tensor:
        return self.weight @ gradient


def weights_in_updates(loop: Loop, micro_batches: int | Tensor, epochs: int = 1) -> Tensor:
    """How much each micro-batch counts in each update of `loop`, `(updates, epochs * micro_batches)`, float64.

    The loop is really run, with plain SGD at learning rate 1, on a model for which micro-batch i has a gradient of its
    own. So each update says of which gradients it was made, and with which weights: in a mean of four, 1/4 each. A row
    sums to 1 where the update is a mean, and each epoch has micro-batches of its own.

    `micro_batches` is their number, and the gradients are then at right angles and of length 1; or it is a tensor
    `(micro_batches, parameters)` of the gradients themselves, which must not depend on each other linearly.

    Errors: TypeError or ValueError for a number that is not a whole one above 0, or gradients of another shape;
    ValueError for gradients that depend on each other, and for an update that is no sum of the gradients, as after a
    clip by value.
    """
    gradients = _gradients(micro_batches, _whole("epochs", epochs))
    model = Tracer(gradients.shape[1])
    optimizer, updates, before = torch.optim.SGD(model.parameters(), lr=1.0), [], model.weight.detach().clone()

    def stepped(*_) -> None:
        updates.append(before - model.weight.detach())
        before.copy_(model.weight.detach())

    optimizer.register_step_post_hook(stepped)
    for epoch in gradients.chunk(epochs):
        loop(model, optimizer, list(epoch), lambda model, batch: model(batch))
    if not updates:
        return torch.zeros(0, len(gradients), dtype=torch.float64)
    made = torch.stack(updates)
    weights = torch.linalg.lstsq(gradients.T, made.T).solution.T
    for number, miss in enumerate((weights @ gradients - made).norm(dim=1) > 1e-6 * made.norm(dim=1), start=1):
        if miss:
            raise ValueError(f"weights_in_updates: update {number} is no sum of the micro-batches' gradients, so they "
                             "have no weights in it; look for a clip by value, or noise that is added")
    return weights


def _gradients(micro_batches: int | Tensor, epochs: int) -> Tensor:
    if not isinstance(micro_batches, Tensor):
        return torch.eye(_whole("micro_batches", micro_batches) * epochs, dtype=torch.float64)
    if micro_batches.ndim != 2 or not len(micro_batches) or epochs > 1:
        raise ValueError("weights_in_updates: given as gradients, micro_batches is a tensor (micro_batches, "
                         f"parameters) for a single epoch, got shape {tuple(micro_batches.shape)} for {epochs}")
    gradients = micro_batches.detach().double()
    if not gradients.isfinite().all() or torch.linalg.matrix_rank(gradients) < len(gradients):
        raise ValueError(f"weights_in_updates: {len(gradients)} gradients of {gradients.shape[1]} parameters that "
                         "depend on each other, or are not finite, cannot be told apart in an update")
    return gradients


def _whole(name: str, value) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"weights_in_updates: {name} must be a whole number, got {value!r:.60}")
    if value < 1:
        raise ValueError(f"weights_in_updates: {name} must be at least 1, got {value}")
    return value
