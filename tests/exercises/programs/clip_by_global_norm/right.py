"""Right ways to clip by the global norm."""

import math

import numpy as np
import torch

from programs import right

NAME = "clip-by-global-norm"


@right(NAME)
def a_loop_over_tensors(grads, max_norm):
    if max_norm <= 0:
        raise ValueError(f"max_norm must be above 0, not {max_norm}")
    squares = 0.0
    for g in grads:
        squares += float((g.double() ** 2).sum())
    norm = squares ** 0.5
    if not math.isfinite(norm) or norm <= max_norm:
        return norm
    for g in grads:
        g *= max_norm / norm
    return norm


@right(NAME)
def foreach_with_torchs_epsilon(grads, max_norm):
    if not max_norm > 0:
        raise ValueError("limit")
    norms = torch._foreach_norm([g.float() for g in grads])
    norm = torch.linalg.vector_norm(torch.stack(norms))
    if torch.isfinite(norm):
        coefficient = (max_norm / (norm + 1e-6)).clamp(max=1.0)
        if coefficient < 1:
            torch._foreach_mul_(grads, coefficient.item())
    return norm


@right(NAME)
def one_long_vector(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    flat = torch.cat([g.flatten().to(torch.float64) for g in grads])
    norm = flat.norm().item()
    if norm > max_norm and norm != float("inf"):
        [g.mul_(max_norm / norm) for g in grads]
    return norm


@right(NAME)
def numpy_hypot(grads, max_norm):
    if not (max_norm > 0):
        raise ValueError("not above 0")
    norm = np.float64(math.hypot(*[float(x) for g in grads for x in g.double().numpy().ravel()]))
    if np.isfinite(norm) and norm > max_norm:
        for g in grads:
            g.copy_(g.double() * (max_norm / norm))
    return norm


@right(NAME)
def torch_itself_behind_guards(grads, max_norm):
    if max_norm <= 0:
        raise ValueError(max_norm)
    norm = torch.nn.utils.get_total_norm([g.double() for g in grads])
    if norm.isinf() or norm.isnan():
        return norm.item()
    if norm > max_norm:
        for index in range(len(grads)):
            grads[index] /= norm / max_norm
    return norm.item()
