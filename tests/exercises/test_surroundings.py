"""What lies around a call stays as it was, and what the call says is kept."""

import os
import sys
import threading
import warnings

import pytest
import torch

from gradlab.exercises.attempt import attempt
from gradlab.exercises.surroundings import SHOWN


def test_what_a_call_prints_is_kept_from_the_screen(capsys):
    def speak():
        print("hello")
        print("careful", file=sys.stderr)

    assert attempt(speak, 5).printed == "hello\ncareful\n"
    assert capsys.readouterr() == ("", "")


def test_only_the_beginning_of_a_long_print_is_kept():
    printed = attempt(lambda: print("x" * 10**6), 5).printed
    assert printed == "x" * SHOWN + f"… ({10**6 + 1 - SHOWN:,} more characters)"


def test_other_threads_print_and_warn_as_before(capsys):
    go, done = threading.Event(), threading.Event()

    def speak():
        go.wait(20)
        print("from outside")
        done.set()

    other = threading.Thread(target=speak)
    other.start()
    tried = attempt(lambda: (print("from inside"), go.set(), done.wait(20)), 20)
    other.join()
    assert tried.printed == "from inside\n"
    assert capsys.readouterr().out == "from outside\n"


@pytest.mark.parametrize("harm", ("sys.stdout.close()", "sys.stdout = None", "sys.stdout = sys.__stdout__",
                                  "sys.stderr.close()", "sys.stdin.close()"))
def test_the_screen_works_after_a_call_has_closed_it(capsys, harm):
    attempt(lambda: exec(harm, {"sys": sys}), 5)
    print("still here")
    assert capsys.readouterr().out == "still here\n"


def test_a_call_reads_nothing():
    assert attempt(lambda: sys.stdin.read(), 5).value == ""
    assert attempt(input, 5).fault.type is EOFError
    assert attempt(lambda: list(sys.stdin), 5).value == []


def test_a_warning_is_told_and_is_no_error():
    def warn():
        warnings.warn("mind the step", stacklevel=1)
        warnings.warn("another", stacklevel=1)
        return 7

    tried = attempt(warn, 5)
    assert (tried.value, tried.warned) == (7, "UserWarning: mind the step")
    with pytest.raises(UserWarning):  # the filters are as they were: pytest's make warnings errors
        warnings.warn("outside", stacklevel=1)


def test_torch_is_as_it_was():
    def upset():
        torch.manual_seed(3)
        torch.rand(5)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_num_threads(2)
        torch.use_deterministic_algorithms(True)
        torch.autograd.set_detect_anomaly(True)
        torch.set_default_device("meta")
        torch.set_float32_matmul_precision("medium")
        torch.autocast("cpu").__enter__()
        os.chdir("/")
        sys.setrecursionlimit(5000)

    def settings():
        return (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(),
                torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled(), torch.get_default_device(),
                torch.get_float32_matmul_precision(), torch.is_autocast_enabled("cpu"), os.getcwd(),
                sys.getrecursionlimit())

    before, state = settings(), torch.get_rng_state()
    assert attempt(upset, 120).fault is None  # torch loads a compiler for one of these
    assert settings() == before
    assert torch.equal(torch.get_rng_state(), state)


def test_an_autocast_that_was_never_left_keeps_no_copies_of_weights():
    weight, x = torch.ones(4, 4, requires_grad=True), torch.ones(1, 4)
    attempt(lambda: torch.autocast("cpu").__enter__(), 5)
    for factor in (1.0, 2.0):
        with torch.no_grad():
            weight.fill_(factor)
        with torch.autocast("cpu", torch.bfloat16):
            assert (torch.nn.functional.linear(x, weight) == 4 * factor).all()



def test_a_call_computes_gradients_whatever_is_chosen_outside():
    with torch.no_grad():
        assert attempt(torch.is_grad_enabled, 5).value
        assert not torch.is_grad_enabled()


def test_an_attempt_inside_an_attempt_is_refused():
    tried = attempt(lambda: attempt(lambda: 7, 5), 5)
    assert tried.fault.type is RuntimeError and "being checked" in tried.fault.text
    assert attempt(lambda: 7, 5).value == 7


def test_attempts_of_two_threads_wait_for_each_other():
    values = []
    threads = [threading.Thread(target=lambda n=n: values.append(attempt(lambda: (print(n), n)[1], 20)))
               for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((tried.value, tried.printed) for tried in values) == [(n, f"{n}\n") for n in range(4)]


def test_a_screen_that_is_missing_stays_missing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert attempt(lambda: print("hello"), 5).printed == "hello\n"
    assert sys.stdout is None
