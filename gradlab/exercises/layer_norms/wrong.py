"""Ways to measure and to judge that are known to be wrong, and what they are told."""

import math
from collections.abc import Callable
from functools import partial

from gradlab.exercises.mistakes import Diagnosis, Wrong
from gradlab.exercises.trial import Trial
from gradlab.pitfalls.pitfall import written


def program(size: Callable = lambda grads: math.sqrt(sum(float(g.double().square().sum()) for g in grads)), *,
            counts: Callable = lambda p: p.dim() >= 2, missing: float | None = None,
            decide: Callable | None = None) -> Callable:
    """A program that measures a layer's gradients by `size`, those of parameters that `counts`, and decides."""
    def judge(layers, factor):
        norms = []
        for layer in layers:
            grads = [p.grad for p in layer.parameters() if counts(p) and p.grad is not None]
            norms.append(size(grads) if grads else missing)
        known = [norm for norm in norms if norm is not None]
        return norms, (decide or verdict_of)(known, factor)
    return judge


def verdict_of(known: list[float], factor: float, bad: Callable = lambda norm: not math.isfinite(norm),
               backwards: bool = False) -> str:
    if any(map(bad, known)):
        return "non-finite"
    first, last = (known[-1], known[0]) if backwards else (known[0], known[-1])
    return "vanishing" if last > factor * first else "exploding" if first > factor * last else "fine"


def absolute(known: list[float], factor: float) -> str:
    if not all(map(math.isfinite, known)):
        return "non-finite"
    return "vanishing" if min(known) < 1e-6 else "exploding" if max(known) > 100 else "fine"


def by_extremes(known: list[float], factor: float) -> str:
    if not all(map(math.isfinite, known)):
        return "non-finite"
    if max(known) <= factor * min(known):
        return "fine"
    return "vanishing" if known[0] < known[-1] else "exploding"


def norms(mine: Trial, right: Trial) -> dict:
    """The first norm that is off, and the ends of the row."""
    place = next((place for place, (a, b) in enumerate(zip(mine.result["norms"], right.result["norms"], strict=True))
                  if apart(a, b)), 0)
    yours, true = mine.result["norms"][place], right.result["norms"][place]
    known = [norm for norm in right.result["norms"] if norm is not None]
    return {"layer": place + 1, "norm": "None" if yours is None else yours, "norm_yours": "None" if yours is None
            else yours, "norm_true": "None" if true is None else true, "verdict": mine.result["verdict"],
            "first": known[0], "last": known[-1], "factor": mine.facts["factor"]}


def norm_off(mine: Trial, right: Trial) -> dict:
    """As `norms`, for mistakes in the norms: fails where these are right, so that no verdict is put down to them."""
    if not any(map(apart, mine.result["norms"], right.result["norms"])):
        raise ValueError("the norms are right")
    return norms(mine, right)


def apart(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is not b
    return not (a == b or math.isnan(a) and math.isnan(b) or math.isclose(a, b, rel_tol=1e-3))


WRONG = (
    Wrong("structural-zero", "bias", program(counts=lambda p: True), norm_off),
    Wrong("structural-zero", "none-as-zero", program(missing=0.0), norm_off),
    Wrong("wrong-norm", "not-rooted", program(lambda grads: sum(float(g.square().sum()) for g in grads)), norm_off),
    Wrong("wrong-norm", "l1", program(lambda grads: sum(float(g.abs().sum()) for g in grads)), norm_off),
    Wrong("wrong-norm", "abs-max", program(lambda grads: max(float(g.abs().max()) for g in grads)), norm_off),
    Wrong("wrong-norm", "sum-of-norms", program(lambda grads: sum(float(g.norm()) for g in grads)), norm_off),
    Wrong(None, "two dimensions only", program(counts=lambda p: p.dim() == 2), norm_off,
          "The norm of layer {layer} is {norm_true}, and you gave {norm}: it is a convolution, and its matrix has four "
          "dimensions.",
          "Print `p.shape` and `p.dim()` of each parameter of that layer."),
    # Before the next one: who looks for NaN alone goes wrong with an infinity first, who looks for neither with a NaN.
    Wrong(None, "infinity passes", program(decide=partial(verdict_of, bad=math.isnan)), norms,
          "The gradients hold an infinity, and your verdict is \"{verdict}\". An infinite norm is no NaN, and the "
          "first norm, {first}, and the last, {last}, are in order.",
          "Print `math.isnan(math.inf)` and `math.isfinite(math.inf)`."),
    Wrong("nan-slips-through", "", program(decide=partial(verdict_of, bad=lambda norm: False)), norms,
          "The gradients hold an entry that is not finite, and your verdict is \"{verdict}\": every comparison with "
          "NaN is false, and the first norm, {first}, and the last, {last}, are in order."),
    Wrong(None, "backwards", program(decide=partial(verdict_of, backwards=True)), norms,
          "Your verdict is \"{verdict}\". The gradient begins at the loss, so it comes from the last layer, where its "
          "norm is {last}, and ends at the first, where it is {first}.",
          "Draw an arrow from the loss to the input, and write the norms beside it."),
    Wrong(None, "absolute", program(decide=absolute), norms,
          "Your verdict is \"{verdict}\", and the first norm, {first}, and the last, {last}, are close. A small loss "
          "makes all gradients small together.",
          "Compare the two verdicts after the loss was multiplied by a million."),
)


def unexplained(mine: Trial, right: Trial) -> str:
    told = {name: written(value) for name, value in norms(mine, right).items()}
    if any(apart(a, b) for a, b in zip(mine.result["norms"], right.result["norms"], strict=True)):
        return (f"With {mine.fixture.words}, the norm of layer {told['layer']} is {told['norm_true']}, and you gave "
                f"{told['norm_yours']}")
    return (f"With {mine.fixture.words}, your verdict is \"{told['verdict']}\"; the norms are right, the first is "
            f"{told['first']}, the last {told['last']}")


def stands_for_the_factor(mine: Trial, right: Trial) -> Diagnosis | None:
    """A verdict that would be right for another factor than the one given."""
    known = [norm for norm in right.result["norms"] if norm is not None]
    if mine.result["verdict"] == "fine" or right.result["verdict"] != "fine":
        return None
    if any(map(apart, mine.result["norms"], right.result["norms"])):
        return None
    if by_extremes(known, mine.facts["factor"]) == mine.result["verdict"]:
        return Diagnosis(None, f"Your verdict is \"{mine.result['verdict']}\": the largest and the smallest norm are "
                               f"more than {written(mine.facts['factor'])} times apart, but the first and the last, "
                               f"{written(known[0])} and {written(known[-1])}, are not",
                         "Draw the norms against the layer, and look for a trend.")
    return None
