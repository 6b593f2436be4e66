"""Whatever a call does, an attempt comes back."""

import signal
import sys
import threading
import time

import pytest
import torch

from gradlab.exercises.attempt import TimeUp, attempt


@pytest.fixture(autouse=True)
def errors_in_finalizers_pass(monkeypatch):
    """A recursion without end, or the end of the time, may meet a finalizer, and its error reaches nobody."""
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)


def test_the_value_comes_back():
    assert attempt(lambda: 7, 5).value == 7
    assert attempt(lambda: None, 5) == attempt(lambda: None, 5)


def test_an_error_comes_back_with_the_line_it_came_from():
    def divide():
        nothing = 0
        return 1 / nothing

    fault = attempt(divide, 5).fault
    assert fault.type is ZeroDivisionError and fault.text == "division by zero"
    assert fault.source == "return 1 / nothing"
    assert fault.line == divide.__code__.co_firstlineno + 2
    assert str(fault) == f"ZeroDivisionError: division by zero, on line {fault.line}: return 1 / nothing"


def test_the_line_is_the_callers_own_and_not_torchs():
    def deep():
        torch.nn.Linear(2, 3)(torch.ones(5))

    assert attempt(deep, 5).fault.source == "torch.nn.Linear(2, 3)(torch.ones(5))"


@pytest.mark.parametrize("error", (SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, RecursionError))
def test_errors_that_end_programs_end_only_the_call(error):
    def leave():
        raise error("out")

    assert attempt(leave, 5).fault.type is error


def test_a_long_error_is_shortened_and_one_without_words_has_none():
    class Mute(Exception):
        def __str__(self):
            raise ValueError

    def say(error):
        raise error

    assert len(attempt(lambda: say(ValueError("x" * 10**6)), 5).fault.text) < 500
    assert attempt(lambda: say(Mute()), 5).fault.text == ""


def test_endless_recursion_is_an_error_like_any_other():
    def deeper():
        return deeper()

    assert attempt(deeper, 10).fault.type is RecursionError


def test_only_an_own_raise_counts_as_unfinished():
    def unwritten():
        raise NotImplementedError("write me")

    def unsupported():
        return torch.empty(2, device="meta").tolist()  # torch raises NotImplementedError here

    assert attempt(unwritten, 5).fault.unfinished
    fault = attempt(unsupported, 5).fault
    assert fault.type is NotImplementedError and not fault.unfinished


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def loop():
    while True:
        pass


def loop_that_catches_everything():
    while True:
        try:
            time.sleep(0)
        except BaseException:
            pass


def loop_inside_a_finally():
    try:
        loop()
    finally:
        loop()


def returns_when_its_time_is_up():
    try:
        loop()
    except BaseException:
        return 7


@pytest.mark.parametrize("endless", (loop, loop_that_catches_everything, loop_inside_a_finally,
                                     returns_when_its_time_is_up, lambda: time.sleep(1000)))
def test_a_call_that_does_not_end_is_ended(endless):
    began = time.monotonic()
    tried = attempt(endless, 0.2)
    assert time.monotonic() - began < 30
    assert tried.fault.type is TimeUp and tried.value is None
    assert "0.2 seconds" in tried.fault.text


def test_it_says_where_the_time_went():
    assert attempt(loop, 0.2).fault.source in ("while True:", "pass")


def test_a_call_that_can_be_ended_leaves_no_thread():
    before = threading.active_count()
    for endless in (loop, loop_inside_a_finally, returns_when_its_time_is_up):
        attempt(endless, 0.1)
    wait_for(lambda: threading.active_count() == before)


def test_a_call_that_catches_everything_stops_working():
    turns = [0]

    def stubborn():
        while True:
            try:
                turns[0] += 1
            except BaseException:
                pass

    attempt(stubborn, 0.1)
    time.sleep(0.2)
    stopped = turns[0]
    time.sleep(0.3)
    assert turns[0] == stopped


@pytest.mark.skipif(sys.platform == "win32", reason="a thread cannot be interrupted there")
def test_an_interrupt_of_the_waiting_thread_passes_through():
    here = threading.get_ident()

    def interrupt():
        signal.pthread_kill(here, signal.SIGINT)
        loop()

    screen, before = sys.stdout, threading.active_count()
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            attempt(interrupt, 30)
    assert sys.stdout is screen
    assert attempt(lambda: 7, 5).value == 7
    wait_for(lambda: threading.active_count() == before)
