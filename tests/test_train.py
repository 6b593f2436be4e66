"""Laws of the training loop."""

import itertools
import math

import numpy as np
import pytest
import torch

from gradlab import History, Recipe, RecipeError, train
from gradlab.data import NumberWords
from gradlab.model import cross_entropy
from gradlab.train import DATA_STREAM, MOMENTUM, make_model, shares

SMALL = Recipe(steps=12, n_layers=1, d_model=16, n_heads=2, batch_size=4)


class Knobs:
    """Controls whose values follow a script: {update number: changes}."""

    def __init__(self, script):
        self.script, self.reads, self.values = script, 0, {}

    def read(self):
        self.values = {**self.values, **self.script.get(self.reads, {})}
        self.reads += 1
        return self.values


def columns(history):
    return np.array([step._replace(seconds=0.0) for step in history])


@pytest.mark.parametrize("changes", [{}, {"optimizer": "adamw", "lr": 0.01}, {"clip": "value", "max_norm": 0.05},
                                     {"clip": "per_group"}, {"accumulation_steps": 3}, {"warmup_steps": 5},
                                     {"precision": "bf16"}, {"loss_scaling": "dynamic", "growth_interval": 3}])
def test_the_same_recipe_gives_the_same_numbers_to_the_bit(changes):
    recipe = SMALL.replace(**changes)
    torch.manual_seed(1)
    first = columns(train(recipe))
    torch.manual_seed(2)
    torch.rand(10)
    assert np.array_equal(first, columns(train(recipe)))
    assert not np.array_equal(first, columns(train(recipe.replace(seed=1))))


def test_runs_side_by_side_do_not_disturb_each_other():
    alone = columns(train(SMALL))
    woven = [pair[0] for pair in zip(train(SMALL), train(SMALL.replace(seed=9)), strict=True)]
    assert np.array_equal(alone, columns(woven))


@pytest.mark.parametrize("optimizer, lr, max_norm", [("sgd", 0.3, 0.5), ("sgd", 0.3, None), ("adamw", 0.01, 0.5)])
def test_a_run_is_what_a_loop_written_with_torch_alone_does(optimizer, lr, max_norm):
    recipe = SMALL.replace(optimizer=optimizer, lr=lr, max_norm=max_norm)
    model, data = make_model(recipe), NumberWords(recipe.seed ^ DATA_STREAM, recipe.digits, recipe.batch_size)
    stepper = (torch.optim.SGD(model.parameters(), lr=lr, momentum=MOMENTUM) if optimizer == "sgd"
               else torch.optim.AdamW(model.parameters(), lr=lr))
    for step in train(recipe):
        batch = next(data)
        loss = cross_entropy(model(batch.inputs), batch.targets)
        stepper.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm or math.inf)
        stepper.step()
        assert step.loss == pytest.approx(loss.item(), rel=1e-4)
        assert step.norm_before == pytest.approx(norm.item(), rel=1e-3)
        assert step.param_norm == pytest.approx(
            torch.nn.utils.parameters_to_vector(model.parameters()).norm().item(), rel=1e-4)
        assert step.tokens == batch.mask.sum()


def test_the_columns_agree_with_each_other():
    history = History(train(SMALL.replace(max_norm=0.7, lr=1.0)))
    assert history.step.tolist() == list(range(12))
    assert (history.norm_after <= 0.7 * (1 + 1e-9)).all() and history.clipped.any() and not history.clipped.all()
    np.testing.assert_allclose(history.norm_after, history.coefficient * history.norm_before)
    assert (history.clipped == (history.norm_before > 0.7)).all()
    assert (history.seconds > 0).all() and (history.tokens > 0).all() and (history.max_norm == 0.7).all()


def test_the_first_plain_step_moves_by_rate_times_clipped_norm():
    first = next(train(SMALL.replace(lr=0.2, max_norm=0.5)))
    model = make_model(SMALL)
    norm = torch.nn.utils.parameters_to_vector(model.parameters()).norm().item()
    assert first.update_ratio == pytest.approx(0.2 * first.norm_after / norm, rel=1e-5)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
def test_no_update_is_lost_to_a_rate_of_zero(schedule):
    history = History(train(SMALL.replace(warmup_steps=4, schedule=schedule)))
    assert (history.lr > 0).all() and (history.update_ratio > 0).all()
    assert history.lr[:4] == pytest.approx(0.3 * np.arange(1, 5) / 4)


