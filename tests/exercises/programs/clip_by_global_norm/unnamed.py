"""Wrong clips that the catalogue has no name for."""

import math

import torch

from programs import unnamed

NAME = "clip-by-global-norm"


@unnamed(NAME, "you returned 6")
def a_whole_number(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in grads))
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return int(norm) if math.isfinite(norm) else norm


@unnamed(NAME, "you returned 7")
def a_rounded_number(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = torch.cat([g.double().flatten() for g in grads]).norm()
    if norm.isfinite() and norm > max_norm:
        torch._foreach_mul_(grads, (max_norm / norm).item())
    return norm.round()


@unnamed(NAME, "ended with norm")
def upside_down(grads, max_norm):
    norm = torch.nn.utils.get_total_norm(grads)
    for g in grads:
        g.mul_(norm / max_norm)
    return norm


@unnamed(NAME, "None")
def forgot_return(grads, max_norm):
    norm = torch.nn.utils.get_total_norm(grads)
    if norm > max_norm:
        torch._foreach_mul_(grads, max_norm / norm)
