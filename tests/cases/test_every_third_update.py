"""The case of every third update: its trace shows what the brief says, and its verdict is true of it."""

import itertools

import numpy as np
import torch

from gradlab.cases import log
from gradlab.cases.every_third_update import CASE
from gradlab.model import cross_entropy

SHORT = np.arange(2, CASE.recipe.steps, 3)  # the third window of each epoch holds two micro-batches


def whole(history):
    return np.delete(history.loss, SHORT), np.delete(history.norm, SHORT)


def test_every_third_line_shows_about_half_the_loss():
    for history in CASE.histories():
        for short in SHORT:
            assert 0.35 < history.loss[short] / history.loss[short - 1] < 0.65


def test_and_a_shorter_gradient():
    for history in CASE.histories():
        _, norms = whole(history)
        assert np.median(history.norm[SHORT]) < 0.75 * np.median(norms)


def test_mended_the_log_is_even():
    for history in CASE.histories(mended=True):
        for short in SHORT:
            assert 0.75 < history.loss[short] / history.loss[short - 1] < 1.2


def test_the_runs_end_close_together():
    for before, after in zip(CASE.histories(), CASE.histories(mended=True), strict=True):
        assert abs(whole(before)[0][-4:].mean() - whole(after)[0][-4:].mean()) < 0.2


def test_until_the_first_short_window_both_are_the_same_run():
    for before, after in zip(CASE.histories(), CASE.histories(mended=True), strict=True):
        assert np.array_equal(before.loss[:2], after.loss[:2]) and np.isclose(2 * before.loss[2], after.loss[2])


def test_the_short_window_uses_half_its_mean():
    def half_the_mean(model, batches):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
        while epoch := list(itertools.islice(batches, 10)):
            for start in range(0, 10, 4):
                optimizer.zero_grad()
                window = epoch[start:start + 4]
                losses = [cross_entropy(model(batch.inputs), batch.targets) for batch in window]
                loss = sum(losses) / len(window) * (len(window) / 4)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                yield {"loss": loss.item()}

    history = CASE.histories()[0]
    other = log.run(half_the_mean, CASE.recipe.replace(seed=history.seed))
    np.testing.assert_allclose(other.loss, history.loss, rtol=1e-3)


def test_the_ledger_names_it():
    assert (CASE.finding.pitfall, CASE.finding.variant) == ("leftover-micro-batches", "window")
    assert CASE.finding.message.startswith("The window of step 3 held 2 micro-batches but was divided by 4")
    assert not CASE.ledger(mended=True).findings("info")
