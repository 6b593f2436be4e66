"""Whatever cannot be meant is refused, with the caller's value and what is allowed."""

import math

import pytest

from gradlab import depth

NUMBERS = [0, -1, 2.5, True, math.nan, math.inf, "7", None]


@pytest.mark.parametrize("bad", NUMBERS)
@pytest.mark.parametrize(("make", "name"), [
    (depth.PlainNet, "depth"), (depth.ResidualStack, "blocks"), (depth.recurrent_profile, "steps"),
    (lambda n: depth.plain_profile(width=n), "width"), (lambda n: depth.descend(updates=n), "updates")])
def test_a_number_of_things_is_a_whole_number_above_zero(make, name, bad):
    with pytest.raises((TypeError, ValueError), match=f"{name} must"):
        make(bad)


@pytest.mark.parametrize("bad", [0, -1.0, True, math.nan, math.inf, "7"])
@pytest.mark.parametrize(("make", "name"), [
    (lambda v: depth.recurrent_profile(gain=v), "gain"), (lambda v: depth.descend(lr=v), "lr"),
    (lambda v: depth.descend(max_norm=v), "max_norm"), (lambda v: depth.transformer_profile(embedding=v), "embedding")])
def test_a_size_is_finite_and_above_zero(make, name, bad):
    with pytest.raises((TypeError, ValueError), match=f"{name} must"):
        make(bad)


@pytest.mark.parametrize("bad", ["", "He", None, 1, True, ["he"]])
@pytest.mark.parametrize(("make", "name"), [
    (lambda v: depth.plain_profile(init=v), "init"), (lambda v: depth.plain_profile(activation=v), "activation"),
    (lambda v: depth.plain_profile(norm=v), "norm"), (lambda v: depth.residual_profile(5, v), "branch"),
    (lambda v: depth.recurrent_profile(activation=v), "activation")])
def test_a_word_is_one_of_those_that_are_listed(make, name, bad):
    with pytest.raises(ValueError, match=rf"{name} must be one of '.*, got "):
        make(bad)


@pytest.mark.parametrize("bad", [1, "yes", None])
def test_residual_is_true_or_false(bad):
    with pytest.raises(ValueError, match="residual must be one of True, False"):
        depth.PlainNet(2, residual=bad)


@pytest.mark.parametrize("bad", [-1, 1.5, 2**32, True, "0"])
def test_a_seed_is_a_whole_number_that_torch_tells_apart(bad):
    for measure in (depth.plain_profile, depth.residual_profile, depth.recurrent_profile):
        with pytest.raises((TypeError, ValueError), match="seed must"):
            measure(seed=bad)


def test_the_transformers_errors_are_those_of_its_recipe():
    for change in ({"depth": 0}, {"norm": "batch"}, {"width": 30}, {"seed": -1}):
        with pytest.raises(ValueError, match="n_layers|norm must be|d_model|seed"):
            depth.transformer_profile(**change)
