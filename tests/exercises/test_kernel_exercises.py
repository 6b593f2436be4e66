"""The exercises that are kernels: what they need, what they quote, and the figures that their pitfalls name."""

import math
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from programs import RIGHT, WRONG, verdict
from programs.kernels import block_sum, clip_kernel, grid_norm

from gradlab import exercises, pitfalls
from gradlab.exercises.kernels.playing import draw, play, shares

NAMES = ("block-sum", "grid-norm", "clip-kernel")


def figures(id):
    """The numbers that a pitfall's `happens` names."""
    return set(map(float, re.findall(r"\d+(?:\.\d+)?", pitfalls.get(id).happens)))


def test_gradlab_and_its_list_of_exercises_do_without_numba():
    code = ("import sys; sys.modules['numba'] = None; from gradlab import exercises\n"
            f"assert set({NAMES}) <= set(exercises.names())\n"
            "try: exercises.get('block-sum')\n"
            "except ImportError as error: print(error)")
    said = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert "written for Numba, which is not installed: pip install numba" in said.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_same_kernel_gets_the_same_card_every_time(name):
    exercise = exercises.get(name)
    wrong = next(program for program in WRONG if program.exercise == name)
    assert len({str(exercise.check(wrong.function)) for _ in range(3)}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_check_takes_a_moment(name):
    began = time.monotonic()
    exercises.get(name).check(next(program for program in RIGHT if program.exercise == name).function)
    assert time.monotonic() - began < 10


def test_messages_name_threads_and_numbers_of_the_kernel_itself():
    told = verdict(next(p for p in WRONG if p.function is block_sum.no_barrier_before_the_tree))
    assert told.message == ("Thread 0 read s[16] in `s[t] += s[t + h]` and thread 16 wrote it in `s[t] = "
                            "float64(values[i]) ** 2 if i < values.size else 0.0`, with no barrier between: here "
                            "thread 0 came first, on a GPU either may.")
    told = verdict(next(p for p in WRONG if p.function is block_sum.no_thought_of_the_last_block))
    assert told.message == "Thread 11 of block 2 read values[75], and values has 75 elements."
    told = verdict(next(p for p in WRONG if p.function is block_sum.only_whole_blocks))
    assert told.message == "11 of 75 elements were left out, the first of them values[64]."
    told = verdict(next(p for p in WRONG if p.function is grid_norm.a_ticket_without_a_fence))
    assert told.message.startswith("Block 2 read partial[0], which block 0 wrote: no fence stands between")


def test_arguments_go_by_the_names_that_the_kernel_gives_them():
    def block_sum(x, y):
        y[0] = x[len(x)]

    assert "read x[75], and x has 75 elements" in exercises.get("block-sum").check(block_sum).message


@pytest.mark.parametrize("name, body", [("block-sum", "while True: values[0]"), ("grid-norm", "while True: pass"),
                                        ("clip-kernel", "while True: print('on')")])
def test_a_kernel_without_end_is_ended(name, body):
    exercise, namespace, began = exercises.get(name), {}, time.monotonic()
    exec(compile(f"{exercise.signature}:\n    {body}\n", "<cell>", "exec"), namespace)
    told = exercise.check(namespace[exercise.right.__name__], seconds=0.5)
    assert told.outcome in ("wrong", "error") and told.pitfall is None
    assert "ended" in told.message or "stopped" in told.message
    assert time.monotonic() - began < 30


def test_shares_are_how_often_an_element_counts():
    weights = np.array([1, 0, 2, 1, 1, 3, 1, 1, 1, 1, 1, 0, 1, 5])
    assert shares(14, lambda values: float((weights * values.astype(float) ** 2).sum())).tolist() == weights.tolist()
    for no_sum_of_squares in (lambda values: 777.0, lambda values: math.nan, lambda values: -1.0,
                              lambda values: float(np.abs(values).sum()), lambda values: float((values**2).mean())):
        assert shares(5, no_sum_of_squares) is None


def test_inputs_are_random_and_not_symmetric():
    for size in (5, 29, 75, 150):
        values = draw(size, 1)
        assert len(set(np.abs(values).tolist())) == size and (values < 0).any() and (values > 0).any()


# What the catalogue says happens, measured again.


def test_elements_left_out_and_taken_twice():
    kernel = exercises.get("block-sum").right
    assert 75 - 75 // 32 * 32 == 11 and {75, 32, 11} <= figures("wrong-tail")
    i = np.arange(150)
    taken = sum((i >= 32 * block).astype(int) for block in range(3))  # from cuda.grid(1), by strides of one block
    assert (taken > 1).sum() == 118 and taken.max() == 3 and {3, 118, 150} <= figures("wrong-tail")
    told = verdict(next(p for p in WRONG if p.function is grid_norm.strides_of_a_block))
    assert "118 of 150 elements count more than once: values[32] counts 2 times" in told.message
    assert play(kernel, 3, 32, draw(75, 1), np.zeros(3)).error is None


def test_norms_of_blocks_and_their_sum():
    values = draw(150, 11).astype(float)
    norms = [np.linalg.norm(values[np.arange(150) // 32 % 3 == block]) for block in range(3)]
    norm = np.linalg.norm(values)
    assert {round(norms[-1], 2), round(norm), round(sum(norms), 1)} <= figures("block-local-norm")
    assert {round(norm**2, 1), round(norm, 2)} <= figures("forgotten-root") and round(norm) == 12


def test_the_coefficient_and_its_inverse():
    norm = np.linalg.norm(draw(150, 21).astype(float))
    assert {round(norm, 2), round(1.5 / norm, 3), round(norm / 1.5, 2)} <= figures("inverted-coefficient")


def test_bytes_of_a_clip_that_does_nothing_and_of_the_one_that_writes():
    grads, norm = draw(150, 22), np.ones(1, np.float32)
    right, always = (play(kernel, 2, 32, grads, norm, 50.0).counts
                     for kernel in (clip_kernel.leaves_at_one, clip_kernel.as_most_libraries))
    assert right.read_from["grads"] == right.written_to["grads"] == 0
    assert always.read_from["grads"] == always.written_to["grads"] == 4 * 150
    assert {8, 4, 12} <= figures("always-writes")


def test_a_nan_that_slips_through_leaves_the_others_finite():
    told = verdict(next(p for p in WRONG if p.function is clip_kernel.only_above_the_limit))
    assert "149 of 150 gradients came out finite" in told.message
    assert {150, 149} <= figures("nan-slips-through")


def test_the_last_block_with_29_elements_in_blocks_of_8():
    def leaves(values, sums):
        if cuda.grid(1) >= values.size:
            return
        cuda.syncthreads()
        sums[0] = 0

    def goes_on(values, sums):
        values[cuda.grid(1)]

    from numba import cuda

    missed, past = (play(kernel, 4, 8, draw(29, 1), np.zeros(4)).error for kernel in (leaves, goes_on))
    assert (missed.block, missed.waiting, missed.threads) == (3, 5, 8) and {29, 8} <= figures("barrier-not-reached")
    assert past.index == 29 and 4 * 8 - 29 == 3 and {29, 8, 3, 32} <= figures("reading-past-end")
