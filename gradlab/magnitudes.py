"""Magnitudes: how large the entries of gradients are, and what a cast to a narrower dtype leaves of them.

    magnitudes.shares([logits.grad], torch.float16, loss_scale=2**16).underflow
    slide(lambda loss_scale: magnitudes.histogram(gradients, torch.float16, loss_scale), loss_scale=(1, 2**8, 2**16))
"""

import math
import numbers
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import rc_context
from torch import Tensor

from gradlab.plot import COLOURS, DRAWING, INK, STYLE, Picture

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
# What becomes of an entry: its word, its colour and its hatch, which says the same without colour.
FATES = (("becomes 0", COLOURS[1], "////"), ("loses digits", COLOURS[4], ".."),
         ("keeps its digits", COLOURS[5], ""), ("becomes inf", COLOURS[3], "xx"))


class Limits(NamedTuple):
    """The range of a float dtype.

    - `smallest`: the smallest number above 0, a subnormal one: between it and `smallest_normal` digits are lost
    - `smallest_normal`: from here on numbers have all the digits of the dtype
    - `largest`: the largest finite number
    """

    smallest: float
    smallest_normal: float
    largest: float


class Shares(NamedTuple):
    """What a cast does to entries that are neither 0 nor infinite nor NaN, as shares of all of these, from 0 to 1.

    - `underflow`: become 0
    - `subnormal`: become a number below `Limits.smallest_normal`, with fewer digits
    - `overflow`: become infinite
    """

    underflow: float
    subnormal: float
    overflow: float


def limits(dtype: torch.dtype) -> Limits:
    """The `Limits` of a dtype: float16, bfloat16, float32 or float64. Errors: TypeError for any other.

    Source: `torch.finfo`; the smallest subnormal number is the smallest normal one times the dtype's epsilon.
    """
    if dtype not in DTYPES:
        raise TypeError(f"limits are known of {', '.join(map(_name, DTYPES))}, got {dtype!r}")
    info = torch.finfo(dtype)
    return Limits(info.smallest_normal * info.eps, info.smallest_normal, info.max)


def shares(gradients: Tensor | Iterable[Tensor], dtype: torch.dtype = torch.float16,
           loss_scale: float = 1.0) -> Shares:
    """The `Shares` of gradient entries that are lost when they are multiplied by `loss_scale` and cast to `dtype`.

    `gradients`: a tensor or several, of any shape, device and float dtype; entries of 0 do not count.

    Errors: TypeError for what is no tensor, no dtype or no number; ValueError for gradients without an entry that
    counts and for a scale that is not above 0.
    """
    return _shares(_fates(_sizes(gradients), dtype, loss_scale))


def histogram(gradients: Tensor | Iterable[Tensor], dtype: torch.dtype = torch.float16,
              loss_scale: float = 1.0) -> Picture:
    """How large the entries of gradients are, as powers of 2, and which of them a cast to `dtype` keeps.

    The bars stay where they are, at the sizes of the true gradients. What moves with the loss scale is the window
    between the dtype's limits: an entry survives if it lies above the smallest number divided by the scale.

    Arguments and errors as for `shares`.
    """
    sizes = _sizes(gradients)
    fates, powers = _fates(sizes, dtype, loss_scale), np.log2(sizes)
    marks = [math.log2(limit / loss_scale) for limit in limits(dtype)]
    # The axis must not depend on the scale, or a slider would move everything at once.
    left = math.floor(min(powers.min(), math.log2(limits(dtype).smallest)))
    right = math.ceil(max(powers.max(), math.log2(limits(dtype).largest)))
    room = 1 + (right - left) // 25
    left, right = left - room, right + room
    picture = Picture("histogram of the sizes of gradient entries, with the limits of a dtype", height=3.5)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        bins = np.arange(left, right + 1, max(1, (right - left) // 90))
        parts = [powers[fates == number] for number in range(len(FATES))]
        weights = [np.full(len(part), 100 / len(powers)) for part in parts]
        _, _, bars = axes.hist(parts, bins, weights=weights, stacked=True, linewidth=0,
                               color=[colour for _, colour, _ in FATES])
        for (_, _, hatch), group in zip(FATES, bars, strict=True):
            for bar in group:
                bar.set(hatch=hatch, edgecolor="white")
        told = [f"{word}: {100 * len(part) / len(powers):.1f} %" for (word, *_), part in zip(FATES, parts, strict=True)]
        axes.legend(bars, told, loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=4, fontsize=8.5, borderpad=0,
                    columnspacing=1.4, handlelength=1.5)
        top = axes.get_ylim()[1] * 1.45  # room for the words beside the lines
        for mark, word in zip(marks, ("smallest", "smallest normal", "largest"), strict=True):
            if left <= mark <= right:
                axes.axvline(mark, color=INK, linewidth=1.2, linestyle="--")
                axes.annotate(f"{word} ", (mark, top), rotation=90, ha="right", va="top", fontsize=8)
        axes.set(xlim=(left, right), ylim=(0, top), xlabel="size of an entry of the true gradient",
                 ylabel="% of the entries")
        axes.set_title(f"{_name(dtype)} at loss scale {_power(loss_scale)}", pad=22)  # the legend lies below it
        axes.xaxis.set_major_formatter(lambda power, _: f"$2^{{{power:.0f}}}$")
    return picture


def _shares(fates: np.ndarray) -> Shares:
    zero, subnormal, _, infinite = (float((fates == number).mean()) for number in range(len(FATES)))
    return Shares(zero, subnormal, infinite)


def _fates(sizes: np.ndarray, dtype: torch.dtype, loss_scale: float) -> np.ndarray:
    """For each size the place of its fate in `FATES`, found by casting it."""
    if isinstance(loss_scale, bool) or not isinstance(loss_scale, numbers.Real):
        raise TypeError(f"loss_scale must be a number, got {loss_scale!r:.60}")
    if not 0 < loss_scale < math.inf:
        raise ValueError(f"loss_scale must be above 0 and finite, got {loss_scale!r}; 1 is no scaling")
    normal = limits(dtype).smallest_normal
    cast = torch.from_numpy(sizes * float(loss_scale)).to(dtype).double().numpy()
    return np.select([cast == 0, cast < normal, np.isfinite(cast)], [0, 1, 2], default=3)


def _sizes(gradients: Tensor | Iterable[Tensor]) -> np.ndarray:
    """The sizes of all entries that count, float64, in one dimension."""
    try:
        tensors = [gradients] if isinstance(gradients, Tensor) else list(gradients)
    except TypeError:
        raise TypeError(f"gradients must be a tensor or several, got {gradients!r:.60}") from None
    for place, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            what = "None; pass the gradients of parameters that have one" if tensor is None else f"{tensor!r:.60}"
            raise TypeError(f"gradient {place} must be a tensor of floating-point numbers, got {what}")
    sizes = [tensor.detach().double().abs().flatten().cpu() for tensor in tensors]
    entries = torch.cat(sizes).numpy() if sizes else np.zeros(0)
    counting = entries[np.isfinite(entries) & (entries > 0)]
    if not len(counting):
        raise ValueError(f"shares are of entries that are finite and not 0, and of {entries.size} entries in "
                         f"{len(tensors)} tensors there is none")
    return counting


def _power(scale: float) -> str:
    """2^16 for 65536, so that a scale reads the same in a title and on an axis; other numbers as they are."""
    mantissa, exponent = math.frexp(scale)
    return f"$2^{{{exponent - 1}}}$" if mantissa == 0.5 else f"{scale:g}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
