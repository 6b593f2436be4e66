"""Laws of steering: what the learner's hand does to the run."""

import os
import subprocess
import sys
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


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "x"])
def test_run_and_start_take_a_count_and_nothing_else(make_panel, steps):
    panel = make_panel()
    for train_ in (panel.run, panel.start):
        with pytest.raises(ValueError, match=f"steps must be a whole number of at least 1, got {steps!r}"):
            train_(steps)
    assert (panel.status, live_workers()) == ("idle", 0)


THREADS = """
import threading, time, torch
from gradlab import Recipe, train
from gradlab.live import explore, steering

seen = set()
def counted(recipe, controls):
    for step in train(recipe, controls):
        seen.add(torch.get_num_threads())
        yield step
steering.train = counted
panel = explore(Recipe(d_model=8, n_layers=1, n_heads=2))
{steer}
told = torch.get_num_threads()
panel.stop()
fresh = []
thread = threading.Thread(target=lambda: fresh.append(torch.get_num_threads()))
thread.start()
thread.join()
print(seen, told, *fresh)
"""


def told_by_a_process(script):
    env = {**os.environ, "OMP_NUM_THREADS": "2"}  # also where the tests are told to take one
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=env)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.mark.parametrize("steer", ["panel.run(2)", "panel.start()\nwhile not seen: time.sleep(0.01)"])
def test_a_worker_computes_on_one_thread_and_leaves_all_others_their_own(steer):
    # Two processes: one that asked for the number before would have changed what comes after.
    before = told_by_a_process("import torch; print(torch.get_num_threads())")
    if before == "1":
        pytest.skip("torch takes one thread on this machine in any case")
    assert told_by_a_process(THREADS.format(steer=steer)) == f"{{1}} {before} {before}"


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
