"""Clips that leave the gradients as they were, or that limit them one by one."""

import math

import torch

from programs import wrong

NAME = "clip-by-global-norm"


@wrong(NAME, "clip-missing", "unchanged")
def a_new_tensor_each_turn(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = math.sqrt(sum((g.double() ** 2).sum().item() for g in grads))
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g = g * (max_norm / norm)
    return norm


@wrong(NAME, "clip-missing", "unchanged")
def only_measures(grads, max_norm):
    norm = torch.cat([g.float().reshape(-1) for g in grads]).norm()
    return norm.item()


@wrong(NAME, "clip-missing", "unchanged")
def a_list_of_its_own(grads, max_norm):
    norm = torch.nn.utils.get_total_norm(grads)
    grads = [g * min(1.0, max_norm / norm) for g in grads]
    return norm


@wrong(NAME, "clip-missing", "of-gradients")
def hands_the_gradients_to_torch(grads, max_norm):
    return torch.nn.utils.clip_grad_norm_(grads, max_norm).item()


@wrong(NAME, "clip-missing", "of-gradients")
def hands_the_gradients_to_torch_behind_guards(grads, max_norm):
    if max_norm <= 0:
        raise ValueError(f"{max_norm} is no limit")
    return torch.nn.utils.clip_grad_norm_(list(grads), max_norm, error_if_nonfinite=True)


@wrong(NAME, "clip-missing", "rebound")
def entries_replaced_by_place(grads, max_norm):
    if not max_norm > 0:
        raise ValueError
    norm = sum((g.double() ** 2).sum().item() for g in grads) ** 0.5
    if norm > max_norm and norm < math.inf:
        for i, g in enumerate(grads):
            grads[i] = g * (max_norm / norm)
    return norm


@wrong(NAME, "clip-missing", "rebound")
def returns_the_clipped_list(grads, max_norm):
    norm = torch.nn.utils.get_total_norm(grads)
    return [g * (max_norm / norm).clamp(max=1) for g in grads]


@wrong(NAME, "per-tensor-norm")
def each_for_itself(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    for g in grads:
        n = g.norm()
        if n > max_norm:
            g.mul_(max_norm / n)
    return torch.nn.utils.get_total_norm(grads).item()


@wrong(NAME, "per-tensor-norm")
def each_by_torch_with_the_right_norm_returned(grads, max_norm):
    total = math.sqrt(sum(g.double().square().sum().item() for g in grads))
    for g in grads:
        if g.numel() and math.isfinite(total):
            g *= (max_norm / (g.double().norm() + 1e-6)).clamp(max=1).item()
    return total


@wrong(NAME, "value-clip-for-norm-clip")
def clamped_in_place(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = torch.nn.utils.get_total_norm(grads)
    for g in grads:
        g.clamp_(min=-max_norm, max=max_norm)
    return norm.item()


@wrong(NAME, "value-clip-for-norm-clip")
def clamped_by_where(grads, max_norm):
    total = 0.0
    for g in grads:
        total += g.double().pow(2).sum().item()
        g.copy_(torch.where(g.abs() > max_norm, max_norm * g.sign(), g))
    return math.sqrt(total)
