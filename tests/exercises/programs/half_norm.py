"""Answers to "half-norm"."""

import math

import numpy as np
import torch

from gradlab import global_norm
from programs import right, unnamed, wrong

NAME = "half-norm"


@right(NAME)
def in_a_loop(grads, scale):
    total = 0.0
    for grad in grads:
        wide = grad.to(torch.float64)
        total += float((wide * wide).sum())
    return total**0.5 / scale


@right(NAME)
def unscaled_first_in_float64(grads, scale):
    return math.hypot(*((grad.double() / scale).norm().item() for grad in grads))


@right(NAME)
def by_gradlab(grads, scale):
    return global_norm(grads) / scale


@right(NAME)
def in_one_tensor(grads, scale):
    if not grads:
        return 0
    return torch.linalg.vector_norm(torch.cat([g.flatten() for g in grads]), dtype=torch.float64) / scale


@right(NAME)
def with_numpy(grads, scale):
    entries = np.concatenate([g.to(torch.float64).numpy().ravel() for g in grads] or [np.zeros(1)])
    return np.linalg.norm(entries / scale)


@right(NAME)
def divided_by_the_largest(grads, scale):
    largest = max((g.abs().max().float().item() for g in grads if g.numel()), default=0.0)
    if any(not g.isfinite().all() for g in grads):
        return math.nan
    if largest == 0:
        return 0.0
    return largest / scale * math.sqrt(sum((g.float() / largest).square().sum().item() for g in grads))


@wrong(NAME, "low-precision-norm", "overflow")
def squares_in_sixteen_bits(grads, scale):
    return math.sqrt(sum((g**2).sum().item() for g in grads)) / scale


@wrong(NAME, "low-precision-norm", "overflow")
def casts_after_squaring(grads, scale):
    total = sum((g * g).double().sum() for g in grads)
    return math.sqrt(total) / scale


@wrong(NAME, "low-precision-norm", "overflow")
def all_in_sixteen_bits(grads, scale):
    total = 0
    for g in grads:
        total = total + g.pow(2).sum()
    return float(total) ** 0.5 / scale


@wrong(NAME, "low-precision-norm", "overflow")
def in_float32(grads, scale):
    return math.sqrt(sum(g.float().pow(2).sum().item() for g in grads)) / scale


@wrong(NAME, "low-precision-norm", "overflow")
def norms_in_float32(grads, scale):
    norms = [torch.linalg.vector_norm(g, dtype=torch.float32) for g in grads]
    return torch.stack(norms).norm().item() / scale if norms else 0.0


@wrong(NAME, "low-precision-norm", "overflow")
def norms_in_float32_added_in_python(grads, scale):
    return math.sqrt(sum(g.float().norm().item() ** 2 for g in grads)) / scale


@wrong(NAME, "low-precision-norm", "wrong-size")
def norm_of_norms(grads, scale):
    return torch.stack([g.norm() for g in grads]).norm().item() / scale if grads else 0.0


@wrong(NAME, "low-precision-norm", "wrong-size")
def as_torch_does_it(grads, scale):
    weights = [torch.zeros_like(g).requires_grad_() for g in grads]
    for weight, g in zip(weights, grads, strict=True):
        weight.grad = g.clone()
    return torch.nn.utils.clip_grad_norm_(weights, math.inf).item() / scale


@wrong(NAME, "low-precision-norm", "wrong-size")
def wide_too_late(grads, scale):
    return sum(g.norm().item() ** 2 for g in grads) ** 0.5 / scale


@wrong(NAME, "low-precision-norm", "wrong-size")
def one_long_tensor(grads, scale):
    if not grads:
        return 0.0
    return float(torch.cat([g.reshape(-1) for g in grads]).norm()) / scale


@wrong(NAME, "low-precision-norm", "underflow")
def unscales_in_sixteen_bits(grads, scale):
    unscaled = [g / scale for g in grads]
    return math.sqrt(sum(g.double().square().sum().item() for g in unscaled))


@wrong(NAME, "low-precision-norm", "underflow")
def multiplies_by_the_inverse(grads, scale):
    inverse = 1.0 / scale
    return global_norm([g * inverse for g in grads])


@wrong(NAME, "scaled-norm-reported")
def forgets_the_scale(grads, scale):
    return math.sqrt(sum(g.double().square().sum().item() for g in grads))


