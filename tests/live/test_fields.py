"""Laws of the controls: which values a slider offers, and the words for settings."""

import pytest

from gradlab import Recipe
from gradlab.live import words
from gradlab.live.fields import FIELDS, control

SLIDERS = [field for field in FIELDS if Recipe.allowed(field) is None]


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_a_control_with_words(field):
    made = control(Recipe(), field)
    assert made["kind"] in ("slider", "select", "check")
    assert made["label"] and made["live"] == (field in Recipe.LIVE)


@pytest.mark.parametrize("field", SLIDERS)
def test_a_slider_ascends_through_values_that_recipes_take(field):
    recipe = Recipe(d_model=48, n_heads=1) if field == "n_heads" else Recipe()
    ticks = control(recipe, field)["ticks"]
    assert ticks == sorted(set(ticks)) and len(ticks) > 1
    good = [tick for tick in ticks if field not in ("n_heads", "d_model") or 48 % tick == 0]
    for tick in good:
        if field in ("n_heads", "d_model"):
            recipe.replace(d_model=48, n_heads=1).replace(**{field: tick})
        else:
            recipe.replace(**{field: tick})


@pytest.mark.parametrize("lr", [1e-7, 0.3, 500.0])
def test_the_recipes_own_value_is_within_reach(lr):
    ticks = control(Recipe(lr=lr), "lr")["ticks"]
    assert ticks[0] <= lr <= ticks[-1]


def test_an_arrow_key_changes_a_rate_by_about_a_tenth():
    ticks = control(Recipe(), "lr")["ticks"]
    assert all(1.05 < after / before < 1.2 for before, after in zip(ticks, ticks[1:], strict=False))


def test_a_range_is_kept_to_the_letter():
    ticks = control(Recipe(), "lr", (0.0017, 4.3))["ticks"]
    assert (ticks[0], ticks[-1]) == (0.0017, 4.3)
    assert control(Recipe(), "n_layers", (2, 5))["ticks"] == [2, 3, 4, 5]


@pytest.mark.parametrize("field, span", [
    ("lr", (0, 1)), ("lr", (1, 0.1)), ("lr", (0.1,)), ("lr", 3), ("lr", ("a", "b")), ("lr", (0.1, float("inf"))),
    ("n_layers", (-1, 3))])
def test_an_impossible_range_is_refused_with_its_values(field, span):
    with pytest.raises(ValueError, match=field) as refused:
        control(Recipe(), field, span)
    assert repr(span) in str(refused.value)


def test_a_choice_has_no_range():
    with pytest.raises(TypeError, match="norm is chosen from"):
        control(Recipe(), "norm", (0, 1))


def test_labels_say_what_differs():
    base = Recipe(lr=1.0)
    assert words.label(base, base) == "lr 1, clip 1"
    assert words.label(base.replace(max_norm=None, norm="post"), base) == "lr 1, no clip, post"
    assert words.label(base.replace(n_layers=8, qk_norm=True), base) == "lr 1, clip 1, layers 8, query-key norm on"
    assert words.label(base.replace(lr=0.3), base, {"lr"}) == "lr 0.3*, clip 1"


def test_the_text_form_is_constant():
    assert words.plain(Recipe(lr=1.0)) == "gradlab panel: SGD, lr 1, max_norm 1 (run this cell to steer it)"
    assert words.plain(Recipe(optimizer="adamw", lr=1e-3, max_norm=None)) == \
        "gradlab panel: AdamW, lr 0.001, no clipping (run this cell to steer it)"
