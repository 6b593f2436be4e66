"""Answers to "clip-by-global-norm"."""

import math

import numpy as np
import torch

from programs import right, unnamed, wrong

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
