"""ClipPlan: the gradients of one list of parameters, clipped at every step."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from . import arguments
from .coefficient import EPS, Coefficient
from .engines import Eyes, Foreign, check_backend
from .untraced import untraced


class ClipPlan:
    """A list of parameters whose gradients are measured and clipped again and again.

        plan = ClipPlan(model.parameters())
        for batch in data:
            loss(batch).backward()
            norm = plan.clip_(max_norm=1.0)
            optimizer.step()

    Does what the functions of this package do; what they find out anew at each call, it looks up. Gradients may move,
    change shape, appear and vanish between calls (`zero_grad(set_to_none=True)`): what has moved is looked at again.
    Parameters are held, gradients are not. Threads may share a plan; but none may take gradients away while
    another clips, for torch itself ends the process where one reads a `.grad` that another sets to None.

    `backend`: None computes where the gradients are; "cpu", "cuda" and "torch" insist; "simulator" runs the GPU's
    kernels in Numba's CUDA simulator on tensors in main memory, slowly, to look at. A plan on a GPU is for one stream
    at a time: two would write into the same scratch memory. `eps`, `exact`: see `clip_grad_norm_`.

    Under CUDA graph capture: call once before the capture, keep the gradients where they are, and each replay clips.

    Errors: those of `clip_grad_norm_`; RuntimeError for a backend that is not there; TypeError for sparse and other
    gradients that only `torch.nn.utils` can clip.
    """

    @untraced
    def __init__(
        self,
        parameters: Tensor | Iterable[Tensor],
        *,
        eps: float = EPS,
        exact: bool = False,
        backend: str | None = None,
    ):
        listed = arguments.tensors(parameters)
        self.parameters = tuple(listed)
        self.eps = arguments.epsilon(eps)
        check_backend(backend)
        self._eyes = Eyes(listed, backend=backend, kept={}, exact=exact)

    def _engine(self):
        """The engine for the gradients as they are now, None without any."""
        try:
            engine = self._eyes.engine()
        except Foreign as kind:
            raise TypeError(f"a gradient is a {kind}; only torch.nn.utils.clip_grad_norm_ clips such") from None
        if engine is None:
            arguments.warn_of_no_gradient(self.parameters)
        return engine

    @untraced
    def clip_(self, max_norm: float, error_if_nonfinite: bool = False) -> Tensor:
        """Scale the gradients so that their norm is at most `max_norm`; returns the norm before, without dimensions."""
        max_norm = arguments.threshold(max_norm)
        norm = self._eyes.clip_(max_norm, self.eps, error_if_nonfinite)
        if norm is not None:
            return norm
        engine = self._engine()
        return clip_with(engine, max_norm, self.eps, error_if_nonfinite) if engine else self._nothing()

    @untraced
    def clip_value_(self, clip_value: float) -> None:
        """Clamp every element to ±clip_value."""
        clip_value = arguments.threshold(clip_value, "clip_value")
        if engine := self._engine():
            engine.clamp_(clip_value)

    @untraced
    def norms(self) -> Tensor:
        """The norm of each gradient that is there, in the order of the parameters; shape (gradients,), float64."""
        engine = self._engine()
        return engine.norms() if engine else torch.zeros(0, dtype=torch.float64)

    @untraced
    def coefficient(self, max_norm: float) -> Coefficient:
        """The norm and what the gradients would be multiplied by, left where they are; nothing is changed."""
        max_norm = arguments.threshold(max_norm)
        engine = self._engine()
        if engine is None:
            zero = self._nothing()
            return Coefficient(zero, zero + 1, zero + 1, zero.clone())
        return Coefficient(*map(engine.value, engine.measure(max_norm, self.eps)))

    def _nothing(self) -> Tensor:
        return arguments.nothing(self.parameters)


def clip_with(engine, max_norm: float, eps: float, error_if_nonfinite: bool) -> Tensor:
    """The one way from gradients to clipped gradients: measure, decide, scale if it takes scaling."""
    decision = engine.measure(max_norm, eps)
    if error_if_nonfinite and not math.isfinite(decision.norm):
        raise arguments.nonfinite(decision.norm)
    if max_norm < math.inf:
        engine.scale_(decision)
    return engine.value(decision.norm)
