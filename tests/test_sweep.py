"""A sweep runs every combination, and sensitivity to the learning rate is what its definition says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab import Recipe, RecipeError, run
from gradlab.plot import Picture
from gradlab.plot_schedule import against_limit, learning_rates
from gradlab.plot_sweep import loss_against_lr, loss_map
from gradlab.sweep import Sweep, lr_sensitivity, sensitivities, sweep

small = Recipe(steps=2, n_layers=1, d_model=8, batch_size=2)
finite = st.floats(-5, 5)


@pytest.fixture(scope="module")
def swept():
    return sweep(small, seeds=(3, 5), lr=(0.1, 0.3), warmup_steps=(0, 1, 2))


def made(losses, initial=3.5, **axes):
    losses = np.array(losses, dtype=float)
    return Sweep(axes, losses, np.full(losses.shape, initial))


def test_each_number_is_that_of_its_own_run(swept):
    assert swept.losses.shape == swept.initial.shape == (2, 3, 2)
    alone = run(small.replace(seed=5, lr=0.3, warmup_steps=1))
    assert swept.at(lr=0.3, warmup_steps=1)[1] == swept.losses[1, 1, 1] == alone.final_loss
    assert swept.initial[1, 1, 1] == alone.loss[0]
    assert "2 values of lr, 3 values of warmup_steps, 2 seeds" in repr(swept)


def test_an_axis_that_is_left_out_is_kept_whole(swept):
    assert np.array_equal(swept.at(lr=0.1), swept.losses[0])
    assert swept.medians.shape == (2, 3) and swept.medians[0, 0] == np.median(swept.losses[0, 0])


@pytest.mark.parametrize("settings, said", [({"lr": 0.2}, "lr=0.2 was not swept; it took 0.1, 0.3"),
                                            ({"norm": "pre"}, "norm was not swept; the axes are lr, warmup_steps")])
def test_what_was_not_swept_is_named(swept, settings, said):
    with pytest.raises(ValueError, match=said):
        swept.at(**settings)


def test_a_run_that_diverged_is_infinite_in_losses_and_median():
    lost = made([[[math.inf, math.inf], [1.0, math.inf]]], lr=(0.1,), warmup_steps=(0, 1))
    assert lost.medians.tolist() == [[math.inf, math.inf]]


@pytest.mark.parametrize("axes, error, said", [
    ({}, ValueError, "at least one axis"), ({"lr": ()}, ValueError, "lr has no values"),
    ({"lr": 0.1}, ValueError, "several values"), ({"norm": "pre"}, ValueError, "write norm="),
    ({"lr": (0.1, -1)}, RecipeError, "lr must be above 0"), ({"rate": (1,)}, RecipeError, "no field 'rate'"),
    ({"seed": (1, 2)}, RecipeError, "seed is no axis"),
])
def test_bad_axes_are_refused_before_any_run(axes, error, said, monkeypatch):
    monkeypatch.setattr("gradlab.sweep.run_seeds", lambda *_: pytest.fail("it ran"))
    with pytest.raises(error, match=said):
        sweep(small, seeds=1, **axes)


def test_sensitivity_by_hand():
    # Of 0.5, 1.0 and a run that was lost, capped at 3.5: (0.5 + 1 + 3.5) / 3 - 0.5.
    assert lr_sensitivity([0.5, 1.0, math.inf], 3.5) == pytest.approx(5 / 3 - 0.5)
    assert lr_sensitivity([0.5, 1.0, math.nan], 3.5) == lr_sensitivity([0.5, 1.0, 80.0], 3.5)
    assert lr_sensitivity([2.0], 3.5) == 0


@given(st.lists(finite, min_size=1, max_size=8), finite)
def test_sensitivity_lies_between_zero_and_the_gap(losses, initial):
    told = lr_sensitivity(losses, initial)
    assert -1e-12 <= told <= initial - min(*losses, initial) + 1e-12
    assert told == pytest.approx(lr_sensitivity(losses[::-1], initial))


@given(st.lists(finite, min_size=1, max_size=8), finite, finite)
def test_sensitivity_does_not_know_the_zero_of_the_loss(losses, initial, shift):
    moved = lr_sensitivity([loss + shift for loss in losses], initial + shift)
    assert moved == pytest.approx(lr_sensitivity(losses, initial), abs=1e-9)


@pytest.mark.parametrize("losses, initial, said", [([], 3.5, "for each rate"), ([[1.0]], 3.5, "one after another"),
                                                   ([1.0], math.nan, "got nan"), ([1.0], math.inf, "got inf"),
                                                   ([1.0], True, "got True")])
def test_what_is_no_loss_is_refused(losses, initial, said):
    with pytest.raises(ValueError, match=said):
        lr_sensitivity(losses, initial)


def test_sensitivities_go_over_the_other_axis_and_the_seeds(swept):
    told = sensitivities(swept)
    assert told.shape == (3, 2)
    assert told[2, 1] == lr_sensitivity(swept.losses[:, 2, 1], swept.initial[0, 2, 1])
    turned = Sweep({"warmup_steps": (0, 1, 2), "lr": (0.1, 0.3)}, swept.losses.transpose(1, 0, 2),
                   swept.initial.transpose(1, 0, 2))
    assert np.array_equal(sensitivities(turned), told)
    with pytest.raises(ValueError, match="over lr, and this one is over norm"):
        sensitivities(made([[1.0]], norm=("pre",)))


class TestCharts:
    lost = made([[[0.4, 0.5], [math.inf, math.inf]], [[math.inf, 2.5], [0.3, 0.3]]], lr=(0.1, 1.0),
                warmup_steps=(0, 30))

    @pytest.mark.parametrize("draw", [loss_map, loss_against_lr])
    def test_a_chart_of_a_sweep_has_words_and_stays_the_same(self, draw):
        picture = draw(self.lost)
        assert isinstance(picture, Picture) and "warmup_steps" in repr(picture)
        assert picture.png() == draw(self.lost).png()

    def test_the_map_says_what_was_lost(self):
        words = [text.get_text() for text in loss_map(self.lost).axes[0].texts]
        assert words == ["0.45", "lost\n✕ 2 of 2", "lost\n✕ 2 of 2", "0.30"]

    def test_the_legend_tells_the_sensitivity(self):
        words = [text.get_text() for text in loss_against_lr(self.lost).axes[0].get_legend().get_texts()]
        assert words == ["0 updates of warmup: sensitivity 1.27", "30 updates of warmup: sensitivity 1.60"]

    @pytest.mark.parametrize("draw", [loss_map, loss_against_lr])
    def test_a_sweep_over_one_setting_is_refused(self, draw):
        with pytest.raises(ValueError, match="this one is over lr"):
            draw(made([[1.0], [2.0]], lr=(0.1, 0.3)))

    def test_learning_rates_are_drawn_beyond_the_end(self):
        picture = learning_rates({"cosine": small.replace(schedule="cosine")}, beyond=3)
        assert [len(line.get_xdata()) for line in picture.axes[0].lines] == [5, 2]
        with pytest.raises(ValueError, match="at least 1 recipe"):
            learning_rates({})

    def test_a_limit_is_a_line_of_its_arm(self):
        arms = {"a": [([0, 1], [2.0, 3.0]), ([0, 1], [2.5, 3.5])], "b": [([0], [1.0])]}
        picture = against_limit(arms, {"a": 5.0, "b": ([0, 1], [4.0, 2.0])}, top=10, logarithmic=True)
        assert "sharpness against update for a, b" in repr(picture) and picture.png()
        with pytest.raises(ValueError, match="limit for 'c'"):
            against_limit(arms, {"c": 1.0})
