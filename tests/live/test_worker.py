"""Laws of the training thread."""

import itertools
import signal
import threading
import time

import pytest

from gradlab import Step
from gradlab.live import Controls, Worker, live_workers


def a_step(number, loss=1.0):
    return Step(number, loss, 0.1, 1.0, 2.0, 1.0, 0.5, True, 3.0, 1e-3, 10, 0.001)


def steps(pause=0.0, numbers=None):
    for number in numbers if numbers is not None else itertools.count():
        time.sleep(pause)
        yield a_step(number)


def worker(source, publish=lambda _: None, **options):
    return Worker(source, Controls(lr=0.1), publish, **options)


def test_nothing_runs_before_it_is_asked_to():
    made = worker(steps())
    assert (made.status, made.steps, live_workers()) == ("idle", [], 0)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_advance_makes_exactly_so_many_steps(count):
    made = worker(steps())
    assert made.advance(count)
    made.wait()
    assert [step.step for step in made.steps] == list(range(count))
    assert made.status == "paused"


def test_a_pause_ends_the_thread_and_keeps_the_run():
    made = worker(steps(0.001))
    made.advance()
    time.sleep(0.05)
    made.pause()
    assert made.status == "paused"
    made.wait()
    assert live_workers() == 0
    before = len(made.steps)
    assert before > 0
    made.advance(3)
    made.wait()
    assert [step.step for step in made.steps] == list(range(before + 3))


def test_the_end_of_the_source_finishes_the_run_for_good():
    made = worker(steps(numbers=range(5)))
    made.advance()
    made.wait()
    assert (made.status, len(made.steps)) == ("finished", 5)
    assert not made.advance()


def test_a_number_that_is_not_finite_ends_the_run_and_is_kept():
    made = worker(iter([a_step(0), a_step(1, float("nan")), a_step(2)]))
    made.advance()
    made.wait()
    assert (made.status, len(made.steps)) == ("diverged", 2)


def test_an_error_is_described_with_its_place_and_raised_by_wait():
    def broken():
        yield a_step(0)
        raise ZeroDivisionError("no tokens in this batch")

    made = worker(broken())
    made.advance()
    with pytest.raises(ZeroDivisionError, match="no tokens"):
        made.wait()
    assert made.status == "failed"
    assert made.describe_error().startswith("ZeroDivisionError: no tokens in this batch (test_worker.py:")
    assert len(made.steps) == 1 and live_workers() == 0


def test_stop_leaves_no_thread_and_ends_the_run():
    made = worker(steps(0.001))
    made.advance()
    time.sleep(0.02)
    made.stop()
    assert live_workers() == 0
    assert made.status == "stopped" and not made.advance()


def test_a_run_pauses_by_itself_when_its_time_is_over():
    made = worker(steps(0.005), max_seconds=0.05)
    made.advance()
    made.wait()
    assert made.status == "paused" and "0.05 s are over" in made.note
    assert 0 < len(made.steps) < 100


def test_everything_is_published_and_not_too_often():
    frames, seen = [], []

    def publish(of):
        frames.append(time.monotonic())
        seen.append(len(of.steps))

    made = worker(steps(0.001), publish, fps=20)
    began = time.monotonic()
    made.advance()
    time.sleep(0.5)
    made.pause()
    made.wait()
    assert seen[-1] == len(made.steps)
    assert len(frames) <= 20 * (frames[-1] - began) + 2  # the first and the last are extra


def test_moving_a_slider_all_the_time_does_not_raise_the_rate():
    controls, frames = Controls(lr=0.1), []

    def source():
        for step in steps(0.001):
            controls.set(lr=step.step)
            controls.read()
            yield step

    made = Worker(source(), controls, lambda _: frames.append(time.monotonic()), fps=20)
    made.advance()
    time.sleep(0.5)
    made.stop()
    assert len(frames) <= 20 * (frames[-1] - frames[0]) + 3


def test_a_publisher_may_want_the_lock_of_whoever_stops_it():
    lock = threading.Lock()

    def publish(_):
        with lock:
            time.sleep(0.002)

    made = worker(steps(0.0), publish, fps=1000)
    made.advance()
    for _ in range(20):
        with lock:  # as a callback does that changes state
            made.pause()
            made.advance()
    made.stop()
    assert live_workers() == 0


def test_workers_that_share_a_turn_never_train_at_once():
    turn, inside, most = threading.Lock(), [], []

    def source():
        for step in steps():
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.001)
            inside.pop()
            yield step

    workers = [worker(source(), turn=turn) for _ in range(4)]
    for made in workers:
        made.advance(20)
    for made in workers:
        made.wait()
    assert max(most) == 1 and all(len(made.steps) == 20 for made in workers)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system cannot interrupt one thread")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_of_wait_stops_the_run_and_returns_when_its_thread_is_done():
    begun, ended = [], []

    def source():
        for step in steps():
            begun.append(step)
            time.sleep(0.3)  # an update, which no interrupt shortens
            ended.append(step)
            yield step

    made = worker(source())
    made.advance()
    main = threading.main_thread().ident
    threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        made.wait()
    assert made.status == "stopped" and live_workers() == 0
    assert len(begun) == len(ended) == 1


@pytest.mark.parametrize("error", [OSError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("at", ["source", "first frame", "last frame"])
def test_whatever_ends_the_thread_ends_the_run_and_is_raised_by_wait(error, at):
    def source():
        yield a_step(0)
        if at == "source":
            raise error("gone")
        yield a_step(1)

    told = []

    def publish(of):
        told.append(of.status)
        if at == ("first frame" if of.status == "running" else "last frame"):
            raise error("gone")

    made = worker(source(), publish)
    made.advance(2)
    with pytest.raises(error, match="gone"):
        made.wait()
    assert made.status == "failed" and made.describe_error().startswith(f"{error.__name__}: gone")
    assert not made.advance() and live_workers() == 0
    assert at != "source" or told[-1] == "failed"


def test_a_run_without_a_thread_does_not_seem_to_go_on(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    made = worker(steps())
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="new thread"):
        patch.setattr(threading.Thread, "start", refuse)
        made.advance(1)
    assert made.status == "idle" and made.advance(1)
    made.wait()
    assert (made.status, len(made.steps)) == ("paused", 1)


def test_a_run_stopped_while_its_model_is_built_makes_no_update():
    built, updates, controls = threading.Event(), [], Controls(lr=0.1)

    def source():
        built.wait(10)  # as train() builds the model before the first step
        controls.read()
        updates.append(1)
        yield a_step(0)

    turn = threading.Lock()
    made, following = Worker(source(), controls, lambda _: None, turn=turn), worker(steps(), turn=turn)
    made.advance()
    made.stop(0)
    following.advance(1)
    built.set()
    following.wait()
    made.wait()
    assert (made.status, made.steps, updates, len(following.steps)) == ("stopped", [], [], 1)
