"""Answers to "layer-norms"."""

import math

import numpy as np
import torch

from programs import right, unnamed, wrong

NAME = "layer-norms"


def gradients(layer):
    return [p.grad for p in layer.parameters() if p.grad is not None and p.dim() > 1]


def decided(norms, factor):
    known = [float(norm) for norm in norms if norm is not None]
    if any(math.isnan(norm) or math.isinf(norm) for norm in known):
        return "non-finite"
    if known[-1] > known[0] * factor:
        return "vanishing"
    return "exploding" if known[-1] * factor < known[0] else "fine"


@right(NAME)
def with_torch_norms(layers, factor):
    norms = [torch.cat([g.flatten() for g in gradients(layer)]).norm() if gradients(layer) else None
             for layer in layers]
    return norms, decided(norms, factor)


@right(NAME)
def norm_of_norms(layers, factor):
    norms = []
    for layer in layers:
        parts = [torch.linalg.vector_norm(g).item() for g in gradients(layer)]
        norms.append(math.hypot(*parts) if parts else None)
    return norms, decided(norms, factor)


@right(NAME)
def with_torch_total_norm(layers, factor):
    norms = [torch.nn.utils.clip_grad_norm_([p for p in layer.parameters() if p.ndim >= 2], math.inf)
             if gradients(layer) and all(g.isfinite().all() for g in gradients(layer)) else
             (None if not gradients(layer) else sum(g.sum() for g in gradients(layer))) for layer in layers]
    return norms, decided(norms, factor)


@right(NAME)
def with_numpy(layers, factor):
    norms = []
    for layer in layers:
        values = [g.numpy().ravel() for g in gradients(layer)]
        norms.append(np.linalg.norm(np.concatenate(values)) if values else None)
    return tuple(norms), decided(norms, factor)


@right(NAME)
def by_the_logarithm_of_the_ratio(layers, factor):
    norms = [float(sum(g.double().pow(2).sum() for g in gradients(layer)) ** 0.5) if gradients(layer) else None
             for layer in layers]
    known = [norm for norm in norms if norm is not None]
    if not np.isfinite(known).all():
        return norms, "non-finite"
    trend = math.log(known[-1] / known[0])
    return norms, "fine" if abs(trend) <= math.log(factor) else "vanishing" if trend > 0 else "exploding"


@wrong(NAME, "structural-zero", "bias")
def every_parameter(layers, factor):
    norms = []
    for layer in layers:
        grads = [p.grad for p in layer.parameters() if p.grad is not None]
        norms.append(math.sqrt(sum(g.square().sum().item() for g in grads)) if grads else None)
    return norms, decided(norms, factor)


@wrong(NAME, "structural-zero", "bias")
def all_that_torch_counts(layers, factor):
    norms = [torch.nn.utils.get_total_norm([p.grad for p in layer.parameters() if p.grad is not None])
             if any(p.grad is not None for p in layer.parameters()) else None for layer in layers]
    return norms, decided(norms, factor)


@wrong(NAME, "structural-zero", "none-as-zero")
def nothing_is_nought(layers, factor):
    norms = [math.sqrt(sum(g.square().sum().item() for g in gradients(layer))) for layer in layers]
    return norms, decided(norms, factor)


@wrong(NAME, "structural-zero", "none-as-zero")
def zeros_in_place_of_none(layers, factor):
    norms = []
    for layer in layers:
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in layer.parameters() if p.dim() >= 2]
        norms.append(torch.stack([g.norm() for g in grads]).norm().item())
    return norms, decided(norms, factor)


def measured(layers, factor, size):
    norms = [float(size(gradients(layer))) if gradients(layer) else None for layer in layers]
    return norms, decided(norms, factor)


@wrong(NAME, "wrong-norm", "not-rooted")
def squares_without_a_root(layers, factor):
    return measured(layers, factor, lambda grads: sum((g**2).sum() for g in grads))


@wrong(NAME, "wrong-norm", "not-rooted")
def dot_products(layers, factor):
    return measured(layers, factor, lambda grads: sum(torch.dot(g.flatten(), g.flatten()) for g in grads))


@wrong(NAME, "wrong-norm", "l1")
def sizes_added(layers, factor):
    return measured(layers, factor, lambda grads: sum(g.abs().sum() for g in grads))


@wrong(NAME, "wrong-norm", "l1")
def p_of_one(layers, factor):
    return measured(layers, factor, lambda grads: torch.cat([g.flatten() for g in grads]).norm(p=1))


@wrong(NAME, "wrong-norm", "abs-max")
def largest_entry(layers, factor):
    return measured(layers, factor, lambda grads: torch.stack([g.abs().max() for g in grads]).max())


@wrong(NAME, "wrong-norm", "abs-max")
def norm_of_infinity(layers, factor):
    return measured(layers, factor, lambda grads: torch.cat([g.flatten() for g in grads]).norm(p=math.inf))


@wrong(NAME, "wrong-norm", "sum-of-norms")
def norms_added(layers, factor):
    return measured(layers, factor, lambda grads: sum(g.norm() for g in grads))


