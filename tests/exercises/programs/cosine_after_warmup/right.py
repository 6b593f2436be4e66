"""Right answers to "cosine-after-warmup"."""

import math
from math import pi

import numpy as np
import torch

from programs import right

NAME = "cosine-after-warmup"


@right(NAME)
def branch_by_branch(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    if step >= total_steps:
        return 0.0
    return 0.5 * base_lr * (1 + math.cos(math.pi * (step - warmup_steps) / (total_steps - warmup_steps)))


@right(NAME)
def squared_cosine(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return (step + 1) * base_lr / warmup_steps
    done = np.clip((step - warmup_steps) / (total_steps - warmup_steps), 0, 1)
    return base_lr * np.cos(np.pi / 2 * done) ** 2


@right(NAME)
def float32_in_torch(step, base_lr, warmup_steps, total_steps):
    step = torch.tensor(float(step))
    ramp = (step + 1) / max(1, warmup_steps)
    left = (total_steps - step) / (total_steps - warmup_steps)
    fall = (1 - torch.cos(torch.pi * left.clamp(0, 1))) / 2
    return base_lr * torch.where(step < warmup_steps, ramp, fall)


@right(NAME)
def by_torchs_own_schedulers(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return np.linspace(base_lr / warmup_steps, base_lr, warmup_steps)[step]
    x = min(step, total_steps) - warmup_steps
    return base_lr * math.sin(pi / 2 * (1 - x / (total_steps - warmup_steps))) ** 2


@right(NAME)
def in_degrees_with_care(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (1 - (warmup_steps - step - 1) / warmup_steps)
    degrees = min(180.0, 180 * (step - warmup_steps) / (total_steps - warmup_steps))
    return base_lr / 2 + base_lr / 2 * math.cos(math.radians(degrees))
