"""Numbers that are on their way: measured while the loop ran, read when somebody asks.

To read a number from an accelerator is to wait for it. A loop that is being recorded must not wait, so its events hold
such numbers as `Later`, and reading the attribute of the event fetches it, once.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

NEAR = "cpu"  # the kind of device from which a number is read at once


class Later:
    """A value that `read()` will fetch; use `value(number)` to have it."""

    __slots__ = ("read",)

    def __init__(self, read: Callable[[], Any]):
        self.read = read


def value(number: Any) -> Any:
    """The number itself, fetched if it is on its way."""
    while type(number) is Later:
        number = number.read()
    return number


def times(a: Any, b: Any) -> Any:
    """The product of two numbers, on its way if one of them is."""
    if type(a) is Later or type(b) is Later:
        return Later(lambda: value(a) * value(b))
    return a * b


def number(given: Any) -> Any:
    """A Python number, or a tensor with one element, as a float: at once from the CPU, `Later` from elsewhere."""
    if not isinstance(given, torch.Tensor):
        return float(given)
    if given.device.type == NEAR:
        return _item(given)
    kept = given.detach().clone()  # the caller may go on to change it
    return Later(lambda: _item(kept))


def _item(tensor: torch.Tensor) -> float:
    try:
        return float(tensor.item())
    except (RuntimeError, NotImplementedError, TypeError, ValueError):  # on "meta", or of several elements
        return math.nan
