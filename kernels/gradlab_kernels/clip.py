"""The functions of `torch.nn.utils`, and two more: same names, same arguments, same results where torch is right.

`foreach` is accepted and has no meaning here, except where a call is handed to torch: for sparse and complex tensors
and for subclasses such as DTensor. Ours are `eps`, what is added to the norm in the quotient max_norm / (norm + eps),
and `exact`: every square is added in float64, and the norm is float64.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from . import arguments
from .coefficient import EPS, Coefficient
from .engines import Eyes, Foreign
from .plan import ClipPlan, clip_with
from .torch_engine import TorchEngine
from .untraced import untraced


def _engine(eyes: Eyes, norm_type: float = 2.0):
    """The engine for what the eyes see and this order of norm; None without any tensors."""
    engine = eyes.engine()
    if engine is None:
        arguments.warn_of_no_gradient(eyes.owners)
        return None
    return engine if norm_type == 2 else TorchEngine(eyes.tensors(), norm_type, engine.dtype == torch.float64)


def _foreign_norm(tensors: list[Tensor], norm_type: float, error_if_nonfinite: bool) -> Tensor:
    """The exact norm of what only torch understands."""
    wide = [tensor.detach().to(torch.promote_types(tensor.dtype, torch.float64)) for tensor in tensors]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(t, norm_type) for t in wide]), norm_type)
    if error_if_nonfinite and not norm.isfinite():
        raise arguments.nonfinite(norm)
    return norm


def _foreign_scale_(tensors: list[Tensor], max_norm: float, norm: Tensor | float, eps: float) -> None:
    """Scale what only torch understands by operations of its own."""
    if max_norm < math.inf:
        norm = norm if isinstance(norm, Tensor) else torch.tensor(norm, dtype=torch.float64, device="cpu")
        coefficient = (max_norm / (norm.detach() + eps)).clamp(max=1.0)
        for tensor in tensors:
            tensor.detach().mul_(coefficient.to(tensor.device))


@untraced
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
    *,
    eps: float = EPS,
    exact: bool = False,
) -> Tensor:
    """Scale the gradients of all parameters by min(1, max_norm / (norm + eps)), norm being that of all together.

    Returns the norm before clipping, a tensor without dimensions, float64 if any gradient is and float32 otherwise.
    `exact`: every square is added in float64, and the norm is float64.

    Where the norm does not exceed the threshold nothing is written. NaN and infinity take their course, as in torch:
    one NaN makes every gradient NaN, one infinity makes the finite ones 0.

    Errors, before any gradient is changed: ValueError for `max_norm` that is not above 0, for a used-up iterator and
    for `norm_type` that is not above 0; TypeError for `max_norm` that is no number; SharedMemoryError for a parameter
    listed twice and other overlaps; RuntimeError for a norm that is not finite, if asked for.

    Source: `torch.nn.utils.clip_grad_norm_`. What differs: DIFFERENCES.md.
    """
    parameters = arguments.tensors(parameters)
    max_norm, norm_type, eps = arguments.threshold(max_norm), arguments.order(norm_type), arguments.epsilon(eps)
    eyes = Eyes(parameters, exact=exact)
    if norm_type == 2:
        norm = eyes.clip_(max_norm, eps, error_if_nonfinite)
        if norm is not None:
            return norm
    try:
        engine = _engine(eyes, norm_type)
    except Foreign:
        if not exact and eps == EPS:
            return torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)
        norm = _foreign_norm(eyes.tensors(), norm_type, error_if_nonfinite)
        _foreign_scale_(eyes.tensors(), max_norm, norm, eps)
        return norm
    if engine is None:
        return arguments.nothing(parameters)
    return clip_with(engine, max_norm, eps, error_if_nonfinite)


@untraced
def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Clamp every element of every gradient to ±clip_value. NaN stays, infinity is clamped.

    What is within the limit is not written. Errors: as `clip_grad_norm_`. Source: `torch.nn.utils.clip_grad_value_`.
    """
    parameters = arguments.tensors(parameters)
    clip_value = arguments.threshold(clip_value, "clip_value")
    try:
        engine = _engine(Eyes(parameters))
    except Foreign:
        torch.nn.utils.clip_grad_value_(parameters, clip_value, foreach)
        return
    if engine:
        engine.clamp_(clip_value)


@untraced
def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
    *,
    exact: bool = False,
) -> Tensor:
    """The norm of all elements of all tensors together. Errors, dtype and `exact`: as `clip_grad_norm_`."""
    tensors = arguments.tensors(tensors, "tensors")
    norm_type = arguments.order(norm_type)
    if not tensors:
        return arguments.nothing(tensors)
    eyes = Eyes(tensors, of_gradients=False, exact=exact)
    if norm_type == 2:
        norm = eyes.clip_(math.inf, EPS, error_if_nonfinite)
        if norm is not None:
            return norm
    try:
        engine = _engine(eyes, norm_type)
    except Foreign:
        if exact or not hasattr(torch.nn.utils, "get_total_norm"):  # before torch 2.6
            return _foreign_norm(tensors, norm_type, error_if_nonfinite)
        return torch.nn.utils.get_total_norm(tensors, norm_type, error_if_nonfinite, foreach)
    norm = engine.measure(math.inf, EPS).norm
    if error_if_nonfinite and not math.isfinite(norm):
        raise arguments.nonfinite(norm)
    return engine.value(norm)


@untraced
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
        engine = _engine(Eyes(parameters))
    except Foreign:
        _foreign_scale_(Eyes(parameters).tensors(), max_norm, total_norm, eps)
        return
    if engine and max_norm < math.inf:
        engine.scale_(engine.given(total_norm, max_norm, eps))


@untraced
def per_tensor_norms(tensors: Tensor | Iterable[Tensor]) -> Tensor:
    """The norm of each tensor, all in one pass; shape (tensors,), float64, on the device of the first.

    TypeError for sparse and complex tensors and for subclasses such as DTensor.
    """
    tensors = arguments.tensors(tensors, "tensors")
    if not tensors:
        return torch.zeros(0, dtype=torch.float64)
    try:
        return Eyes(tensors, of_gradients=False).engine().norms()
    except Foreign as kind:
        raise TypeError(f"a tensor is a {kind}; take its norm with torch.linalg.vector_norm") from None


@untraced
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