@wrong(NAME, "wrong-norm", "sum-of-norms")
def norms_added_one_by_one(layers, factor):
    def size(grads):
        total = 0.0
        for g in grads:
            total += torch.linalg.vector_norm(g).item()
        return total
    return measured(layers, factor, size)


def true_norms(layers):
    return [math.sqrt(sum(g.square().sum().item() for g in gradients(layer))) if gradients(layer) else None
            for layer in layers]


@wrong(NAME, "nan-slips-through")
def no_thought_of_nan(layers, factor):
    norms = true_norms(layers)
    known = [norm for norm in norms if norm is not None]
    if known[-1] > factor * known[0]:
        return norms, "vanishing"
    return norms, "exploding" if known[0] > factor * known[-1] else "fine"


@wrong(NAME, "nan-slips-through")
def a_test_that_nan_passes(layers, factor):
    norms = true_norms(layers)
    known = [norm for norm in norms if norm is not None]
    ratio = known[-1] / known[0]
    if ratio > 1e300:
        return norms, "non-finite"
    return norms, "vanishing" if ratio > factor else "exploding" if ratio < 1 / factor else "fine"


@unnamed(NAME, "An infinite norm is no NaN")
def a_look_for_nan(layers, factor):
    norms = true_norms(layers)
    if any(norm is not None and math.isnan(norm) for norm in norms):
        return norms, "non-finite"
    return no_thought_of_nan(layers, factor)


@unnamed(NAME, "An infinite norm is no NaN")
def a_norm_that_is_not_itself(layers, factor):
    norms = true_norms(layers)
    known = [norm for norm in norms if norm is not None]
    if [norm for norm in known if norm != norm]:
        return norms, "non-finite"
    if known[-1] > known[0] * factor:
        return norms, "vanishing"
    return norms, "exploding" if known[-1] * factor < known[0] else "fine"


def of_linear_maps(layers, factor, counts):
    norms = []
    for layer in layers:
        grads = [p.grad for p in layer.parameters() if p.grad is not None and counts(p)]
        norms.append(torch.cat([g.flatten() for g in grads]).norm().item() if grads else None)
    return norms, decided(norms, factor)


@unnamed(NAME, "it is a convolution")
def exactly_two_dimensions(layers, factor):
    return of_linear_maps(layers, factor, lambda p: p.ndim == 2)


@unnamed(NAME, "it is a convolution")
def rows_and_columns(layers, factor):
    return of_linear_maps(layers, factor, lambda p: len(p.shape) not in (0, 1, 3, 4, 5))


@unnamed(NAME, "the last 9.631e-9")
def a_small_number_in_the_divisor(layers, factor):
    norms = true_norms(layers)
    known = [norm for norm in norms if norm is not None]
    if not all(map(math.isfinite, known)):
        return norms, "non-finite"
    ratio = known[-1] / (known[0] + 1e-8)
    return norms, "vanishing" if ratio > factor else "exploding" if ratio < 1 / factor else "fine"


@unnamed(NAME, "comes from the last layer")
def read_backwards(layers, factor):
    norms = true_norms(layers)
    verdict = decided(norms, factor)
    return norms, {"vanishing": "exploding", "exploding": "vanishing"}.get(verdict, verdict)


@unnamed(NAME, "small loss")
def below_a_millionth(layers, factor):
    norms = true_norms(layers)
    known = [norm for norm in norms if norm is not None]
    if not all(map(math.isfinite, known)):
        return norms, "non-finite"
    return norms, "vanishing" if min(known) < 1e-6 else "exploding" if max(known) > 100 else "fine"


@unnamed(NAME, "the first and the last")
def largest_over_smallest(layers, factor):
    norms = true_norms(layers)
    known = [norm for norm in norms if norm is not None]
    if not all(map(math.isfinite, known)):
        return norms, "non-finite"
    if max(known) <= factor * min(known):
        return norms, "fine"
    return norms, "vanishing" if known[-1] > known[0] else "exploding"


@unnamed(NAME, "TypeError")
def compares_with_none(layers, factor):
    norms = true_norms(layers)
    return norms, "vanishing" if norms[-1] > factor * norms[0] else decided(norms, factor)


@unnamed(NAME, "AttributeError")
def takes_every_grad(layers, factor):
    norms = [math.sqrt(sum(p.grad.square().sum().item() for p in layer.parameters() if p.dim() > 1))
             for layer in layers]
    return norms, decided(norms, factor)


@unnamed(NAME, "norm of layer 1 is")
def of_the_weights(layers, factor):
    norms = [torch.cat([p.detach().flatten() for p in layer.parameters() if p.dim() > 1]).norm() for layer in layers]
    return norms, decided(norms, factor)


@unnamed(NAME, "4 layers")
def leaves_the_frozen_out(layers, factor):
    norms = [norm for norm in true_norms(layers) if norm is not None]
    return norms, decided(norms, factor)


@unnamed(NAME, "a pair")
def only_the_verdict(layers, factor):
    return decided(true_norms(layers), factor)