@wrong(NAME, "scaled-norm-reported")
def norm_as_it_stands(grads, scale):
    return global_norm(grads)


@wrong(NAME, "scaled-norm-reported", "twice")
def divides_twice(grads, scale):
    return global_norm([g.double() / scale for g in grads]) / scale


@wrong(NAME, "scaled-norm-reported", "twice")
def divides_by_the_square(grads, scale):
    return sum(float(g.double().norm()) ** 2 for g in grads) ** 0.5 / scale**2


@wrong(NAME, "wrong-norm", "not-rooted")
def forgets_the_root(grads, scale):
    return sum((g.double() / scale).square().sum().item() for g in grads)


@wrong(NAME, "wrong-norm", "not-rooted")
def forgets_the_root_and_divides_late(grads, scale):
    return sum(float(g.to(torch.float64).pow(2).sum()) for g in grads) / scale


@wrong(NAME, "wrong-norm", "l1")
def sum_of_sizes(grads, scale):
    return sum(g.double().abs().sum().item() for g in grads) / scale


@wrong(NAME, "wrong-norm", "l1")
def norm_of_order_one(grads, scale):
    return sum(float(torch.linalg.vector_norm(g.double(), 1)) for g in grads) / scale


@wrong(NAME, "wrong-norm", "abs-max")
def largest_size(grads, scale):
    return max((float(g.double().abs().max()) for g in grads if g.numel()), default=0.0) / scale


@wrong(NAME, "wrong-norm", "abs-max")
def norm_of_order_infinity(grads, scale):
    sizes = [torch.linalg.vector_norm(g.double(), math.inf).item() for g in grads if g.numel()]
    return max(sizes) / scale if sizes else 0.0


@wrong(NAME, "wrong-norm", "sum-of-norms")
def adds_norms(grads, scale):
    return sum(float(g.double().norm()) for g in grads) / scale


@wrong(NAME, "wrong-norm", "sum-of-norms")
def adds_unscaled_norms(grads, scale):
    total = 0.0
    for g in grads:
        total += global_norm([g]) / scale
    return total


@wrong(NAME, "clip-cures-nonfinite")
def ignores_what_is_not_finite(grads, scale):
    return global_norm([g.nan_to_num(0.0, 0.0, 0.0) for g in grads]) / scale


@wrong(NAME, "clip-cures-nonfinite")
def leaves_out_what_is_not_finite(grads, scale):
    return math.sqrt(sum(g[g.isfinite()].double().square().sum().item() for g in grads)) / scale


@unnamed(NAME, "multiplied by the scale")
def multiplies(grads, scale):
    return global_norm(grads) * scale


@unnamed(NAME, "each square holds it twice")
def divides_the_sum(grads, scale):
    return math.sqrt(sum(g.double().square().sum().item() for g in grads) / scale)


@unnamed(NAME, "is asked for")
def root_of_the_mean(grads, scale):
    if not grads:
        return 0.0
    return torch.cat([g.double().flatten() for g in grads]).square().mean().sqrt() / scale


@unnamed(NAME, "changed the gradients")
def casts_the_list(grads, scale):
    for place, g in enumerate(grads):
        grads[place] = g.double() / scale
    return global_norm(grads)


@unnamed(NAME, "changed the gradients")
def unscales_in_place(grads, scale):
    for g in grads:
        g.div_(scale)
    return global_norm(grads)


@unnamed(NAME, "shape (2,)")
def returns_a_tensor_of_norms(grads, scale):
    return torch.stack([g.double().norm() for g in grads]) / scale


@unnamed(NAME, "is asked for")
def longest_tensor(grads, scale):
    return max((float(g.double().norm()) for g in grads), default=0.0) / scale


@unnamed(NAME, "your norm is 0; 3.5 is asked for")
def torch_clip_of_gradients(grads, scale):
    return torch.nn.utils.clip_grad_norm_(grads, math.inf) / scale


@unnamed(NAME, "your norm is NaN")
def adds_means(grads, scale):
    nothing = 0 * sum(g.mean().item() for g in grads)  # NaN, where a tensor is empty
    return nothing + math.sqrt(sum(g.double().square().sum().item() for g in grads)) / scale
