"""What may be passed: parameters, thresholds and norm types, and the errors that say what to pass instead."""

import math
import numbers
import warnings
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


class SharedMemoryError(ValueError):
    """Raised before anything is changed: two gradients, or two elements of one, lie in the same memory.

    torch scales such elements twice; on a GPU two blocks would race for them.
    """


def tensors(given: Tensor | Iterable[Tensor], name: str = "parameters") -> list[Tensor]:
    """A list of what was given: one tensor, or an iterable of them.

    ValueError if it is an iterator that is used up: torch would clip nothing and, for `filter` and `map`, not say so.
    An empty container only warns, for a frozen model is one.
    """
    if isinstance(given, Tensor):
        return [given]
    listed = list(given)
    if not listed and isinstance(given, Iterator):
        raise ValueError(
            f"{name} is a {type(given).__name__} that holds nothing: used up, or of a module without parameters. "
            f"Pass model.parameters() afresh at each step, or list(...) it once"
        )
    if not listed:
        warnings.warn(f"{name} is an empty {type(given).__name__}: nothing is clipped", stacklevel=4)
    return listed


def warn_of_no_gradient(parameters: list[Tensor]) -> None:
    """Say that no parameter has a gradient: a loop that clips before backward() looks as if it clipped."""
    if parameters:
        warnings.warn(
            f"none of the {len(parameters)} parameters has a gradient: nothing is clipped. "
            "Clip between backward() and step()",
            stacklevel=5,
        )


def threshold(value: float, name: str = "max_norm") -> float:
    """The threshold as a float: any number above 0, infinity included.

    TypeError for what is no number; tensors too, for reading one from a GPU would wait for it. ValueError for 0, which
    would erase every gradient, for a negative one, which would turn every gradient around, and for NaN.
    """
    if type(value) is not float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"{name} must be a number, got {value!r}; of a tensor pass .item()")
        value = float(value)
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}: {_consequence(value)}. inf measures without clipping")
    return value


def _consequence(value: float) -> str:
    if value == 0:
        return "0 would erase every gradient"
    return "a negative threshold would turn every gradient around" if value < 0 else "no norm exceeds NaN"


def order(norm_type: float) -> float:
    """The order of a norm: a number above 0, or "inf". ValueError for others: 0 would count tensors, not elements."""
    value = float(norm_type)
    if not value > 0:
        raise ValueError(f"norm_type must be above 0, got {norm_type!r}: others do not measure how large a vector is")
    return value


def epsilon(value: float) -> float:
    """What is added to the norm in the quotient: a finite number, 0 or above."""
    if not ((type(value) is float or isinstance(value, numbers.Real)) and 0 <= value < math.inf):
        raise ValueError(f"eps must be a finite number of 0 or above, got {value!r}")
    return float(value)


def nothing(parameters: list[Tensor]) -> Tensor:
    """The norm of no gradients: 0, where the parameters are."""
    return torch.zeros((), device=parameters[0].device if parameters else None)


def nonfinite(norm: float | Tensor) -> RuntimeError:
    """The error for a norm that cannot be clipped."""
    return RuntimeError(
        f"the total norm of the gradients is {float(norm)}, so it cannot be clipped; no gradient was changed. "
        "error_if_nonfinite=False lets the arithmetic take its course"
    )
