"""Situations in which a clip by the global norm is tried: a list of gradients and a limit."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gradlab.clip import global_norm
from gradlab.exercises.trial import Fixture, Reading, Setup, number


def situation(name: str, words: str, make: Callable[[], list[Tensor]], max_norm: float, **options) -> Fixture:
    """A list of gradients, made afresh by `make` for each trial, and a limit."""

    def build() -> Setup:
        grads = make()
        return Setup((grads, max_norm), seen=(list(grads), grads))

    def read(setup: Setup, returned) -> Reading:
        tensors, given = setup.seen
        norm = "a list" if isinstance(returned, list | tuple) else number(returned)
        before = [grad.double() for grad in make()]
        after = [grad.detach().double().cpu().clone() for grad in tensors]
        facts = {
            "before": before, "after": after, "norm_true": global_norm(before), "norm_after": global_norm(after),
            "max_norm": max_norm, "dtype": str(tensors[0].dtype).removeprefix("torch."),
            "largest": torch.finfo(tensors[0].dtype).max,
        }
        return Reading({"gradients": after, "replaced": _replaced(given, tensors), "norm": norm}, facts)

    return Fixture(name, words, build, read, **options)


def _replaced(given: Sequence, tensors: Sequence[Tensor]) -> bool:
    """Whether the list now holds other things than the tensors that were in it."""
    return len(given) != len(tensors) or any(mine is not theirs for mine, theirs in zip(given, tensors, strict=True))


def _pair() -> list[Tensor]:
    # Norm 6.949. The largest entry is negative, so that the largest entry and the largest size are told apart; and none
    # of the wrong norms is a whole number beside 6.949, so that a norm that was rounded is taken for none of them.
    return [torch.tensor([2.0, 1.0]), torch.tensor([1.0, -6.5])]


def _shapes() -> list[Tensor]:
    draw = torch.Generator().manual_seed(5)
    return [torch.randn(shape, generator=draw) - 0.3 for shape in ((3, 5), (7,), (), (0, 4), (2, 1, 3))]


def _of(dtype: torch.dtype, *values: Sequence[float]) -> Callable[[], list[Tensor]]:
    return lambda: [torch.tensor(tensor, dtype=dtype) for tensor in values]


def _many() -> list[Tensor]:
    return [torch.full((3,), 1.0 + 0.25 * (place % 3), dtype=torch.bfloat16) for place in range(120)]


INF, NAN = math.inf, math.nan

SITUATIONS = (
    situation("over the limit", "norm 6.949 and max_norm 1.5", _pair, 1.5),
    situation("under the limit", "norm 6.949 and max_norm 50", _pair, 50.0),
    situation("many shapes", "tensors of five shapes and max_norm 1.3", _shapes, 1.3),
    situation("no limit", "max_norm inf", _pair, INF),
    situation("limit 0", "max_norm 0", _pair, 0.0, raises=ValueError),
    situation("limit below 0", "max_norm -1", _pair, -1.0, raises=ValueError),
    situation("zeros", "gradients of nothing but zeros", _of(torch.float32, [0.0, 0.0], [0.0]), 1.0),
    situation("an infinity", "an infinite entry and max_norm 1", _of(torch.float32, [1.0, INF], [-2.0]), 1.0),
    situation("a NaN", "a NaN entry and max_norm 1", _of(torch.float32, [1.0, -3.0], [NAN]), 1.0),
    situation("float16", "float16 gradients of a few hundred, norm 514.2", _of(torch.float16, [300.0, -400.0], [120.0]),
              10.0, rtol=1e-2),
    situation("large float16", "float16 gradients with norm 70,711", _of(torch.float16, [4e4, -5e4], [3e4]), 1000.0,
              rtol=1e-2),
    situation("bfloat16", "120 bfloat16 gradients with norm 24.03", _many, 10.0, rtol=2e-2),
)
