"""A table of wrong uses, each with the words of its error: the caller's own value and what to do.

    python -m pytest tests/test_bad_input.py -s -k table        prints it
"""

import math

import pytest
import torch

from gradlab import (
    ClipByGlobalNorm,
    ClipByGroupNorm,
    ClipByValue,
    History,
    Recipe,
    check,
    claim,
    explore,
    plot,
    run,
    run_seeds,
    train,
)
from gradlab.data import NumberWords


def weight(*gradient):
    tensor = torch.zeros(len(gradient), requires_grad=True)
    tensor.grad = torch.tensor(gradient)
    return tensor


def used_up(iterator):
    list(iterator)
    return iterator


def sparse():
    embedding = torch.nn.Embedding(5, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    return embedding.parameters()


class Wild:
    def read(self):
        return {"max_norm": -3.0}


W = weight(3.0, 4.0)
LAYER = torch.nn.Linear(3, 2)
TABLE = {
    # recipes
    "a learning rate of zero": (lambda: Recipe(lr=0), ["lr must be above 0", "0.0"]),
    "a learning rate in quotes": (lambda: Recipe(lr="0.1"), ["lr must be a number", "'0.1'"]),
    "a negative threshold": (lambda: Recipe(max_norm=-1), ["max_norm must be above 0", "-1.0", "None means"]),
    "a threshold of zero": (lambda: Recipe(max_norm=0), ["max_norm must be above 0", "None means no clipping"]),
    "a threshold that is NaN": (lambda: Recipe(max_norm=math.nan), ["max_norm must be finite", "nan"]),
    "an infinite threshold": (lambda: Recipe(max_norm=math.inf), ["max_norm must be finite", "None means no clipping"]),
    "zero steps": (lambda: Recipe(steps=0), ["steps must be at least 1", "got 0"]),
    "half a step": (lambda: Recipe(steps=1.5), ["steps must be a whole number", "1.5"]),
    "an unknown optimizer": (lambda: Recipe(optimizer="adam"), ["optimizer must be one of", "'adamw'", "got 'adam'"]),
    "an unknown schedule": (lambda: Recipe(schedule="step"), ["schedule must be one of", "'cosine'"]),
    "an unknown precision": (lambda: Recipe(precision="fp8"), ["one of 'fp32', 'bf16', 'fp16'", "'fp8'"]),
    "heads that do not divide the width": (lambda: Recipe(n_heads=5), ["multiple of n_heads", "d_model=32, n_heads=5"]),
    "yes for True": (lambda: Recipe(residual="yes"), ["residual must be one of True, False", "'yes'"]),
    "a seed below zero": (lambda: Recipe(seed=-1), ["seed must be at least 0", "-1"]),
    "a field that does not exist": (lambda: Recipe().replace(learning_rate=1), ["no field 'learning_rate'", "lr"]),
    "a share string of something else": (lambda: Recipe.from_share("hello"), ["begins with 'g1'", "'hello'"]),
    "a share string with a wrong number": (lambda: Recipe.from_share("g1,lr=fast"), ["lr in a share string", "'fast'"]),
    "a share string with a field twice": (lambda: Recipe.from_share("g1,lr=1,lr=2"), ["lr stands twice", "lr=1,lr=2"]),
    "a model that fills the memory": (lambda: Recipe(n_layers=20_000), ["n_layers must be at most 256", "20000"]),
    "a number no float can hold": (lambda: Recipe(lr=10**400), ["lr must be a number that a float can hold"]),
    # runs
    "a run of a dictionary": (lambda: run({"lr": 1}), ["needs a Recipe", "{'lr': 1}"]),
    "a log line every zeroth step": (lambda: run(Recipe(), log_every=0), ["log_every", "at least 1", "0"]),
    "no seeds": (lambda: run_seeds(Recipe(), 0), ["at least 1 seed", "got 0"]),
    "controls gone wild": (lambda: next(train(Recipe(), Wild())), ["max_norm must be above 0", "-3.0"]),
    "an unknown column": (lambda: History().grad_norm, ["no 'grad_norm'", "norm_before"]),
    "the final loss of nothing": (lambda: History().final_loss, ["no final loss", "at least 1 step"]),
    "batches of nobody": (lambda: NumberWords(batch_size=0), ["at least 1", "batch_size=0"]),
    # clipping
    "clipping at a negative norm": (lambda: ClipByGlobalNorm(-1.0), ["must be above 0", "-1.0", "turn every gradient"]),
    "clipping at zero": (lambda: ClipByValue(0), ["must be above 0", "got 0", "erase every gradient"]),
    "clipping at NaN": (lambda: ClipByGroupNorm(math.nan), ["must be above 0", "nan"]),
    "clipping at None": (lambda: ClipByGlobalNorm(None), ["must be a number", "None", "inf"]),
    "an unknown policy": (lambda: ClipByGlobalNorm(1.0, "ignore"), ["raise, skip, torch", "'ignore'"]),
    "an exhausted generator": (lambda: ClipByGlobalNorm(1.0)(used_up(LAYER.parameters())),
                               ["0 parameters", "generator is used up", "model.parameters()"]),
    "an exhausted filter": (lambda: ClipByValue(1.0)(used_up(filter(None, [1]))), ["0 parameters", "filter is"]),
    "an empty list": (lambda: ClipByGlobalNorm(1.0)([]), ["0 parameters", "list you passed holds none"]),
    "a parameter listed twice": (lambda: ClipByGlobalNorm(1.0)([W, weight(1.0), W]), ["parameter 2", "parameter 0 ag"]),
    "a model instead of its parameters": (lambda: ClipByGlobalNorm(1.0)(LAYER), ["got a Linear", "model.parameters()"]),
    "names with the parameters": (lambda: ClipByGlobalNorm(1.0)(LAYER.named_parameters()), ["0 is a tuple"]),
    "a NaN gradient": (lambda: ClipByGlobalNorm(1.0)([W, weight(math.nan, 1.0)]),
                       ["1 of 2 gradients", "parameter 1, shape (2,)", "1 NaN", "nonfinite='skip'"]),
    "an infinite gradient": (lambda: ClipByGroupNorm(1.0)([weight(math.inf)]), ["1 infinite", "No clipping can"]),
    "a sparse gradient": (lambda: ClipByGlobalNorm(1.0)(sparse()), ["parameter 0, shape (5, 2), is sparse"]),
    "a group without parameters": (lambda: ClipByGlobalNorm(1.0)([{"param": [W]}]), ["key 'params'", "['param']"]),
    # panels
    "a panel of a string": (lambda: explore("g1,lr=1"), ["takes a Recipe first", "'g1,lr=1'"]),
    "a slider for nothing": (lambda: explore(Recipe(), "n_layer"), ["no field 'n_layer'", "did you mean 'n_layers'"]),
    "a range for a hidden slider": (lambda: explore(ranges={"steps": (1, 9)}), ["ranges['steps']", "no control"]),
    "a range that is upside down": (lambda: explore(ranges={"lr": (1.0, 0.1)}), ["lr", "0.1"]),
    "pinning a recipe": (lambda: explore(pinned={"a": Recipe()}), ["Histories", "run(recipe)"]),
    "no time at all": (lambda: explore(max_seconds=0), ["max_seconds must be above 0", "0"]),
    "a floor below zero": (lambda: explore(floor=-1), ["floor", "-1"]),
    # what a notebook states
    "a number that is wrong": (lambda: check("loss", 1.5, 1.0), ["loss", "got 1.5", "1"]),
    "a number that is NaN": (lambda: check("loss", math.nan, 1.0), ["loss: got NaN"]),
    "a claim that is false": (lambda: claim("it fell", False, "3.1 after 3.0"), ["it fell", "3.1 after 3.0"]),
    "a figure of nothing": (lambda: plot.norm_histogram([]), ["finite and above 0"]),
}


@pytest.mark.parametrize("wrong, words", TABLE.values(), ids=TABLE)
def test_a_wrong_use_is_told_in_words(wrong, words):
    with pytest.raises((ValueError, TypeError, AttributeError, AssertionError, FloatingPointError)) as caught:
        wrong()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_the_table():
    for name, (wrong, _) in TABLE.items():
        try:
            wrong()
        except Exception as error:
            print(f"{name:38} {type(error).__name__}: {error}")
        else:
            pytest.fail(f"{name}: no error")
    assert len(TABLE) >= 25
