"""The trace of the case shows what its brief says, and its verdict is true of it."""

import dataclasses
import warnings

import numpy as np

from gradlab.cases.warmup_cut_short import CASE


def test_the_warmup_does_not_help_until_it_is_counted_in_updates():
    cut, whole = CASE.histories(), CASE.histories(mended=True)
    for short, long in zip(cut, whole, strict=True):
        assert short.loss[-20:].mean() > long.loss[-20:].mean() + 0.4


def test_the_rate_is_at_its_peak_with_the_third_update_or_with_the_twenty_fourth():
    for history in CASE.histories():
        assert np.argmax(history.lr) == 2
    for history in CASE.histories(mended=True):
        assert np.argmax(history.lr) == 23
        assert np.allclose(np.diff(history.lr[:24]), history.lr[0])


def test_the_loop_keeps_torchs_warning_away_and_moves_nothing_by_it():
    short = dataclasses.replace(CASE, recipe=CASE.recipe.replace(steps=1), seeds=(0,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (cut,), (whole,) = short.histories(), short.histories(mended=True)
    assert cut.loss[0] == whole.loss[0]


def test_the_ledger_counts_eight_moves_for_an_update():
    assert (CASE.finding.pitfall, CASE.finding.variant) == ("scheduler-wrong-clock", "per-micro-batch")
    assert CASE.finding.level == "warn" and "16 backward passes" in CASE.finding.message
    assert not CASE.ledger(mended=True).findings()
