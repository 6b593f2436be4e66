"""Clipping rules: what may happen to gradients between `backward()` and `step()`.

A rule is a callable: it takes parameters, edits their gradients in place and returns a `ClipResult`.

    clip = ClipByGlobalNorm(1.0)
    loss.backward()
    result = clip(model.parameters())
    optimizer.step()

Parameters are an iterable of tensors or of groups `{"params": [...]}`, as `optimizer.param_groups` holds them; those
whose `.grad` is None are passed over. Norms are accumulated in float64 whatever the gradients' dtype, so that they
neither overflow in float16 nor lose digits in bfloat16. Compiled kernels compute them where Numba is there: see
`gradlab.norms`.

What a rule does when a gradient holds NaN or infinity is chosen by `nonfinite`:

- `"raise"`: `NonFiniteGradientError` names the parameters; every gradient stays as it was
- `"skip"`: every `.grad` becomes None, so that the `optimizer.step()` that follows changes nothing at all, neither by
  momentum nor by weight decay
- `"torch"`: the arithmetic takes its course, as in `torch.nn.utils.clip_grad_norm_`: one NaN makes every gradient
  NaN, one infinity makes the finite ones 0 and itself NaN
"""

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gradlab.norms import global_norm, scale_

NONFINITE = ("raise", "skip", "torch")


class ClipResult(NamedTuple):
    """What a clipping rule saw and did.

    - `norm_before`, `norm_after`: L2 norm over all gradients before and after the rule, float64
    - `coefficient`: what the gradients were multiplied by; for rules that do not multiply all gradients alike,
      norm_after / norm_before. 1 where nothing was clipped
    - `clipped`: whether the rule changed a gradient
    - `finite`: whether all gradients were finite; where not, `coefficient` is what `nonfinite` made of them
    """

    norm_before: float
    norm_after: float
    coefficient: float
    clipped: bool
    finite: bool


class NonFiniteGradientError(FloatingPointError):
    """Raised by a rule with `nonfinite="raise"` before it has changed any gradient."""


@dataclass(frozen=True)
class ClippingRule(ABC):
    """What all rules share: the threshold, the choice about non-finite gradients, and the order of work.

    A rule of your own overrides `_edit(groups, norm)`, which edits the gradients of groups of parameters whose
    overall norm is `norm` and returns `(norm_after, coefficient, clipped)`.

    Errors: TypeError or ValueError for a `max_norm` that is not a number above 0 or an unknown `nonfinite`, when the
    rule is made; those of `parameter_groups`, and `NonFiniteGradientError`, when it is called.
    """

    max_norm: float
    nonfinite: str = "raise"

    def __post_init__(self):
        name, max_norm = type(self).__name__, self.max_norm
        if isinstance(max_norm, bool) or not isinstance(max_norm, numbers.Real):
            raise TypeError(f"{name}: max_norm must be a number, got {max_norm!r}; inf measures without clipping")
        if not max_norm > 0:
            why = ("0 would erase every gradient" if max_norm == 0 else
                   "a negative threshold would turn every gradient around" if max_norm < 0 else "no norm exceeds NaN")
            raise ValueError(f"{name}: max_norm must be above 0, got {max_norm!r} ({why}); inf only measures")
        object.__setattr__(self, "max_norm", float(max_norm))
        if self.nonfinite not in NONFINITE:
            raise ValueError(f"{name}: nonfinite must be one of {', '.join(NONFINITE)}, got {self.nonfinite!r}")

    @torch.no_grad()
    def __call__(self, parameters: Iterable) -> ClipResult:
        groups = parameter_groups(parameters)
        norm = global_norm(p.grad for group in groups for p in group)
        finite = math.isfinite(norm)
        if not finite and self.nonfinite == "raise":
            raise NonFiniteGradientError(_describe_nonfinite([p for group in groups for p in group]))
        if not finite and self.nonfinite == "skip":
            for parameter in (p for group in groups for p in group):
                parameter.grad = None
            return ClipResult(norm, 0.0, 0.0, True, False)
        return ClipResult(norm, *self._edit(groups, norm), finite)

    @abstractmethod
    def _edit(self, groups: list[list[Tensor]], norm: float) -> tuple[float, float, bool]: ...


class ClipByGlobalNorm(ClippingRule):
    """Scale all gradients by min(1, max_norm / norm), where norm is taken over all of them together.

    The direction of the gradient stays. Below the threshold nothing changes, not by one bit: unlike
    `torch.nn.utils.clip_grad_norm_` there is no epsilon in the quotient. `max_norm=inf` only measures.
    `norm_after` is coefficient · norm_before; rounding in the gradients' dtype is not measured again.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", arXiv 1211.5063.
    """

    def _edit(self, groups, norm):
        coefficient = scale_([p for group in groups for p in group], norm, self.max_norm)
        return norm * coefficient, coefficient, coefficient != 1


