"""Compare what a program left behind with what the catalogued programs leave behind."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gradlab.exercises.trial import Trial


def agree(mine: Trial, other: Trial) -> bool:
    """Whether two trials on one fixture have the same result: equal numbers, or the same error."""
    if mine.fault is not None or other.fault is not None:
        return (mine.fault is not None and other.fault is not None
                and (mine.fault.type, mine.fault.text) == (other.fault.type, other.fault.text))
    if mine.unfit or other.unfit:
        return mine.unfit == other.unfit
    return same(mine.result, other.result, mine.fixture.rtol) and bool(mine.changed) == bool(other.changed)


def same(a: Any, b: Any, rtol: float = 1e-3) -> bool:
    """Whether two results are the same, up to `rtol` of the largest number of each tensor.

    NaN is NaN and infinity is infinity. Results are numbers, texts, None, tensors, and lists or mappings of these.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key], rtol) for key in a)
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and _close(a.detach().double().cpu(), b.detach().double().cpu(), rtol)
    if isinstance(a, str) or isinstance(b, str) or a is None or b is None:
        return a == b
    if isinstance(a, Sequence) and isinstance(b, Sequence):
        return len(a) == len(b) and all(same(x, y, rtol) for x, y in zip(a, b, strict=True))
    if any(isinstance(x, Tensor | Mapping | Sequence) for x in (a, b)):
        return False
    return a == b or math.isnan(a) and math.isnan(b) or math.isfinite(a) and math.isclose(a, b, rel_tol=rtol)


def _close(a: Tensor, b: Tensor, rtol: float) -> bool:
    finite = a.isfinite()
    if not torch.equal(finite, b.isfinite()):
        return False
    if not torch.allclose(a[~finite], b[~finite], equal_nan=True):  # infinities of one sign, and NaN
        return False
    a, b = a[finite], b[finite]
    if not a.numel():
        return True
    largest = max(a.abs().max().item(), b.abs().max().item())
    return bool((a - b).abs().max() <= rtol * largest)


def match(mine: Sequence[Trial], right: Sequence[Trial], wrong: Sequence[tuple[Any, Sequence[Trial]]]) -> Any:
    """The catalogued program that explains the learner's trials, None if none does.

    `wrong` holds programs with an `id`, or a `variant` where that is None, each with its trials on the same fixtures.
    A program that agrees with the learner on all fixtures explains them. Otherwise two mistakes may have been made at
    once. Then the programs count that agree on the first fixture that is wrong, and if there are none, those that share
    one wrong part of its result; the ones that agree on most fixtures decide, if they are one mistake.
    """
    for program, trials in wrong:
        if all(map(agree, mine, trials)):
            return program
    first = next((place for place, (a, b) in enumerate(zip(mine, right, strict=True)) if not agree(a, b)), None)
    if first is None:
        return None
    parts = [part for part in mine[first].result if not _share(part, mine[first], right[first])]
    for alike in (agree, *(partial(_share, part) for part in parts)):
        shared = [(sum(map(alike, mine, trials)), program)
                  for program, trials in wrong if alike(mine[first], trials[first])]
        most = max((count for count, _ in shared), default=0)
        best = [program for count, program in shared if count == most]
        if best:
            return best[0] if len({(program.id, program.variant) for program in best}) == 1 else None
    return None


def _share(part: str, a: Trial, b: Trial) -> bool:
    """Whether both results have that part, and the same."""
    return part in a.result and part in b.result and same(a.result[part], b.result[part], a.fixture.rtol)
