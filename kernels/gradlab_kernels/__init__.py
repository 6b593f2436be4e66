"""Gradient norms and clipping on the processor and the GPU, faster and more exact than `torch.nn.utils`.

    from gradlab_kernels import clip_grad_norm_         # instead of torch.nn.utils.clip_grad_norm_

    plan = ClipPlan(model.parameters())                 # or, in a loop of your own, once before it,
    norm = plan.clip_(1.0)                              # and between backward() and step()

Where it computes follows from where the gradients are. Numba compiles on first use; without Numba, and for what the
kernels do not do, torch computes the same. What differs from torch, and why: DIFFERENCES.md.
"""

from .arguments import SharedMemoryError
from .clip import (
    clip_coefficient,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    per_tensor_norms,
)
from .coefficient import Coefficient
from .plan import ClipPlan

__all__ = [
    "ClipPlan",
    "Coefficient",
    "SharedMemoryError",
    "clip_coefficient",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "per_tensor_norms",
]
