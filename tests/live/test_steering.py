"""Laws of steering: what the learner's hand does to the run."""

import threading
import time

import numpy as np
import pytest

from gradlab import History, train
from gradlab.live import live_workers


def test_run_is_the_run_of_the_recipe(make_panel, tiny):
    panel = make_panel()
    history = panel.run(20)
    assert history.loss.tolist() == History(train(tiny)).loss[:20].tolist()
    assert panel.run(5).step.tolist() == list(range(25))
    assert (panel.status, live_workers()) == ("paused", 0)


def test_run_counts_what_it_is_given(make_panel):
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1, got 0"):
        make_panel().run(0)


def test_a_moved_slider_reaches_the_next_step(make_panel):
    panel = make_panel()
    panel.run(3)
    panel.set(lr=0.05, max_norm=None)
    panel.run(2)
    panel.set(max_norm=0.25)
    history = panel.run(1)
    assert history.lr.tolist() == [0.3] * 3 + [0.05] * 3
    assert history.max_norm.tolist() == [1.0] * 3 + [np.inf] * 2 + [0.25]


def test_a_slider_moved_while_it_trains_acts_on_later_steps(make_panel):
    panel = make_panel()
    panel.start()
    while len(panel.history) < 10:
        time.sleep(0.005)
    panel.set(lr=0.01)
    moved = len(panel.history)
    while len(panel.history) < moved + 5:
        time.sleep(0.005)
    panel.pause()
    lr = panel.wait().lr
    assert set(lr) == {0.3, 0.01} and (np.diff(lr) <= 0).all()
    assert moved - 1 <= int(np.argmax(lr == 0.01)) <= moved + 2


def test_step_makes_exactly_one_update(make_panel):
    panel = make_panel()
    for count in (1, 2, 3):
        panel.step()
        assert len(panel.wait()) == count


def test_pause_keeps_and_reset_clears(make_panel):
    panel = make_panel()
    panel.run(7)
    panel.pause()
    assert (panel.status, len(panel.history)) == ("paused", 7)
    panel.reset()
    assert (panel.status, len(panel.history)) == ("idle", 0)


def test_start_after_the_end_begins_anew(make_panel, tiny):
    panel = make_panel(tiny.replace(schedule="linear", steps=4))
    assert len(panel.run(9)) == 4 and panel.status == "finished"
    assert len(panel.run(2)) == 2


def test_a_live_run_is_long_unless_its_schedule_decays(make_panel, tiny):
    def limit(recipe, **options):
        return make_panel(recipe, **options)._run_limit

    assert limit(tiny) == 2000
    assert limit(tiny.replace(steps=5000)) == 5000
    assert limit(tiny.replace(schedule="cosine")) == tiny.steps
    assert limit(tiny, fields=("lr", "max_norm", "steps")) == tiny.steps
    assert limit(tiny.replace(schedule="cosine"), max_steps=7) == limit(tiny, max_steps=7) == 7


def test_a_run_that_hits_the_time_cap_says_so(make_panel):
    with pytest.raises(TimeoutError, match="steps were made in max_seconds=0.05"):
        make_panel(max_seconds=0.05).run(1900)


def test_a_run_paused_by_another_hand_says_so(make_panel):
    panel = make_panel()
    threading.Timer(0.2, panel.pause).start()
    with pytest.raises(RuntimeError, match="paused after"):
        panel.run(1900)


def test_a_pin_is_named_by_what_its_run_used_and_not_by_the_sliders_of_now(make_panel, tiny):
    panel = make_panel(tiny.replace(schedule="linear", steps=3))
    panel.run(9)
    panel.set(lr=2.0, max_norm=None)
    panel.pin()
    assert list(panel.pinned) == ["lr 0.3, clip 1"]
