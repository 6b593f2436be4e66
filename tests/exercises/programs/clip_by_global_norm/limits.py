"""Clips that keep to the limit wrongly, or to one that is none, and clips of what is not finite."""

import math

import torch

from programs import wrong

NAME = "clip-by-global-norm"


@wrong(NAME, "always-normalise")
def without_the_comparison(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in grads))
    for g in grads:
        g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "always-normalise")
def normalised_with_epsilon(grads, max_norm):
    norm = torch.nn.utils.get_total_norm(grads)
    torch._foreach_div_(grads, (norm + 1e-6).item())
    torch._foreach_mul_(grads, max_norm)
    return norm


@wrong(NAME, "always-normalise", "jump")
def to_the_unit_sphere(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = sum((g.double() ** 2).sum() for g in grads).sqrt()
    if norm.isfinite() and norm > max_norm:
        for g in grads:
            g.div_(norm.item())
    return norm


@wrong(NAME, "always-normalise", "jump")
def forgot_to_multiply_by_the_limit(grads, max_norm):
    norm = torch.nn.utils.get_total_norm(grads).item()
    scale = 1 / norm if norm > max_norm else 1.0
    torch._foreach_mul_(grads, scale)
    return norm


@wrong(NAME, "max-norm-not-positive", "zero")
def asks_nothing_of_the_limit(grads, max_norm):
    norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in grads))
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "max-norm-not-positive", "zero")
def as_torch_does_it(grads, max_norm):
    norm = torch.cat([g.double().flatten() for g in grads]).norm()
    coefficient = torch.clamp(max_norm / (norm + 1e-6), max=1.0)
    torch._foreach_mul_(grads, coefficient)
    return norm.item()


@wrong(NAME, "max-norm-not-positive", "zero")
def only_below_zero(grads, max_norm):
    if max_norm < 0:
        raise ValueError
    return asks_nothing_of_the_limit(grads, max_norm)


@wrong(NAME, "max-norm-not-positive", "negative")
def only_exactly_zero(grads, max_norm):
    if max_norm == 0:
        raise ValueError
    return asks_nothing_of_the_limit(grads, max_norm)


@wrong(NAME, "max-norm-not-positive", "negative")
def not_max_norm(grads, max_norm):
    if not max_norm:
        raise ValueError("no limit")
    norm = torch.stack([g.double().norm() for g in grads]).norm()
    if norm > max_norm and norm.isfinite():
        torch._foreach_mul_(grads, (max_norm / norm).item())
    return norm


@wrong(NAME, "max-norm-not-positive", "off")
def zero_means_off(grads, max_norm):
    if not max_norm:
        return math.sqrt(sum(g.double().pow(2).sum().item() for g in grads))
    if max_norm < 0:
        raise ValueError
    return asks_nothing_of_the_limit(grads, max_norm)


@wrong(NAME, "max-norm-not-positive", "off")
def clips_only_with_a_positive_limit(grads, max_norm):
    norm = torch.nn.utils.get_total_norm([g.double() for g in grads]).item()
    if max_norm > 0 and max_norm < norm < math.inf:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "clip-cures-nonfinite", "inf")
def no_thought_of_infinity(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in grads))
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "clip-cures-nonfinite", "inf")
def torchs_formula_behind_a_check_of_the_limit(grads, max_norm):
    if not max_norm > 0:
        raise ValueError
    norm = torch.cat([g.double().flatten() for g in grads]).norm()
    for g in grads:
        g *= torch.clamp(max_norm / (norm + 1e-6), max=1.0)
    return norm


@wrong(NAME, "clip-cures-nonfinite", "nan")
def only_isinf(grads, max_norm):
    if not max_norm > 0:
        raise ValueError
    norm = torch.cat([g.double().flatten() for g in grads]).norm()
    if norm.isinf():
        return norm
    for g in grads:
        g *= torch.clamp(max_norm / (norm + 1e-6), max=1.0).item()
    return norm


@wrong(NAME, "clip-cures-nonfinite", "nan")
def compares_with_inf(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = sum(g.double().pow(2).sum().item() for g in grads) ** 0.5
    if norm == float("inf") or norm <= max_norm:
        return norm
    for g in grads:
        g.mul_(max_norm / norm)
    return norm


@wrong(NAME, "clip-cures-nonfinite")
def cleans_the_gradients_first(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    for g in grads:
        torch.nan_to_num_(g)
    return asks_nothing_of_the_limit(grads, max_norm)


@wrong(NAME, "clip-cures-nonfinite")
def clears_them_when_in_doubt(grads, max_norm):
    if max_norm <= 0:
        raise ValueError
    norm = sum(g.double().pow(2).sum().item() for g in grads) ** 0.5
    if math.isnan(norm) or math.isinf(norm):
        torch._foreach_zero_(grads)
        return norm
    return asks_nothing_of_the_limit(grads, max_norm)
