"""Clips that go by a wrong norm, or return one."""

import math

import numpy as np
import torch

from programs import wrong

NAME = "clip-by-global-norm"


@wrong(NAME, "wrong-norm", "not-rooted")
def forgot_the_root(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = sum((g ** 2).sum() for g in grads)
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "wrong-norm", "not-rooted")
def a_dot_product(grads, max_norm):
    flat = torch.cat([g.flatten() for g in grads]).double()
    size = torch.dot(flat, flat).item()
    if math.isfinite(size):
        torch._foreach_mul_(grads, min(1.0, max_norm / max(size, 1e-12)))
    return size


@wrong(NAME, "wrong-norm", "l1")
def sum_of_sizes(grads, max_norm):
    norm = sum(g.abs().sum() for g in grads)
    for g in grads:
        g *= torch.clamp(max_norm / (norm + 1e-6), max=1.0)
    return norm.item()


@wrong(NAME, "wrong-norm", "l1")
def norm_of_order_one(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = torch.nn.utils.clip_grads_with_norm_ and torch.nn.utils.get_total_norm(grads, norm_type=1.0).item()
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "wrong-norm", "signed-max")
def the_largest_entry(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = max(g.max().item() for g in grads if g.numel())
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "wrong-norm", "signed-max")
def the_largest_of_one_vector(grads, max_norm):
    largest = torch.cat([g.view(-1) for g in grads]).max()
    coefficient = max_norm / (largest + 1e-6)
    if coefficient < 1:
        torch._foreach_mul_(grads, coefficient)
    return largest


@wrong(NAME, "wrong-norm", "abs-max")
def the_largest_size(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = max([g.abs().max().item() for g in grads if g.numel() > 0])
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@wrong(NAME, "wrong-norm", "abs-max")
def norm_of_order_inf(grads, max_norm):
    flat = np.concatenate([g.double().numpy().ravel() for g in grads])
    norm = np.linalg.norm(flat, np.inf)
    if norm > max_norm:
        for g in grads:
            g.mul_(float(max_norm / norm))
    return norm


@wrong(NAME, "wrong-norm", "sum-of-norms")
def norms_added(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = sum(g.norm() for g in grads)
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm.item()


@wrong(NAME, "wrong-norm", "sum-of-norms")
def roots_before_the_sum(grads, max_norm):
    total = 0.0
    for g in grads:
        total += math.sqrt((g.double() * g.double()).sum())
    if math.isfinite(total) and total:
        [g.mul_(min(max_norm / total, 1)) for g in grads]
    return total


@wrong(NAME, "reported-norm-is-pre-clip")
def measures_when_all_is_done(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    def total():
        return sum(g.double().pow(2).sum() for g in grads).sqrt().item()
    norm = total()
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return total()


@wrong(NAME, "reported-norm-is-pre-clip")
def returns_the_smaller_of_both(grads, max_norm):
    norm = torch.cat([g.double().flatten() for g in grads]).norm().item()
    for g in grads:
        g.mul_(min(1.0, max_norm / (norm + 1e-6)))
    return min(norm, max_norm)


@wrong(NAME, "low-precision-norm")
def squares_in_the_gradients_dtype(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = torch.sqrt(sum((g ** 2).sum() for g in grads)).item()
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "low-precision-norm")
def the_norm_of_norms(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = torch.nn.utils.get_total_norm(grads)
    if norm.isfinite() and norm > max_norm:
        torch._foreach_mul_(grads, max_norm / norm)
    return norm


@wrong(NAME, "low-precision-norm", "wrong-size")
def a_running_sum_in_bfloat16(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    total = 0
    for g in grads:
        g = g if g.dtype is torch.bfloat16 else g.double()  # "bfloat16 has the range of float32"
        total = total + (g * g).sum()
    norm = total.sqrt().item()
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "low-precision-norm", "wrong-size")
def only_float16_is_widened(grads, max_norm):
    if not max_norm > 0:
        raise ValueError
    wide = [g.float() if g.dtype is torch.float16 else g for g in grads]
    squares = torch.zeros((), dtype=wide[0].dtype)
    for g in wide:
        squares += g.pow(2).sum()
    norm = squares.sqrt()
    if norm.isfinite() and norm > max_norm:
        torch._foreach_mul_(grads, max_norm / norm.item())
    return norm
