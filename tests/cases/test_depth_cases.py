"""The traces of lab 05's cases show what their briefs say, and their verdicts are true of them; on three seeds."""

import math

import numpy as np

from gradlab.cases import log, loss_stays, one_bad_batch
from gradlab.train import make_model


class TestTheLossStays:
    case = loss_stays.CASE

    def test_the_loss_stays_the_norm_is_long_and_no_weight_moves(self):
        for history in self.case.histories():
            assert abs(history.final_loss - history.loss[0]) < 0.2 and (history.norm > 0.5).all()
            assert (history.moved == 0).all()

    def test_the_norm_is_that_of_a_gradient_that_nobody_clears(self):
        for history in self.case.histories():
            assert (history.norm[1:] > 1.2).all() and (history.norm < 3).all()  # what the clip left, and a new one

    def test_mended_it_learns_with_the_same_first_loss(self):
        for broken, mended in zip(self.case.histories(), self.case.histories(mended=True), strict=True):
            assert mended.loss[0] == broken.loss[0] and mended.final_loss < 1.5

    def test_the_ledger_names_it_and_all_parameters(self):
        assert self.case.finding.pitfall == self.case.pitfall
        assert f"{len(list(make_model(self.case.recipe).parameters()))} parameters" in self.case.finding.message


class TestOneBadBatch:
    case = one_bad_batch.CASE

    def test_the_loss_of_the_bad_batch_is_an_ordinary_one_and_the_next_is_nan(self):
        for history in self.case.histories():
            assert len(history) == 14 and history.loss[12] < history.loss[0]
            assert np.isfinite(history.loss[:13]).all() and math.isnan(history.loss[13])
            assert np.isfinite(history.moved[:12]).all() and math.isnan(history.moved[12])

    def test_no_limit_helps(self):
        for max_norm in (0.01, 1e-6, math.inf):
            run = log.run(self.case.program, self.case.recipe, max_norm=max_norm)
            assert len(run) == 14 and run.diverged

    def test_a_step_left_out_keeps_the_run(self):
        for history in self.case.histories(mended=True):
            assert len(history) == self.case.recipe.steps and not history.diverged and history.final_loss < 1.6

    def test_until_the_bad_batch_both_are_the_same_run(self):
        for broken, mended in zip(self.case.histories(), self.case.histories(mended=True), strict=True):
            assert np.array_equal(broken.loss[:12], mended.loss[:12])

    def test_the_ledger_names_it_first(self):
        assert self.case.finding.pitfall == self.case.pitfall