def test_accumulated_micro_batches_are_one_large_batch_whatever_their_lengths():
    def first(recipe):
        return next(train(recipe))
    small = first(SMALL.replace(batch_size=3, accumulation_steps=4, max_norm=None))
    large = first(SMALL.replace(batch_size=12, max_norm=None))
    assert small.tokens == large.tokens
    assert small == pytest.approx(large._replace(seconds=small.seconds), rel=1e-4)


@pytest.mark.parametrize("averaging, factor", [("tokens", 1.0), ("micro_batches", 1.0), ("sum", 4.0)])
def test_only_a_sum_is_as_many_times_longer_as_there_are_micro_batches(averaging, factor):
    averaged = SMALL.replace(batch_size=3, accumulation_steps=4, max_norm=None)
    right, other = (next(train(recipe)) for recipe in (averaged, averaged.replace(averaging=averaging)))
    assert other.loss == right.loss  # it is told per target, whatever the gradients are
    assert other.norm_before == pytest.approx(factor * right.norm_before, rel=0.1)
    assert (other.norm_before == right.norm_before) == (averaging == "tokens")


def test_shares_add_up_to_one_and_a_sum_to_the_number_of_micro_batches():
    assert shares("tokens", [10, 100]) == [10 / 110, 100 / 110]
    assert shares("micro_batches", [10, 100]) == [0.5, 0.5]
    assert shares("sum", [10, 100]) == [1.0, 1.0]
    with pytest.raises(ValueError, match="'mean'"):
        shares("mean", [10])


def test_the_loss_falls_and_the_default_recipe_trains_well():
    history = History(train(Recipe()))
    assert history.loss[0] == pytest.approx(math.log(29), abs=0.4)
    assert history.final_loss < 0.45 and not history.diverged


def test_a_run_that_diverges_ends_cleanly_at_the_first_bad_number():
    history = History(train(Recipe(lr=50.0, max_norm=None, seed=0, n_layers=1, norm="none")))
    assert history.diverged and len(history) < 150
    assert history.first_nonfinite_step == history[-1].step == len(history) - 1
    assert np.isfinite(history.loss[:-1]).all() and np.isfinite(history.norm_before[:-1]).all()
    assert not math.isfinite(history.norm_before[-1]) and history.update_ratio[-1] == 0, "the bad update is not made"
    assert history.param_norm[-1] == history.param_norm[-2]


def test_sliders_reach_the_very_next_update():
    knobs = Knobs({3: {"lr": 0.01}, 5: {"max_norm": 0.1}, 7: {"max_norm": None}, 8: {"batch_size": 9},
                   9: {"accumulation_steps": 2}, 10: {"clip": "value", "max_norm": 1e-3}})
    history = History(train(SMALL, knobs))
    assert history.lr.tolist() == [0.3] * 3 + [0.01] * 9
    assert history.max_norm.tolist() == [1.0] * 5 + [0.1] * 2 + [math.inf] * 3 + [1e-3] * 2
    assert history.norm_after[5:7] == pytest.approx([0.1, 0.1])
    assert history.tokens[8] > 1.5 * history.tokens[7] and history.tokens[9] > 1.5 * history.tokens[8]
    assert history.coefficient[10] < 1 and history.norm_after[10] != pytest.approx(1e-3)
    assert knobs.reads == 12


def test_controls_that_say_nothing_change_nothing():
    assert np.array_equal(columns(train(SMALL)), columns(train(SMALL, Knobs({}))))


def test_a_wrong_control_is_refused_by_name():
    with pytest.raises(RecipeError, match="lr must be above 0, got -1"):
        list(train(SMALL, Knobs({2: {"lr": -1}})))


def test_a_field_that_cannot_change_in_mid_run_is_refused():
    with pytest.raises(RecipeError, match="d_model.*lr, max_norm"):
        list(train(SMALL, Knobs({2: {"d_model": 64}})))


def test_nothing_happens_before_the_first_step_and_one_may_stop_anywhere():
    steps = train(Recipe(steps=10**9))
    assert [step.step for step in itertools.islice(steps, 3)] == [0, 1, 2]
    steps.close()


def test_without_gradients_there_is_a_clear_error():
    with torch.no_grad(), pytest.raises(RuntimeError, match="no_grad"):
        next(train(SMALL))
