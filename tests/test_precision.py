"""Laws of mixed precision and loss scaling."""

import numpy as np
import pytest
import torch

from gradlab import History, Recipe, train
from gradlab.data import NumberWords
from gradlab.model import cross_entropy
from gradlab.train import DATA_STREAM, MOMENTUM, make_model

SMALL = Recipe(steps=12, n_layers=1, d_model=16, n_heads=2, batch_size=4)
SCALED = SMALL.replace(loss_scaling="dynamic")
OPTIMIZERS = [{"optimizer": "sgd", "lr": 0.3}, {"optimizer": "adamw", "lr": 0.01}]


def same(one, other, rtol=1e-5):
    for name in ("loss", "norm_before", "norm_after", "param_norm", "update_ratio"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, err_msg=name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss_scaling", ["static", "dynamic"])
def test_a_scale_that_is_a_power_of_two_changes_no_run_in_float32(loss_scaling, optimizer):
    plain = History(train(SMALL.replace(**optimizer)))
    scaled = History(train(SMALL.replace(loss_scaling=loss_scaling, **optimizer)))
    same(plain, scaled)
    assert (plain.loss_scale == 1).all() and (scaled.loss_scale == 65536).all() and not scaled.skipped.any()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_smaller_dtype_computes_another_loss_and_keeps_the_weights_in_float32(precision):
    plain, small = (next(train(SMALL.replace(precision=p, max_norm=None))) for p in ("fp32", precision))
    assert small.loss != plain.loss and small.loss == pytest.approx(plain.loss, rel=0.02)
    assert small.norm_before == pytest.approx(plain.norm_before, rel=0.05)


def test_gradients_that_underflow_leave_the_weights_alone_and_a_scale_saves_them():
    faint = SMALL.replace(loss_weight=1e-9, lr=3e8, max_norm=None)
    lost, saved = (History(train(faint.replace(precision="fp16", loss_scale=2.0**32, loss_scaling=scaling)))
                   for scaling in ("none", "static"))
    assert (lost.norm_before < 1e-3 * saved.norm_before).all() and lost.update_ratio.max() < saved.update_ratio.min()
    same(saved, History(train(faint)), rtol=0.05)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_overflow_costs_one_update_and_halves_the_scale(optimizer):
    high = SCALED.replace(precision="fp16", loss_scale=2.0**40, growth_interval=3, steps=60, **optimizer)
    history = History(train(high))
    assert not history.diverged and history.skipped[0] and not history.skipped.all()
    assert (history.update_ratio[history.skipped] == 0).all() and (history.update_ratio[~history.skipped] > 0).all()
    before, after = history.loss_scale[:-1], history.loss_scale[1:]
    assert (after[history.skipped[:-1]] == before[history.skipped[:-1]] / 2).all()
    assert (after[~history.skipped[:-1]] >= before[~history.skipped[:-1]]).all()
    assert (after > before).any()  # it grows again after 3 good updates


def test_a_static_scale_that_overflows_never_trains_and_never_diverges():
    history = History(train(SMALL.replace(precision="fp16", loss_scaling="static", loss_scale=2.0**60)))
    assert len(history) == 12 and history.skipped.all() and (history.loss_scale == 2.0**60).all()
    assert history.param_norm.min() == history.param_norm.max()


def test_without_a_scaler_an_overflow_ends_the_run():
    history = History(train(SMALL.replace(precision="fp16", loss_weight=2.0**60)))
    assert history.diverged and not history.skipped.any() and len(history) == 1


def test_a_clip_before_unscaling_has_the_threshold_divided_by_the_scale():
    late = History(train(SCALED.replace(unscale=False, max_norm=1.0)))
    true_threshold = History(train(SMALL.replace(max_norm=1.0 / 65536)))
    assert late.clipped.all() and (late.norm_before > 1000).all()
    np.testing.assert_allclose(late.param_norm, true_threshold.param_norm, rtol=1e-6)
    np.testing.assert_allclose(late.update_ratio, true_threshold.update_ratio, rtol=0.02)


def test_a_static_scale_can_be_steered_and_acts_at_once():
    class Slider:
        reads = 0

        def read(self):
            self.reads += 1
            return {"loss_scale": 8.0 if self.reads <= 3 else 1024.0}

    history = History(train(SMALL.replace(loss_scaling="static"), Slider()))
    assert history.loss_scale.tolist() == [8.0] * 3 + [1024.0] * 9
    same(history, History(train(SMALL)))


def test_a_scaled_run_is_what_a_loop_written_with_torch_alone_does():
    recipe = SCALED.replace(precision="bf16", max_norm=0.5)
    model, data = make_model(recipe), NumberWords(recipe.seed ^ DATA_STREAM, recipe.digits, recipe.batch_size)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=MOMENTUM)
    scaler = torch.amp.GradScaler("cpu")
    for step in train(recipe):
        batch = next(data)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = cross_entropy(model(batch.inputs), batch.targets)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        scaler.step(optimizer)
        scaler.update()
        assert step.loss == pytest.approx(loss.item(), rel=1e-3)
        assert step.param_norm == pytest.approx(
            torch.nn.utils.parameters_to_vector(model.parameters()).norm().item(), rel=1e-4)


def test_momentum_begins_with_nothing_after_a_first_update_that_was_skipped():
    high = SCALED.replace(precision="fp16", loss_scale=2.0**40, steps=40)
    history = History(train(high))
    first = int(np.flatnonzero(~history.skipped)[0])
    lengths = history.update_ratio[first] * history.param_norm[first - 1]
    assert first > 0 and lengths == pytest.approx(high.lr * history.norm_after[first], rel=1e-3)
