"""Laws of the panel: what the page asks for and what it is told."""

import random
import threading
import time

import numpy as np
import pytest

from gradlab import History, Recipe, RecipeError, train
from gradlab.live import live_workers
from gradlab.live.pins import MAX_PINS


def test_other_fields_wait_for_reset_and_the_page_is_told(make_panel, listen):
    panel = make_panel(fields=("lr", "max_norm", "norm", "n_layers"))
    page = listen(panel)
    panel.run(3)
    assert page.send("set", field="norm", value="post")["pending"] == ["norm"]
    assert page.send("set", field="lr", value=0.2)["pending"] == ["norm"]
    assert page.send("reset")["pending"] == []
    panel.run(1)
    assert panel.history.loss[0] == History(train(panel.recipe.replace(steps=1))).loss[0]


def test_a_value_that_no_recipe_takes_is_told_and_changes_nothing(make_panel, listen):
    panel = make_panel()
    page = listen(panel)
    answer = page.send("set", field="lr", value=-1)
    assert answer["error"] == "lr must be above 0, got -1.0" and answer["values"]["lr"] == 0.3
    assert "whole number" not in page.send("set", field="lr", value=1)["error"]
    assert panel.recipe.lr == 1.0
    with pytest.raises(RecipeError, match="no field 'speed'"):
        panel.set(speed=3)


def test_a_share_string_is_loaded_or_refused_in_words(make_panel, tiny, listen):
    panel = make_panel()
    page = listen(panel)
    other = tiny.replace(lr=1.25, max_norm=None, norm="post")
    assert page.send("load", text=other.share())["share"] == other.share()
    assert panel.recipe == other
    answer = page.send("load", text="hello there")
    assert "share string" in answer["error"] and panel.recipe == other


def test_every_step_arrives_once_and_in_order(make_panel, listen):
    panel = make_panel(fps=60)
    page = listen(panel)
    history = panel.run(60)
    rows = np.array(page.rows)
    np.testing.assert_array_equal(rows[:, 0], np.arange(60))
    np.testing.assert_array_equal(rows[:, 1], history.loss.astype(np.float32))
    assert page.frames < 60 and (page.status, page.workers) == ("paused", 0)


def test_hello_gives_a_new_view_everything(make_panel, listen):
    panel = make_panel(pinned={"before": History(train(Recipe(steps=2)))})
    panel.run(11)
    page = listen(panel)
    page.send("hello")
    assert len(page.rows) == 11 and page.state["values"] == {"lr": 0.3, "max_norm": 1.0}
    assert [(label, len(rows)) for label, rows in page.pins] == [("before", 2)]


def test_a_failure_is_shown_with_its_place_and_raised_by_wait(make_panel, monkeypatch, listen):
    def broken(recipe, controls):
        yield from train(recipe.replace(steps=2), controls)
        raise OverflowError("the gradient left the building")

    monkeypatch.setattr("gradlab.live.steering.train", broken)
    panel = make_panel()
    page = listen(panel)
    with pytest.raises(OverflowError, match="left the building"):
        panel.run(5)
    assert page.send("hello")["text"].startswith(
        "failed: OverflowError: the gradient left the building (test_panel.py:")
    monkeypatch.undo()
    assert len(panel.run(3)) == 3  # a new run is not a failed one


def test_divergence_ends_the_run_and_is_told(make_panel, listen):
    panel = make_panel(Recipe(lr=1e4, max_norm=None, n_layers=1))
    page = listen(panel)
    history = panel.run(200)
    assert history.diverged and panel.status == "diverged"
    assert page.send("hello")["text"] == f"diverged at step {history.first_nonfinite_step}"


def test_pins_keep_runs_by_their_settings(make_panel, listen):
    panel = make_panel()
    page = listen(panel)
    assert "press Run first" in page.send("pin")["error"]
    panel.run(4)
    page.send("pin")
    assert "pinned already" in page.send("pin")["note"]
    panel.set(max_norm=None)
    panel.run(2)
    page.send("pin")
    assert list(panel.pinned) == ["lr 0.3, clip 1", "lr 0.3, no clip*"]
    assert [len(history) for history in panel.pinned.values()] == [4, 6]
    page.send("clear")
    assert panel.pinned == {} and page.pins == []


