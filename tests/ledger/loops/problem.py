"""What the loops train: a net of 4 tensors on made-up batches whose gradients are well above a limit of 1."""

import math

import torch
from torch import Tensor, nn


def net(seed: int = 0) -> nn.Sequential:
    """3 inputs, 4 hidden units, 2 outputs; 4 parameter tensors."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def batches(n: int, rows: int = 5, size: float = 10.0) -> list[tuple[Tensor, Tensor]]:
    """`n` pairs of inputs (rows, 3) and targets (rows, 2) of about `size`; no two alike, the same at every call."""
    random = torch.Generator().manual_seed(1)
    return [(torch.randn(rows, 3, generator=random), size * torch.randn(rows, 2, generator=random)) for _ in range(n)]


def windows(n: int, k: int) -> list[list[tuple[Tensor, Tensor]]]:
    """`n` windows of `k` micro-batches each."""
    all_of_them = batches(n * k)
    return [all_of_them[i * k:(i + 1) * k] for i in range(n)]


def mse(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return nn.functional.mse_loss(model(batch[0]), batch[1])


def squares(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The sum of squared errors, over all elements."""
    return nn.functional.mse_loss(model(batch[0]), batch[1], reduction="sum")


def norm(parameters) -> float:
    """The L2 norm of all gradients together, as a learner may compute it; 0.0 of none."""
    return math.sqrt(sum(p.grad.double().square().sum().item() for p in parameters if p.grad is not None))


def scaler(scale: float = 2.0**16) -> torch.amp.GradScaler:
    return torch.amp.GradScaler("cpu", init_scale=scale)


def limit(parameters, max_norm: float) -> float:
    """Clipping as people write it themselves."""
    parameters = [p for p in parameters if p.grad is not None]
    total = torch.sqrt(sum(p.grad.square().sum() for p in parameters)) if parameters else torch.tensor(0.0)
    if total > max_norm:
        for p in parameters:
            p.grad.mul_(max_norm / total)
    return total.item()
