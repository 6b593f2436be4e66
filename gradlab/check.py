"""How a notebook states a number so that the number is tested each time the notebook runs.

Training is not reproducible to the last digit between processors, so a printed measurement would differ from
the stored one on the next machine. What is printed here is therefore only what the author stated; what was
measured is compared, and appears in the message when it is wrong.
"""

import math
from collections.abc import Callable
from typing import Any

_ADVICE = (
    "Restart the kernel and run all cells from the top. If it still differs, either something above this "
    "cell changed the run, or what is stated here is wrong: mend whichever it is."
)


def check(
    label: str,
    got: Any,
    want: float | None = None,
    rtol: float = 0.02,
    atol: float = 0.0,
    *,
    between: tuple[float, float] | None = None,
) -> None:
    """Assert that a measured number is the stated one, and print the stated one.

    ``got`` passes when it lies within ``max(rtol * |want|, atol)`` of ``want``, or, with
    ``between=(lo, hi)``, when ``lo <= got <= hi``. ``got`` is a number, or an array or tensor that holds
    exactly one; ``want``, ``atol`` and ``between`` are in its unit, ``rtol`` is a fraction. The printed line
    holds the label and the author's numbers only, so it is the same on every machine.

    Raises AssertionError when the number is outside or is NaN, TypeError when ``got`` is no number or when
    not exactly one of ``want`` and ``between`` is given, ValueError for a tolerance or bracket that makes no
    sense.
    """
    if (want is None) == (between is None):
        raise TypeError(f"{label}: state either want or between=(lo, hi), and not both")
    if between is None:
        low, high = _around(label, want, rtol, atol)
        stated = f"{_short(want)} (checked, rtol {rtol:g}" + (f", atol {atol:g})" if atol else ")")
    else:
        low, high = _bracket(label, between)
        stated = f"between {_short(low)} and {_short(high)} (checked)"
    value = _number(label, got)
    if math.isnan(value):
        raise AssertionError(
            f"{label}: got NaN, stated {stated}. A NaN equals nothing: find where it arose. {_ADVICE}"
        )
    if not low <= value <= high:
        reach = f"; allowed is {low:.6g} to {high:.6g}" if between is None else ""
        zero = " Around zero rtol allows nothing: give atol." if want == 0 and not atol else ""
        raise AssertionError(f"{label}: got {value:.6g}, stated {stated}{reach}.{zero} {_ADVICE}")
    print(f"{label}: {stated}")


def claim(label: str, ok: Any, detail: str | Callable[[], object] = "") -> None:
    """Assert that a stated sentence is true, and print that it is.

    ``ok`` is a truth value: a bool, or an array or tensor that holds exactly one. Anything else is refused,
    since a list, a string or a method whose brackets were forgotten counts as true in Python, and the claim
    would hold whatever was measured. ``detail`` is shown on failure only, so it may hold measured numbers; a
    callable is called only then.

    Raises AssertionError when the sentence is false, TypeError when ``ok`` is no truth value.
    """
    value = _only(label, ok, "one True or False", "use .all() or .any()")
    if not isinstance(value, bool):
        raise TypeError(f"{label}: got {_name(ok)}, not True or False; write a comparison, such as x > 0")
    if not value:
        raise AssertionError(f"{label}: False.{_told(detail)} {_ADVICE}")
    print(f"{label}: True")


def _around(label: str, want: Any, rtol: float, atol: float) -> tuple[float, float]:
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not 0 <= value < math.inf:  # a NaN fails this as well, and would otherwise allow nothing
            raise ValueError(f"{label}: {name} is {value}; a tolerance is a number from 0 up")
    centre = _number(label, want)
    if math.isnan(centre):
        raise ValueError(f"{label}: want is NaN, which no number equals; use claim(..., math.isnan(x))")
    reach = max(rtol * abs(centre), atol) if math.isfinite(centre) else 0.0
    return centre - reach, centre + reach


def _bracket(label: str, between: Any) -> tuple[float, float]:
    try:
        low, high = between
    except (TypeError, ValueError):
        raise TypeError(f"{label}: between is {between!r}, not a pair (lo, hi)") from None
    low, high = _number(label, low), _number(label, high)
    if not low < high:
        raise ValueError(f"{label}: between=({low:g}, {high:g}) is no bracket; state lo < hi")
    return low, high


def _number(label: str, value: Any) -> float:
    single = _only(label, value, "one number", "use .mean(), .max() or an index")
    if isinstance(single, bool):
        raise TypeError(f"{label}: got {single}, a truth value; use claim()")
    if isinstance(single, (str, bytes)) or not hasattr(single, "__float__"):
        raise TypeError(f"{label}: got {_name(value)}, not a number")
    return float(single)


def _only(label: str, value: Any, what: str, how: str) -> Any:
    """The single element of an array or tensor of any library, or the value itself when it is neither."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return value
    if math.prod(shape) != 1:
        raise TypeError(f"{label}: got {math.prod(shape)} values of shape {tuple(shape)}, not {what}; {how}")
    return value.item()  # not float(): torch warns there when the tensor requires a gradient


def _told(detail: str | Callable[[], object]) -> str:
    try:
        text = str(detail() if callable(detail) else detail)
    except Exception as error:  # a mistake in the explanation must not hide what it explains
        text = f"(the detail itself failed: {error!r})"
    return f" {text.rstrip('.')}." if text else ""


def _short(number: Any) -> str:
    return str(number) if isinstance(number, int) else f"{float(number):.6g}"


def _name(value: Any) -> str:
    return f"{value!r:.60} ({type(value).__name__})"