def test_the_oldest_pin_makes_room_with_a_word(make_panel, listen):
    panel = make_panel()
    page = listen(panel)
    for count in range(MAX_PINS):
        panel.run(1)
        assert panel.pin(f"run {count}") == ""
    panel.run(1)
    assert "“run 0”, made room" in page.send("pin")["note"]
    assert len(panel.pinned) == MAX_PINS == len(page.pins) and "run 0" not in panel.pinned


def test_closing_and_a_closed_connection_stop_the_run(make_panel):
    panel = make_panel()
    panel.start()
    panel.close()
    assert live_workers() == 0
    panel = make_panel()
    panel.start()
    panel.comm.handle_close({})
    panel.stop()
    assert panel.status == "stopped"


def test_a_closed_panel_trains_no_more_and_says_what_to_do(make_panel):
    panel = make_panel()
    panel.run(2)
    panel.close()
    for train_ in (panel.start, panel.step, panel.run):
        with pytest.raises(RuntimeError, match="closed and trains no more; run its cell again"):
            train_()
    assert live_workers() == 0 and len(panel.history) == 2


def test_a_panel_whose_page_is_gone_does_not_seem_to_train(make_panel):
    def dead(*_, **__):
        raise OSError("the connection is closed")

    panel = make_panel()
    send = panel.comm.send
    panel.comm.send = dead
    for start in (panel.start, panel.start):
        with pytest.raises(OSError, match="is closed"):
            start()
        with pytest.raises(OSError, match="is closed"):
            panel.wait()
        assert panel.status == "failed"
    panel.comm.send = send
    assert len(panel.run(2)) == 2


def test_a_loaded_share_string_steers_the_run_under_way(make_panel, tiny, listen):
    panel = make_panel()
    page = listen(panel)
    panel.run(2)
    page.send("load", text=tiny.replace(lr=0.05, max_norm=None).share())
    history = panel.run(1)
    assert history.lr.tolist() == [0.3, 0.3, 0.05]
    assert history.max_norm.tolist() == [1.0, 1.0, np.inf]


def test_a_run_that_was_reset_sends_no_more_rows(make_panel, listen):
    panel = make_panel()
    panel.run(3)
    page, over = listen(panel), panel._worker
    panel.reset()
    panel.run(2)
    frames, sent = page.frames, panel._sent
    panel._publish(over)
    assert (page.frames, len(page.rows), panel._sent) == (frames, 2, sent)


EVENTS = [("start", {}), ("pause", {}), ("step", {}), ("reset", {}), ("pin", {}), ("clear", {}), ("hello", {}),
          ("set", {"field": "lr", "value": 0.1}), ("set", {"field": "max_norm", "value": None}),
          ("set", {"field": "max_norm", "value": 0.5}), ("set", {"field": "lr", "value": "fast"}),
          ("set", {"field": "norm", "value": "post"}), ("load", {"text": "nonsense"}), ("unpin", {"pin": 3})]


def test_a_thousand_events_of_four_threads_leave_one_worker_at_most(make_panel, listen):
    panel = make_panel()
    page, failures = listen(panel), []
    page.hear = lambda *_, **__: None
    panel.comm.send = page.hear

    def storm(seed):
        dice = random.Random(seed)
        try:
            for _ in range(250):
                kind, content = dice.choice(EVENTS)
                panel._on_event({"kind": kind, "id": None, **content})
        except Exception as error:  # a thread's exception must fail the test
            failures.append(error)

    threads = [threading.Thread(target=storm, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    deadline = time.monotonic() + 5
    while live_workers() > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert live_workers() <= 1
    panel.stop()
    assert live_workers() == 0 and panel.status in ("stopped", "finished", "diverged")
    page = listen(panel)
    page.send("hello")
    assert len(page.rows) == len(panel.history)
