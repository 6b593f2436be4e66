"""Whatever a call does, an attempt comes back."""

import itertools
import signal
import sys
import threading
import time

import pytest
import torch

from gradlab import ledger
from gradlab.exercises.alarm import TimeUp
from gradlab.exercises.attempt import attempt


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


def loop_inside_a_list():
    return [number for number in itertools.count() if number < 0]


def loop_inside_a_finally():
    try:
        loop()
    finally:
        loop()


def loop_in_many_that_catch_everything():
    while True:
        try:
            while True:
                try:
                    loop_that_catches_everything()
                except BaseException:
                    continue
        except BaseException as error:
            str(error)
        finally:
            try:
                loop()
            except BaseException:
                pass


def recursion_that_catches_everything():
    while True:
        try:
            recursion_that_catches_everything()
        except BaseException:
            pass


def generator_that_catches_everything():
    def numbers():
        while True:
            try:
                yield 1
            except BaseException:
                pass

    return [number for number in numbers() if not number]


def returns_when_its_time_is_up():
    try:
        loop()
    except BaseException:
        return 7


@pytest.mark.parametrize("endless", (loop, loop_that_catches_everything, loop_inside_a_finally,
                                     loop_in_many_that_catch_everything, recursion_that_catches_everything,
                                     generator_that_catches_everything, returns_when_its_time_is_up,
                                     lambda: time.sleep(1000), lambda: threading.Event().wait(),
                                     lambda: exec("while True: pass")))
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
@pytest.mark.usefixtures("interruptible")
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


@pytest.mark.skipif(sys.platform == "win32", reason="a thread cannot be interrupted there")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_a_call_that_catches_it():
    here = threading.get_ident()

    def interrupted():
        signal.pthread_kill(here, signal.SIGINT)
        loop_that_catches_everything()

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted, 100)


def test_signals_and_traces_are_as_they_were():
    def heard(number, frame):
        pass

    signals = [signal.SIGINT, getattr(signal, "SIGURG", signal.SIGINT)]
    trace, limit = sys.gettrace(), sys.getrecursionlimit()
    before = [signal.signal(number, heard) for number in signals]
    try:
        for call in (lambda: 7, loop, loop_that_catches_everything):
            attempt(call, 0.1)
            assert [signal.getsignal(number) for number in signals] == [heard, heard]
            assert (sys.gettrace(), sys.getrecursionlimit()) == (trace, limit)
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def test_in_another_thread_a_call_is_ended_too():
    tried = []

    def elsewhere():
        tried.extend(attempt(call, 0.2) for call in (loop, lambda: 7, lambda: 1 / 0, loop_inside_a_list))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(60)
    assert [each.value for each in tried] == [None, 7, None, None]
    assert [each.fault and each.fault.type for each in tried] == [TimeUp, None, ZeroDivisionError, TimeUp]


def test_gradlab_is_not_ended_in_the_middle_of_its_own_work():
    """A record that has begun is also ended, and torch is as it was."""
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    patched = torch.optim.SGD.step, torch.Tensor.backward, torch.nn.utils.clip_grad_norm_

    def records_for_ever():
        while True:
            with ledger.record(model, optimizer):
                model(torch.ones(2)).sum().backward()
                optimizer.step()

    for _ in range(3):
        assert attempt(records_for_ever, 0.1).fault.type is TimeUp
        assert (torch.optim.SGD.step, torch.Tensor.backward, torch.nn.utils.clip_grad_norm_) == patched
