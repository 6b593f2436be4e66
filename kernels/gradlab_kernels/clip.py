"""The functions of `torch.nn.utils`, and two more: same names, same arguments, same results where torch is right.

`foreach` is accepted and has no meaning here, except where a call is handed to torch: for sparse and complex tensors
and for subclasses such as DTensor. `eps` is ours: what is added to the norm in the quotient max_norm / (norm + eps).
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from . import arguments
from .coefficient import EPS, Coefficient
from .engines import Eyes, Foreign
from .plan import ClipPlan, clip_with, nonfinite
from .torch_engine import TorchEngine


def _look(owners: list[Tensor], norm_type: float = 2.0, of_gradients: bool = True):
    """The engine for these tensors, or the gradients of these parameters, and this order of norm; None without any."""
    eyes = Eyes(owners, of_gradients)
    engine = eyes.engine()
    if engine is None:
        arguments.warn_of_no_gradient(owners)
        return None
    return engine if norm_type == 2 else TorchEngine(eyes.tensors(), norm_type)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
    *,
    eps: float = EPS,
) -> Tensor:
    """Scale the gradients of all parameters by min(1, max_norm / (norm + eps)), norm being that of all together.

    Returns the norm before clipping, a tensor without dimensions, float64 if any gradient is and float32 otherwise.
    Where the norm does not exceed the threshold nothing is written. NaN and infinity take their course, as in torch:
    one NaN makes every gradient NaN, one infinity makes the finite ones 0.

    Errors, before any gradient is changed: ValueError for `max_norm` that is not above 0, for a used-up iterator and
    for `norm_type` that is not above 0; TypeError for `max_norm` that is no number; SharedMemoryError for a parameter
    listed twice and other overlaps; RuntimeError for a norm that is not finite, if asked for.

    Source: `torch.nn.utils.clip_grad_norm_`. What differs: DIFFERENCES.md.
    """
    parameters = arguments.tensors(parameters)
    max_norm, norm_type = arguments.threshold(max_norm), arguments.order(norm_type)
    try:
        engine = _look(parameters, norm_type)
    except Foreign:
        return torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)
    if engine is None:
        return arguments.nothing(parameters)
    return clip_with(engine, max_norm, arguments.epsilon(eps), error_if_nonfinite)


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Clamp every element of every gradient to ±clip_value. NaN stays, infinity is clamped.

    What is within the limit is not written. Errors: as `clip_grad_norm_`. Source: `torch.nn.utils.clip_grad_value_`.
    """
    parameters = arguments.tensors(parameters)
    clip_value = arguments.threshold(clip_value, "clip_value")
    try:
        engine = _look(parameters)
    except Foreign:
        torch.nn.utils.clip_grad_value_(parameters, clip_value, foreach)
        return
    if engine:
        engine.clamp_(clip_value)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors together. Errors and dtype: as `clip_grad_norm_`."""
    tensors = arguments.tensors(tensors, "tensors")
    norm_type = arguments.order(norm_type)
    if not tensors:
        return arguments.nothing(tensors)
    try:
        engine = _look(tensors, norm_type, of_gradients=False)
    except Foreign:
        return torch.nn.utils.get_total_norm(tensors, norm_type, error_if_nonfinite, foreach)
    norm = engine.measure(math.inf, EPS).norm
    if error_if_nonfinite and not math.isfinite(norm):
        raise nonfinite(norm)
    return engine.value(norm)


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor | float,
    foreach: bool | None = None,
    *,
    eps: float = EPS,
) -> None:
    """Scale the gradients by min(1, max_norm / (total_norm + eps)), with a norm known before.

    Errors: as `clip_grad_norm_`. Source: `torch.nn.utils.clip_grads_with_norm_`.
    """
    parameters = arguments.tensors(parameters)
    max_norm, eps = arguments.threshold(max_norm), arguments.epsilon(eps)
    try:
        engine = _look(parameters)
    except Foreign:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, torch.as_tensor(total_norm), foreach)
        return
    if engine and max_norm < math.inf:
        engine.scale_(engine.given(total_norm, max_norm, eps))


def per_tensor_norms(tensors: Tensor | Iterable[Tensor]) -> Tensor:
    """The norm of each tensor, all in one pass; shape (tensors,), float64, on the device of the first.

    TypeError for sparse and complex tensors and for subclasses such as DTensor.
    """
    tensors = arguments.tensors(tensors, "tensors")
    if not tensors:
        return torch.zeros(0, dtype=torch.float64)
    try:
        return _look(tensors, of_gradients=False).norms()
    except Foreign as kind:
        raise TypeError(f"a tensor is a {kind}; take its norm with torch.linalg.vector_norm") from None


def clip_coefficient(parameters: Tensor | Iterable[Tensor], max_norm: float, *, eps: float = EPS) -> Coefficient:
    """The norm of the gradients and what clipping would multiply them by, left on their device; nothing is changed.

    For optimizers that scale the gradient themselves, which saves the pass that scales. torch's fused Adam, AdamW and
    SGD divide by one tensor and skip the step by another:

        clip = clip_coefficient(model.parameters(), 1.0)
        optimizer.grad_scale, optimizer.found_inf = clip.grad_scale, clip.found_inf
        optimizer.step()

    Errors: as `clip_grad_norm_`; TypeError for sparse and complex gradients and for subclasses such as DTensor.
    """
    return ClipPlan(parameters, eps=eps).coefficient(max_norm)
