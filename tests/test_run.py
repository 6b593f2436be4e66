"""Laws of running to the end."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from gradlab import History, Recipe, RecipeError, run, run_seeds, train
from gradlab import run as run_function
from gradlab.run import PATIENCE
from gradlab.threads import one_thread

SMALL = Recipe(steps=12, n_layers=1, d_model=16, n_heads=2, batch_size=4)


def test_run_is_the_history_of_train():
    assert np.array_equal(run(SMALL).loss, History(train(SMALL)).loss)


def test_every_tenth_step_and_the_last_are_printed(capsys):
    history = run(SMALL, log_every=5)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [str(history[n]) for n in (0, 5, 10, 11)]
    run(SMALL.replace(steps=11), log_every=5)
    assert len(capsys.readouterr().out.splitlines()) == 3, "the last step is not printed twice"


def test_run_is_silent_by_itself(capfd):
    run(SMALL)
    assert capfd.readouterr() == ("", "")


def test_a_bar_appears_where_a_run_takes_long_and_not_where_it_is_switched_off(capfd, monkeypatch):
    module = run_function.__globals__
    monkeypatch.setitem(module, "PATIENCE", 0.0)
    monkeypatch.delenv("GRADLAB_PROGRESS", raising=False)
    run(SMALL)
    assert "12" in capfd.readouterr().err
    monkeypatch.setenv("GRADLAB_PROGRESS", "off")
    run(SMALL)
    assert capfd.readouterr().err == ""
    assert PATIENCE >= 2


def test_one_history_a_seed_in_their_order():
    histories = run_seeds(SMALL, 3)
    assert [history.loss[0] for history in histories] == [run(SMALL.replace(seed=seed)).loss[0] for seed in range(3)]
    assert np.array_equal(run_seeds(Recipe(), [3, 4])[1].loss, run(Recipe(seed=4)).loss), "side by side, to the bit"
    assert run_seeds(SMALL, [7])[0].loss[0] == run(SMALL.replace(seed=7)).loss[0]


@pytest.mark.parametrize("seeds, why", [(0, "at least 1"), (-2, "at least 1"), ([], "at least 1"), ([-1], "seed must"),
                                        (True, "True"), (1.5, "1.5"), (None, "None")])
def test_seeds_that_name_no_run_are_refused(seeds, why):
    with pytest.raises((ValueError, TypeError), match=why):
        run_seeds(SMALL, seeds)


@pytest.mark.parametrize("log_every", [0, -1, 2.5, "often", True])
def test_a_wrong_log_every_is_refused_with_its_value(log_every):
    with pytest.raises(ValueError, match=f"log_every.*{log_every!r}"):
        run(SMALL, log_every=log_every)


@pytest.mark.parametrize("wrong", [{"lr": 0.1}, 0.3, "g1"])
def test_what_is_no_recipe_is_refused(wrong):
    for entrance in (run, run_seeds):
        with pytest.raises(RecipeError, match="needs a Recipe"):
            entrance(wrong)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_takes_one_thread_and_leaves_torch_as_it_was(threads):
    before, reference = torch.get_num_threads(), run(SMALL).loss
    try:
        torch.set_num_threads(threads)
        assert np.array_equal(run(SMALL).loss, reference)
        assert torch.get_num_threads() == threads
        with pytest.raises(RecipeError), one_thread():
            assert torch.get_num_threads() == 1
            raise RecipeError("an error inside")
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_every_seed_is_run_on_one_thread_and_torch_is_left_as_it_was(monkeypatch):
    seen, told, tell = [], {}, torch.set_num_threads

    def spy(recipe):
        # What each thread was told, and not what torch answers: a new thread that is asked takes the main thread's
        # number in that moment, and BLAS in it would not have.
        seen.append(told.get(threading.get_ident()))
        return train(recipe)

    def listen(number):
        told[threading.get_ident()] = number
        tell(number)
    monkeypatch.setitem(run_function.__globals__, "train", spy)
    monkeypatch.setattr(torch, "set_num_threads", listen)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run_seeds(SMALL, 4)
        assert seen == [1] * 4 and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("work", ["run_seeds(Recipe(steps=2), 2)", "run(Recipe(steps=2))"])
def test_a_process_has_as_many_threads_after_the_first_run_as_before(work):
    count = "import torch; print(torch.get_num_threads())"
    done = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
            for code in (count, f"from gradlab import *; {work}; {count}")]
    assert done[0] == done[1]


def test_an_interrupt_ends_all_runs_after_the_update_in_progress(monkeypatch):
    made = []

    def counted(recipe):
        for step in train(recipe):
            made.append(step)
            yield step

    def interrupted(histories, *_):
        while len(made) < 20:
            time.sleep(0.01)
        raise KeyboardInterrupt
    monkeypatch.setitem(run_function.__globals__, "train", counted)
    monkeypatch.setitem(run_function.__globals__, "_bar", interrupted)
    threads = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        run_seeds(SMALL.replace(steps=10**6), 6)
    assert set(threading.enumerate()) == threads
    assert sum(step.step == 0 for step in made) <= 2, "no run was begun after the interrupt"
