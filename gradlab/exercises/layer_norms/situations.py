"""The situations in which a profile is measured: layers with gradients of known size."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from gradlab.exercises.trial import Fixture, Reading, Setup, Unfit, described, number

VERDICTS = ("fine", "vanishing", "exploding", "non-finite")
VALUES = (-3.0, 1.0, 2.0, -5.0, 0.5, 4.0, -1.5, 2.5)  # of gradients, in turn; the largest is negative


def layers_with(sizes: Sequence[float | None], spoilt: tuple[int, float] | None = None, bias: float = 1.0) -> list:
    """Layers whose matrices have gradients of these sizes (None: frozen): every second layer has two of them, and every
    fourth, from the third on, is a convolution, whose matrix has four dimensions.

    `spoilt` puts a value into the gradient of a layer; `bias` is the size of the vectors' gradients beside the
    matrices'.
    """
    layers = []
    for place, size in enumerate(sizes):
        made = [nn.Linear(3, 2), nn.LayerNorm(2), nn.Linear(2, 2)] if place % 2 else [
            nn.Conv2d(2, 3, 1) if place % 4 else nn.Linear(2, 3)]
        layer = nn.Sequential(*made)
        for count, parameter in enumerate(layer.parameters()):
            if size is None:
                parameter.requires_grad_(False)
                continue
            values = [VALUES[(n + 2 * place + 3 * count) % len(VALUES)] for n in range(parameter.numel())]
            scale = size if parameter.dim() >= 2 else size * bias
            parameter.grad = scale * torch.tensor(values).reshape(parameter.shape)
        if spoilt is not None and spoilt[0] == place:
            layer[-1].weight.grad[0, 1] = spoilt[1]
        layers.append(layer)
    return layers


def situation(name: str, words: str, sizes: Sequence[float | None], factor: float = 100.0, **more) -> Fixture:
    """Layers made by `layers_with(sizes, **more)`."""

    def build() -> Setup:
        layers = layers_with(sizes, **more)
        return Setup((layers, factor), seen=list(layers))

    def read(setup: Setup, returned) -> Reading:
        if returned is None:
            raise Unfit("your function returned None; did you forget `return`?")
        if not isinstance(returned, (tuple, list)) or len(returned) != 2:
            raise Unfit(f"your function returned {described(returned)}; a pair (norms, verdict) is asked for")
        norms, verdict = returned
        if isinstance(norms, (str, dict)) or not hasattr(norms, "__iter__"):
            raise Unfit(f"the first of the pair is {described(norms)}; a list of norms is asked for")
        norms = [_norm(norm) for norm in norms]
        if len(norms) != len(sizes):
            raise Unfit(f"you gave {len(norms)} norms for {len(sizes)} layers")
        if verdict not in VERDICTS:
            raise Unfit(f"your verdict is {described(verdict)}; it is to be one of {', '.join(VERDICTS)}")
        changed = _changed(setup, layers_with(sizes, **more))
        return Reading({"norms": norms, "verdict": verdict}, {"sizes": sizes, "factor": factor}, changed)

    return Fixture(name, words, build, read)


def _norm(value) -> float | None:
    try:
        return None if value is None else number(value)
    except Unfit:
        raise Unfit(f"one of your norms is {described(value)}; a number or None is asked for") from None


def _changed(setup: Setup, fresh: list) -> str:
    if [id(layer) for layer in setup.arguments[0]] != [id(layer) for layer in setup.seen]:
        return "your function changed the list of layers it was given"
    for mine, other in zip(setup.seen, fresh, strict=True):
        for p, q in zip(mine.parameters(), other.parameters(), strict=True):
            if (p.grad is None) != (q.grad is None) or p.grad is not None and not torch.equal(
                    p.grad.nan_to_num(7e7), q.grad.nan_to_num(7e7)):
                return "your function changed a gradient; the optimizer is going to use it"
    return ""


NAN, INF = math.nan, math.inf
SITUATIONS = (
    situation("healthy", "four layers without a trend, the second with a short gradient, and a factor of 100",
              (0.05, 0.0003, 0.2, 0.08)),
    situation("vanishing", "gradients that shrink 1e6 times on their way back, and a factor of 1000",
              (1e-7, 2e-6, 4e-4, 0.02, 0.1), factor=1000.0),
    situation("exploding", "gradients that grow 3000 times on their way back, and a factor of 1000",
              (900.0, 40.0, 2.0, 0.3), factor=1000.0),
    situation("a small loss", "a loss of a billionth, which makes all gradients small, and a factor of 100",
              (4e-9, 1e-9, 2e-9, 3e-9)),
    situation("a small loss and a trend", "a loss of a billionth, gradients that shrink 5000 times on their way back, "
              "and a factor of 1000", (2e-13, 5e-12, 1e-10, 1e-9), factor=1000.0),
    situation("zero biases", "biases with gradients of 1e-12 by construction, and a factor of 100",
              (0.4, 0.2, 0.6, 0.3), bias=1e-12),
    situation("a frozen layer", "four layers, the first and third frozen, and a factor of 100", (None, 0.4, None, 0.9)),
    situation("a NaN", "one NaN in the gradient of the second layer, and a factor of 100", (0.4, 0.2, 0.6, 0.3),
              spoilt=(1, NAN)),
    situation("an infinity", "one infinity in the gradient of the third layer, and a factor of 100",
              (0.4, 0.2, 0.6, 0.3), spoilt=(2, INF)),
    situation("one layer", "a single layer, and a factor of 100", (0.7,)),
)