class ClipByValue(ClippingRule):
    """Clamp every element of every gradient to ±max_norm.

    Only elements beyond the threshold change, so the direction of the gradient does too, and the norm that is left
    may reach max_norm · √(number of elements). `nonfinite="torch"` clamps infinities and leaves NaN where it is.

    Source: `torch.nn.utils.clip_grad_value_`.
    """

    def _edit(self, groups, norm):
        gradients = [p.grad for group in groups for p in group]
        if norm <= self.max_norm:  # no element is larger than the norm of all
            return norm, 1.0, False
        # Only tensors with an element beyond the threshold: elsewhere it may not even fit the dtype.
        beyond = [gradient for gradient in gradients if not gradient.abs().max() <= self.max_norm]
        if not beyond:
            return norm, 1.0, False
        torch._foreach_clamp_min_(beyond, -self.max_norm)
        torch._foreach_clamp_max_(beyond, self.max_norm)
        after = global_norm(gradients)
        return after, after / norm, True


class ClipByGroupNorm(ClippingRule):
    """Scale each parameter group by min(1, max_norm / its own norm).

    One loud group no longer silences the others; the price is that groups shrink by different factors, so the
    direction of the whole gradient changes. The norm over n groups may reach max_norm · √n. Tensors given without
    groups count as a group each.
    """

    def _edit(self, groups, norm):
        norms = [global_norm(p.grad for p in group) for group in groups]
        coefficients = [scale_(group, norm, self.max_norm) for group, norm in zip(groups, norms, strict=True)]
        if all(coefficient == 1 for coefficient in coefficients):
            return norm, 1.0, False
        after = math.hypot(*(scale * of_group for scale, of_group in zip(coefficients, norms, strict=True)))
        return after, after / norm, True


RULES = {"global_norm": ClipByGlobalNorm, "value": ClipByValue, "per_group": ClipByGroupNorm}


def parameter_groups(parameters: Iterable) -> list[list[Tensor]]:
    """The tensors of `parameters` that have a gradient, group by group; a plain iterable is a group a tensor.

    Errors: TypeError for what is neither tensors nor groups and for sparse or non-floating gradients; ValueError for
    no parameters at all (an iterator that was used up before, say) and for a parameter listed twice.
    """
    given = [parameters] if isinstance(parameters, Tensor | dict) else _listed(parameters)
    for item in given:
        if isinstance(item, dict) and "params" not in item:
            raise TypeError("a parameter group is a dictionary with the key 'params', "
                            f"got the keys {list(item)!r:.60}; pass model.parameters() or optimizer.param_groups")
    groups = [_listed(item["params"]) if isinstance(item, dict) else [item] for item in given]
    if not any(groups):
        used_up = isinstance(parameters, Iterator)
        raise ValueError(
            f"clipping was given 0 parameters: the {type(parameters).__name__} "
            + ("is used up; pass model.parameters() afresh at each step, or list(...) it once" if used_up
               else "you passed holds none; pass model.parameters() or optimizer.param_groups"))
    seen: dict[int, int] = {}
    for index, parameter in enumerate(p for group in groups for p in group):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameter {index} is a {type(parameter).__name__} ({parameter!r:.60}), not a tensor; "
                            "pass model.parameters() or optimizer.param_groups")
        if id(parameter) in seen:
            raise ValueError(f"parameter {index}, shape {tuple(parameter.shape)}, is parameter {seen[id(parameter)]} "
                             "again: its gradient would be counted and scaled twice; list every parameter once")
        seen[id(parameter)] = index
        gradient = parameter.grad
        if gradient is not None and (gradient.layout != torch.strided or not gradient.is_floating_point()):
            raise TypeError(f"the gradient of parameter {index}, shape {tuple(parameter.shape)}, is "
                            f"{'sparse' if gradient.layout != torch.strided else gradient.dtype}; "
                            "gradlab clips dense floating-point gradients")
    return [kept for group in groups if (kept := [p for p in group if p.grad is not None and p.grad.numel()])]


def _listed(parameters: Iterable) -> list:
    try:
        return [parameters] if isinstance(parameters, Tensor) else list(parameters)
    except TypeError:
        raise TypeError(f"parameters must be an iterable of tensors or of parameter groups, got a "
                        f"{type(parameters).__name__}; pass model.parameters() or optimizer.param_groups") from None


def _describe_nonfinite(parameters: list[Tensor]) -> str:
    bad = [(index, p) for index, p in enumerate(parameters) if not p.grad.isfinite().all()]
    if not bad:
        return ("every gradient is finite, but the norm of all is beyond float64, above 1.8e308. Find where "
                "gradients so large arise, or choose nonfinite='skip' to leave the step out")
    index, first = bad[0]
    return (f"{len(bad)} of {len(parameters)} gradients are not finite, the first that of parameter {index}, shape "
            f"{tuple(first.shape)}: {int(first.grad.isnan().sum())} NaN, {int(first.grad.isinf().sum())} infinite. "
            "No clipping can repair them: find where they arise, or choose nonfinite='skip' to leave the step out")
