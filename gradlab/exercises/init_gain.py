"""Exercise: draw the weights of a layer so that what passes many such layers keeps its size."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial, Unfit
from gradlab.pitfalls.pitfall import written

LAYERS = 20  # over which the messages reckon

TASK = """
Fill `weight` in place with random numbers of mean 0, of such a size that what passes many layers like this one neither
dies out nor grows.

- `weight` has the shape `(fan_out, fan_in)`, as in `nn.Linear`: each of the `fan_out` outputs is a sum over `fan_in`
  inputs. It needs no gradient
- `activation` is what follows the layer. `"linear"` is none: the mean square of the outputs shall be that of the
  inputs. `"relu"` sets about half of the outputs to 0, which halves the mean square; make up for it
- `distribution` is `"normal"` or `"uniform"`. Both shall have the same standard deviation. Numbers that are uniform
  between -a and a have the standard deviation a / √3

Return nothing.
"""


def draw_(weight, activation, distribution):
    fan_out, fan_in = weight.shape
    gain = 2.0 if activation == "relu" else 1.0
    std = math.sqrt(gain / fan_in)
    if distribution == "normal":
        weight.normal_(0, std)
    else:
        weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std)


def situation(fan_in: int, fan_out: int, activation: str, distribution: str) -> Fixture:
    """One weight matrix, large enough for its standard deviation to be known to half a percent."""

    def read(setup: Setup, returned) -> Reading:
        (weight, *_) = setup.arguments
        values = weight.detach().double()
        if tuple(weight.shape) != (fan_out, fan_in):
            raise Unfit(f"the weight came back in the shape {tuple(weight.shape)}; it had {(fan_out, fan_in)}")
        if not values.any():
            raise Unfit("the weight that you were given still holds zeros only; it is to be filled in place"
                        + (", and what your function returned is not looked at" * isinstance(returned, Tensor)))
        if torch.equal(values[0], values[1]):
            raise Unfit("the weights of the first two outputs are the same; each weight is to be drawn by itself")
        std, bound = values.std().item(), values.abs().max().item()
        shape = "uniform" if bound < 2.2 * std else "normal"  # √3 times for the one, 4 times and more for the other
        centred = abs(values.mean().item()) < 0.02 * std
        facts = {"bound": bound, "fan_in": fan_in, "fan_out": fan_out, "mean": values.mean().item()}
        return Reading({"std": std, "shape": shape, "centred": str(centred)}, facts)

    words = f"{fan_in} inputs, {fan_out} outputs, {distribution} weights, " + (
        "no activation" if activation == "linear" else "ReLU")
    return Fixture(f"{activation} {distribution}", words, rtol=0.02, read=read, build=lambda: Setup(
        (torch.zeros(fan_out, fan_in), activation, distribution)))


# No two ratios of fans are alike, and none is that of another mistake.
SITUATIONS = (
    situation(900, 370, "relu", "normal"),
    situation(320, 1000, "linear", "normal"),
    situation(700, 430, "relu", "uniform"),
    situation(410, 760, "linear", "uniform"),
)


def with_size(std_of: Callable, reach: float = math.sqrt(3)) -> Callable:
    """A program that draws with the standard deviation `std_of(fan_in, fan_out, gain)`; uniform within `reach` of it.

    `gain` is 2 before a ReLU and 1 otherwise.
    """
    def program(weight, activation, distribution):
        fan_out, fan_in = weight.shape
        std = std_of(fan_in, fan_out, 2.0 if activation == "relu" else 1.0)
        return weight.normal_(0, std) if distribution == "normal" else weight.uniform_(-reach * std, reach * std)
    return program


def right_std(fan_in: int, fan_out: int, gain: float) -> float:
    return math.sqrt(gain / fan_in)


def sizes(mine: Trial, right: Trial) -> dict:
    """The standard deviations, and what the mean square is multiplied by in a layer and in twenty."""
    std, std_right = mine.result["std"], right.result["std"]
    factor = (std / std_right) ** 2
    return mine.facts | {"std": std, "std_right": std_right, "ratio": std / std_right, "factor": factor,
                         "after": factor**LAYERS}


ID = "wrong-init-scale"
WRONG = (
    Wrong(ID, "fan-out", with_size(lambda fan_in, fan_out, gain: math.sqrt(gain / fan_out)), sizes),
    Wrong(ID, "average", with_size(lambda fan_in, fan_out, gain: math.sqrt(2 * gain / (fan_in + fan_out))), sizes),
    Wrong(ID, "variance", with_size(lambda fan_in, fan_out, gain: gain / fan_in), sizes),
    Wrong(ID, "no-gain", with_size(lambda fan_in, fan_out, gain: math.sqrt(1 / fan_in)), sizes),
    Wrong(ID, "gain-everywhere", with_size(lambda fan_in, fan_out, gain: math.sqrt(2 / fan_in)), sizes),
    Wrong(ID, "gain-not-rooted", with_size(lambda fan_in, fan_out, gain: gain / math.sqrt(fan_in)), sizes),
    Wrong(ID, "bound-is-std", with_size(right_std, reach=1.0), sizes),
    Wrong(ID, "bound-too-wide", with_size(right_std, reach=math.sqrt(12)), sizes),
    Wrong(None, "always normal", lambda weight, activation, distribution: draw_(weight, activation, "normal"), sizes,
          "Your weights are not uniform: their standard deviation is {std}, and they reach out to {bound}.",
          "Draw a histogram of them."),
)


def unexplained(mine: Trial, right: Trial) -> str:
    told = sizes(mine, right)
    if mine.result["centred"] != "True":
        return f"With {mine.fixture.words}, the mean of your weights is {written(told['mean'])}; it is to be 0"
    if mine.result["shape"] != right.result["shape"]:
        return (f"With {mine.fixture.words}, your weights have a standard deviation of {written(told['std'])} and "
                f"reach out to {written(told['bound'])}: that is not the distribution asked for")
    return (f"With {mine.fixture.words}, your weights have a standard deviation of {written(told['std'])}, "
            f"{written(told['ratio'])} times the right one: a layer multiplies the mean square by "
            f"{written(told['factor'])}")


EXERCISE = Exercise(
    name="init-gain",
    title="Weights that keep the size of what passes",
    minutes=8,
    difficulty=2,
    lab="05_vanishing_exploding",
    task=TASK,
    signature="def draw_(weight, activation, distribution)",
    right=draw_,
    wrong=WRONG,
    fixtures=SITUATIONS,
    unexplained=unexplained,
    hints=(
        "Take one output: a sum of `fan_in` products of an input and a weight, all independent and of mean 0. What is "
        "its mean square, in terms of the inputs' mean square and the weights' variance? Set the ratio to 1, and to 2 "
        "where ReLU will halve it.",
        "The variance is `gain / fan_in` with a gain of 2 for ReLU and 1 without, and `fan_in` is `weight.shape[1]`. "
        "Its root is the standard deviation for `weight.normal_(0, std)`; `weight.uniform_(-a, a)` needs a = √3 · std.",
    ),
)
