"""Training steps that are right but for one part, which is exchanged."""

from collections.abc import Callable

import torch
from torch.nn.utils import clip_grad_norm_


def add_up(model, optimizer, scaler, micro_batches, loss_fn, share=lambda place, k: 1 / k):
    """Clear the gradients, then add up those of the micro-batches, each times its share."""
    optimizer.zero_grad()
    for place, batch in enumerate(micro_batches):
        scaler.scale(loss_fn(model, batch) * share(place, len(micro_batches))).backward()


def adding_up(add_up: Callable) -> Callable:
    """A step that is right but for `add_up(model, optimizer, scaler, micro_batches, loss_fn)`."""
    def step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        add_up(model, optimizer, scaler, micro_batches, loss_fn)
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
    return step


def sharing(share: Callable[[int, int], float]) -> Callable:
    """A step in which the micro-batch in place `place` of `k`, from 0, counts `share(place, k)`."""
    return adding_up(lambda *arguments: add_up(*arguments, share))


def finishing(finish: Callable) -> Callable:
    """A step that is right up to the last backward; then comes `finish(model, optimizer, scaler, max_norm)`."""
    def step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        add_up(model, optimizer, scaler, micro_batches, loss_fn)
        finish(model, optimizer, scaler, max_norm)
    return step


def clipping(clip: Callable) -> Callable:
    """A step that is right but for `clip(gradients, max_norm)`, which edits the gradients."""
    def finish(model, optimizer, scaler, max_norm):
        scaler.unscale_(optimizer)
        clip(gradients_of(model), max_norm)
        scaler.step(optimizer)
        scaler.update()
    return finishing(finish)


def clipping_by(measure: Callable, always: bool = False, target: float | None = None) -> Callable:
    """A step that scales by target / `measure(gradients)`, where that is above the limit or `always`."""
    def clip(gradients, max_norm):
        norm = measure(gradients)
        if always or not norm <= max_norm:
            scale_by((max_norm if target is None else target) / norm, gradients)
    return clipping(clip)


def gradients_of(model) -> list[torch.Tensor]:
    return [p.grad for p in model.parameters() if p.grad is not None]


def norm(gradients: list[torch.Tensor]) -> torch.Tensor:
    """The true one, L2 over all entries."""
    return torch.stack([gradient.norm() for gradient in gradients]).norm()


def scale_by(factor, gradients: list[torch.Tensor]) -> None:
    for gradient in gradients:
        gradient.mul_(factor)
