"""The norm of gradients and their scaling: by the kernels of gradlab_kernels where these work, else by torch.

Both give the same to the last rounding of float64. The kernels need Numba. It is imported by the first norm that is
taken, and compiles then what is not on disk yet (`python -m gradlab_kernels` does that beforehand). Which of the two it
is, is settled there and then for the life of the process, so that a run repeated is the same to the bit.

The environment variable GRADLAB_KERNELS=off chooses torch.
"""

import functools
import importlib.util
import math
import os
import warnings
from collections.abc import Iterable

import torch
from torch import Tensor


@torch.no_grad()
def global_norm(gradients: Iterable[Tensor]) -> float:
    """The L2 norm of all elements of all tensors together, accumulated in float64; 0.0 of none.

    NaN where an element is NaN, infinite where one is. Tensors may lie on different devices and have different
    dtypes. Elements so large or small that their squares leave the range of float64 are rescaled first; a norm
    that is itself beyond that range is infinite.
    """
    tensors = list(gradients)
    if not tensors:
        return 0.0
    if kernels := _kernels():
        try:
            return kernels.get_total_norm(tensors, exact=True).item()
        except kernels.SharedMemoryError:  # no objection to measuring it
            pass
    return _norm_by_torch([tensor.detach() for tensor in tensors])


@torch.no_grad()
def scale_(parameters: list[Tensor], norm: float, max_norm: float) -> float:
    """Scale gradients of this norm by max_norm / norm if that is below 1, and return the factor.

    At or below the threshold nothing is written. NaN is contagious on purpose.
    """
    if norm <= max_norm or math.isinf(max_norm):
        return 1.0
    if kernels := _kernels():
        try:
            kernels.clip_grads_with_norm_(parameters, max_norm, norm, eps=0.0)
            return max_norm / norm
        except kernels.SharedMemoryError:  # raised before anything is changed: torch's way with it, then
            pass
    torch._foreach_mul_([parameter.grad for parameter in parameters], max_norm / norm)
    return max_norm / norm


def prepare() -> None:
    """Do now what the first norm would wait for: import Numba and compile. Of the second call on nothing happens."""
    _kernels()


@functools.cache
def _kernels():
    """gradlab_kernels, None where it or Numba is not installed, does not work, or is not wanted."""
    if os.environ.get("GRADLAB_KERNELS") == "off":
        return None
    try:
        if importlib.util.find_spec("numba") is None:
            return None
        import gradlab_kernels

        # Whatever can fail in compiling fails here, and not in the middle of a run.
        if not math.isclose(gradlab_kernels.get_total_norm([torch.tensor([3.0, 4.0])], exact=True), 5.0):
            raise RuntimeError("the norm of (3, 4) is not 5")
        probe = torch.zeros(2, requires_grad=True)
        probe.grad = torch.tensor([3.0, 4.0])
        gradlab_kernels.clip_grads_with_norm_([probe], 1.0, 5.0, eps=0.0)
    except ModuleNotFoundError:
        return None
    except Exception as error:  # a compiler may raise anything
        warnings.warn(
            f"the compiled kernels do not work here, torch computes norms instead ({type(error).__name__}: "
            f"{error!s:.200}). GRADLAB_KERNELS=off leaves them out and silences this",
            stacklevel=2,
        )
        return None
    return gradlab_kernels


def _norm_by_torch(tensors: list[Tensor]) -> float:
    norms = torch._foreach_norm(tensors, 2, dtype=torch.float64)
    if len({tensor.device for tensor in tensors}) > 1:
        norms = [norm.cpu() for norm in norms]
    total = torch.linalg.vector_norm(torch.stack(norms)).item()
    if 1e-150 < total < math.inf:
        return total
    # Rare: zero, NaN, infinity, or float64 gradients beyond ±1e±150, whose squares are not representable.
    largest = [tensor.abs().max().item() for tensor in tensors if tensor.numel()]
    peak = math.nan if any(map(math.isnan, largest)) else max(largest, default=0.0)
    if peak == 0 or not math.isfinite(peak):
        return peak
    return peak * math.hypot(*(torch.linalg.vector_norm(tensor.double() / peak).item() for tensor in tensors))
