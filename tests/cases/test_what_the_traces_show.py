"""Each case's trace shows what its brief says, and its verdict is true of it; over three seeds where luck has a say."""

import dataclasses
import itertools

import numpy as np
import torch

from gradlab import Recipe, cases, run
from gradlab.cases import log
from gradlab.model import cross_entropy


def begun(name, steps):
    """The beginning of a case's runs, where it shows the same."""
    case = cases.get(name)
    return dataclasses.replace(case, recipe=case.recipe.replace(steps=steps))


def exploded(history):
    return history.diverged or history.loss[-1] > 5


def same(one, other):
    """Whether two runs agree to the last bit in what they logged and in the weights."""
    return np.array_equal(one.loss, other.loss, equal_nan=True) and torch.equal(one.weights.nan_to_num(),
                                                                                other.weights.nan_to_num())


class TestClippingWasOn:
    case = cases.get("clipping-was-on")

    def test_runs_explode_and_the_mended_ones_do_not(self):
        assert sum(map(exploded, self.case.histories())) >= 2
        assert not any(map(exploded, self.case.histories(mended=True)))

    def test_the_limit_changes_nothing_at_all(self):
        assert all(map(same, self.case.histories(), self.case.histories(max_norm=0.01)))

    def test_it_is_the_run_without_clipping(self):
        for history in self.case.histories():
            plain = run(Recipe(lr=1.0, max_norm=None, seed=history.seed, steps=len(history)))
            assert np.array_equal(plain.loss, history.loss, equal_nan=True)

    def test_the_log_shows_norms_above_the_limit_long_before_the_end(self):
        assert all((history.norm > 1).sum() > 5 for history in self.case.histories())


class TestFrozen:
    case = begun("frozen", 15)

    def test_each_alone_learns_and_both_together_do_not(self):
        alone = [*self.case.histories(scaling=False), *self.case.histories(max_norm=float("inf"))]
        assert all(history.loss[-1] < 2 for history in alone)
        assert all(abs(history.final_loss - history.loss[0]) < 0.1 for history in self.case.histories())
        assert all(history.loss[-1] < 2 for history in self.case.histories(mended=True))

    def test_every_update_is_clipped_and_moves_nothing(self):
        for history in self.case.histories():
            assert (history.norm > 10_000).all()
            assert (history.moved > 0).all() and (history.moved < 1e-4).all()

    def test_scaling_by_a_power_of_two_changes_no_bit_while_nothing_is_clipped(self):
        scaled = self.case.histories(max_norm=float("inf"))[0]
        recipe = self.case.recipe.replace(seed=scaled.seed)
        assert same(scaled, log.run(self.case.program, recipe, max_norm=float("inf"), scaling=False))

    def test_mended_it_is_the_run_with_clipping_alone(self):
        assert all(map(same, self.case.histories(mended=True), self.case.histories(scaling=False)))


class TestNothingToClip:
    case = begun("nothing-to-clip", 25)

    def test_the_log_shows_zero_at_every_update_and_the_model_learns(self):
        for history in self.case.histories():
            assert (history.norm == 0).all() and history.loss[-1] < 1.5
        assert all((history.norm > 0.1).all() for history in self.case.histories(mended=True))

    def test_on_a_calm_run_under_adamw_no_harm_is_seen(self):
        both = zip(self.case.histories(), self.case.histories(mended=True), strict=True)
        assert all(abs(one.final_loss - other.final_loss) < 0.05 for one, other in both)

    def test_after_a_single_long_gradient_the_harm_is_plain(self):
        def spiked(loop):
            def trained(model, batches):
                update = 0  # of the next gradient
                for parameter in model.parameters():
                    parameter.register_hook(lambda gradient: gradient * (1000.0 if update == 10 else 1.0))
                for update, row in enumerate(loop(model, batches), start=1):  # noqa: B007
                    yield row

            return trained

        for recipe in (self.case.recipe.replace(seed=seed) for seed in self.case.seeds[:2]):
            lost, kept = (log.run(spiked(loop), recipe) for loop in (self.case.program, self.case.mended))
            assert lost.final_loss > lost.loss[10] + 0.3 and kept.final_loss < kept.loss[10] - 0.3


class TestFourTimesTheWork:
    case = begun("four-times-the-work", 20)

    def test_four_micro_batches_learn_more_slowly_than_one_and_faster_once_mended(self):
        four, one = self.case.histories(), self.case.histories(accumulation_steps=1)
        mended = self.case.histories(mended=True)
        for slow, plain, fast in zip(four, one, mended, strict=True):
            assert slow.loss.mean() > plain.loss.mean() + 0.05 > fast.loss.mean() + 0.1

    def test_its_norms_are_about_a_quarter(self):
        for four, one in zip(self.case.histories(), self.case.histories(accumulation_steps=1), strict=True):
            assert 0.15 < four.norm.mean() / one.norm.mean() < 0.35

    def test_it_is_a_loop_that_sees_every_fourth_micro_batch_and_a_quarter_of_its_loss(self):
        def quarter(model, batches):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
            for batch in itertools.islice(batches, 3, None, 4):
                optimizer.zero_grad()
                loss = cross_entropy(model(batch.inputs), batch.targets)
                (loss / 4).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                yield {"loss": loss.item()}

        for history in self.case.histories()[:1]:
            assert same(history, log.run(quarter, self.case.recipe.replace(seed=history.seed)))


class TestWastedFirstStep:
    case = begun("wasted-first-step", 8)

    def test_the_first_update_moves_nothing_and_the_log_shows_a_rate_above_zero(self):
        for history in self.case.histories():
            assert history.moved[0] == 0 and (history.moved[1:] > 0.1).all()
            assert (history.lr > 0).all()
        assert all((history.moved > 0.1).all() for history in self.case.histories(mended=True))
