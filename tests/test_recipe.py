"""Laws of the recipe."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab import Recipe, RecipeError

numbers = st.floats(1e-8, 1e8)
recipes = st.builds(
    Recipe, seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 10**6), batch_size=st.integers(1, 512),
    digits=st.integers(1, 50), optimizer=st.sampled_from(Recipe.allowed("optimizer")), lr=numbers,
    warmup_steps=st.integers(0, 1000), warmup_init_lr=st.floats(0, 1),
    schedule=st.sampled_from(Recipe.allowed("schedule")), clip=st.sampled_from(Recipe.allowed("clip")),
    max_norm=st.none() | numbers, accumulation_steps=st.integers(1, 64),
    averaging=st.sampled_from(Recipe.allowed("averaging")), precision=st.sampled_from(Recipe.allowed("precision")),
    loss_scaling=st.sampled_from(Recipe.allowed("loss_scaling")), loss_scale=numbers, loss_weight=numbers,
    growth_interval=st.integers(1, 2**31 - 1), unscale=st.booleans(),
    d_model=st.sampled_from([8, 16, 64]), n_layers=st.integers(1, 48), n_heads=st.sampled_from([1, 2, 8]),
    norm=st.sampled_from(Recipe.allowed("norm")), activation=st.sampled_from(Recipe.allowed("activation")),
    init=st.sampled_from(Recipe.allowed("init")), residual=st.booleans(), qk_norm=st.booleans())


@given(recipes)
def test_a_recipe_survives_its_share_string(recipe):
    assert Recipe.from_share(recipe.share()) == recipe
    assert Recipe.from_share("  " + recipe.share() + "\n") == recipe


@given(recipes)
def test_equal_recipes_are_interchangeable(recipe):
    twin = dataclasses.replace(recipe)
    assert twin == recipe and hash(twin) == hash(recipe) and twin.share() == recipe.share()


def test_the_share_string_is_short_and_readable():
    assert Recipe().share() == "g1"
    assert Recipe(lr=1, max_norm=None, residual=False).share() == "g1,lr=1.0,max_norm=none,residual=false"


def test_one_is_one_however_it_is_written():
    assert Recipe(lr=1) == Recipe(lr=1.0) == Recipe(lr=np.float32(1)) and type(Recipe(lr=1).lr) is float
    assert Recipe(steps=np.int64(7)) == Recipe(steps=7) and type(Recipe(steps=np.int64(7)).steps) is int


def test_a_recipe_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().lr = 2.0


def test_replace_changes_what_is_named_and_nothing_else():
    changed = Recipe(lr=0.5).replace(max_norm=None)
    assert changed == Recipe(lr=0.5, max_norm=None)
    assert changed.differences() == {"lr": 0.5, "max_norm": None}


def test_live_fields_are_fields():
    assert set(Recipe.LIVE) <= {field.name for field in dataclasses.fields(Recipe)}


def test_every_field_is_documented():
    import ast
    import inspect

    body = ast.parse(inspect.getsource(Recipe)).body[0].body
    for statement, following in zip(body, body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign):
            assert isinstance(following, ast.Expr) and isinstance(following.value.value, str), ast.unparse(statement)


def test_the_rate_follows_the_recipe():
    recipe = Recipe(lr=1.0, steps=100, warmup_steps=10, schedule="linear")
    assert recipe.lr_at(0) == pytest.approx(0.1) and recipe.lr_at(10) == 1 and recipe.lr_at(55) == pytest.approx(0.5)


WRONG = {
    "lr": [0, -0.1, math.nan, math.inf, "0.1", None, True], "max_norm": [0, -1.0, math.nan, math.inf, "off", False],
    "steps": [0, -5, 1.5, None, True], "seed": [-1, 2**32, 0.5], "batch_size": [0, 2.0], "digits": [0],
    "optimizer": ["adam", None, 1], "schedule": ["step"], "warmup_steps": [-1], "warmup_init_lr": [-0.1, math.inf],
    "clip": ["norm", None], "accumulation_steps": [0], "precision": ["fp8"], "averaging": ["mean"],
    "loss_scaling": [True], "loss_scale": [0, -1, math.inf, 2.0**127], "growth_interval": [0, 2**31],
    "loss_weight": [0], "unscale": [1, None], "d_model": [0], "n_layers": [0],
    "n_heads": [0, 5], "norm": [None, "middle"], "activation": ["swish"], "init": ["kaiming"], "residual": [1, "yes"],
    "qk_norm": [0, None],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_with_field_value_and_what_is_allowed(name, value):
    with pytest.raises(RecipeError) as caught:
        Recipe(**{name: value})
    message = str(caught.value)
    assert name in message
    assert repr(value) in message or f"{name}={value}" in message
    allowed = Recipe.allowed(name)
    assert any(word in message for word in ("must be above", "must be at", "must be a ", "must be finite")) or all(
        repr(choice) in message for choice in allowed or ["?"])


@pytest.mark.parametrize("text, why", [
    ("", "begins with 'g1'"), ("g0,lr=1", "begins with 'g1'"), ("g1,lr", "field=value"), ("g1,speed=3", "speed=3"),
    ("g1,lr=fast", "lr in a share string"), ("g1,lr=-1", "above 0"), ("g1,steps=1.5", "steps"), (None, "None"),
    ("g1,residual=maybe", "residual")])
def test_a_wrong_share_string_is_refused_in_words(text, why):
    with pytest.raises(RecipeError, match=why):
        Recipe.from_share(text)


def test_an_unknown_field_is_refused_with_the_known_ones():
    with pytest.raises(RecipeError, match="'learning_rate'.*lr"):
        Recipe().replace(learning_rate=1.0)
