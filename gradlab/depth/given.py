"""What the networks of this package accept, and what is said of anything else."""

import math
import numbers
from collections.abc import Sequence


def choice(name: str, value: object, allowed: Sequence) -> None:
    """Errors: ValueError, with the value and what is allowed, unless `value` is one of `allowed`, type included."""
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r:.60}")


def whole(name: str, value: object, least: int = 1, most: int = 4096) -> int:
    """`value` as an int. Errors: TypeError for what is no whole number, ValueError outside `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, got {value!r:.60}")
    if not least <= value <= most:
        raise ValueError(f"{name} must lie between {least} and {most}, got {value}")
    return int(value)


def size(name: str, value: object) -> float:
    """`value` as a float. Errors: TypeError for what is no number, ValueError unless it is finite and above 0."""
    if number(name, value) <= 0:
        raise ValueError(f"{name} must be above 0, got {value!r}")
    return float(value)


def number(name: str, value: object) -> float:
    """`value` as a float. Errors: TypeError for what is no number, ValueError for infinity and NaN."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r:.60}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return float(value)
