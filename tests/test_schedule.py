"""Laws of the learning rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.schedule import DECAY_SHARE, SCHEDULES, lr_at, warmup

rates = st.floats(1e-6, 10)
counts = st.integers(0, 50)


@given(rates, counts, st.integers(1, 200), st.sampled_from(SCHEDULES))
def test_no_update_is_lost_to_a_rate_of_zero(lr, warmup_steps, steps, schedule):
    for step in range(steps):
        assert 0 < lr_at(step, lr=lr, steps=steps, warmup_steps=warmup_steps, schedule=schedule) <= lr * (1 + 1e-12)


@given(rates, st.integers(1, 50), rates)
def test_the_ramp_rises_in_equal_strides_and_ends_at_lr(lr, warmup_steps, init):
    ramp = [lr_at(step, lr=lr, steps=100, warmup_steps=warmup_steps, warmup_init_lr=init)
            for step in range(warmup_steps)]
    assert ramp[-1] == pytest.approx(lr)
    strides = [after - before for before, after in zip([init, *ramp], ramp, strict=False)]
    assert strides == pytest.approx([(lr - init) / warmup_steps] * warmup_steps, abs=1e-9)


@given(rates, st.integers(0, 20))
def test_the_first_update_after_the_ramp_runs_at_lr(lr, warmup_steps):
    for schedule in set(SCHEDULES) - {"noam"}:
        assert lr_at(warmup_steps, lr=lr, steps=100, warmup_steps=warmup_steps, schedule=schedule) == lr


@given(rates, st.integers(1, 50), st.integers(0, 10_000))
def test_the_ramp_is_clamped(lr, warmup_steps, beyond):
    assert warmup(warmup_steps + beyond, lr=lr, warmup_steps=warmup_steps) == lr


@pytest.mark.parametrize("schedule", ["cosine", "linear", "wsd"])
def test_a_decay_never_rises_and_would_end_at_zero(schedule):
    rates = [lr_at(step, lr=1.0, steps=60, warmup_steps=10, schedule=schedule) for step in range(10, 80)]
    assert rates == sorted(rates, reverse=True)
    assert rates[49] > 0 and rates[50:] == pytest.approx([0.0] * 20, abs=1e-12)


def test_half_way_both_decays_stand_at_half():
    assert lr_at(50, lr=1.0, steps=100, schedule="cosine") == pytest.approx(0.5)
    assert lr_at(50, lr=1.0, steps=100, schedule="linear") == pytest.approx(0.5)
    assert lr_at(25, lr=1.0, steps=100, schedule="cosine") == pytest.approx((2 + 2**0.5) / 4)


@given(rates, st.integers(0, 1000))
def test_constant_is_constant(lr, step):
    assert lr_at(step, lr=lr, steps=10) == lr


@given(st.integers(1, 200), st.integers(0, 2000), rates)
def test_noam_is_the_formula_of_its_paper_with_the_peak_at_lr(warmup_steps, step, lr):
    number = step + 1  # the paper counts from 1
    paper = min(number**-0.5, number * warmup_steps**-1.5)
    told = lr_at(step, lr=lr, steps=100, warmup_steps=warmup_steps, schedule="noam")
    assert told == pytest.approx(lr * paper * warmup_steps**0.5)
    assert told <= lr_at(warmup_steps - 1, lr=lr, steps=100, warmup_steps=warmup_steps, schedule="noam") * (1 + 1e-12)


@given(st.integers(0, 500))
def test_noam_without_a_warmup_is_noam_with_a_warmup_of_one(step):
    without, one = (lr_at(step, lr=0.5, steps=9, warmup_steps=n, schedule="noam") for n in (0, 1))
    assert without == one
    assert lr_at(0, lr=0.5, steps=9, schedule="noam") == 0.5


@given(st.integers(1, 400), st.integers(0, 300))
def test_wsd_stands_still_until_the_last_fifth_and_then_falls_in_equal_strides(steps, warmup_steps):
    told = [lr_at(step, lr=1.0, steps=steps, warmup_steps=warmup_steps, schedule="wsd")
            for step in range(warmup_steps, steps + 1)]
    falling = [rate for rate in told if rate < 1]
    assert len(falling) <= max(1, round(DECAY_SHARE * steps))
    assert falling == told[len(told) - len(falling):]
    strides = [before - after for before, after in zip([1.0, *falling], falling, strict=False)]
    assert strides == pytest.approx(strides[:1] * len(strides))


def test_wsd_of_a_hundred_updates_falls_over_twenty():
    told = [lr_at(step, lr=1.0, steps=100, warmup_steps=10, schedule="wsd") for step in (79, 80, 81, 90, 99, 100)]
    assert told == pytest.approx([1.0, 1.0, 0.95, 0.5, 0.05, 0.0])


@given(st.integers(1, 100), st.integers(0, 120), st.integers(0, 300), st.sampled_from(SCHEDULES))
def test_a_rate_is_proportional_to_lr(steps, warmup_steps, step, schedule):
    one, three = (lr_at(step, lr=lr, steps=steps, warmup_steps=warmup_steps, schedule=schedule) for lr in (1.0, 3.0))
    assert three == pytest.approx(3 * one)


@pytest.mark.parametrize("step", [0, 5])
def test_an_unknown_schedule_is_named(step):
    with pytest.raises(ValueError, match="'cubic'"):
        lr_at(step, lr=1.0, steps=10, schedule="cubic", warmup_steps=3)


@pytest.mark.parametrize("name, value, said", [
    ("step", -1, "at least 0, got -1"), ("step", 1.0, "whole number, got 1.0"), ("step", True, "number, got True"),
    ("step", None, "got None"), ("steps", 0, "at least 1, got 0"), ("steps", "9", "got '9'"),
    ("warmup_steps", -3, "got -3"), ("warmup_steps", 2.5, "got 2.5"), ("lr", -0.1, "at least 0, got -0.1"),
    ("lr", float("nan"), "got nan"), ("lr", float("inf"), "got inf"), ("lr", True, "number, got True"),
    ("lr", "1", "got '1'"), ("warmup_init_lr", -1e-9, "got -1e-09"), ("warmup_init_lr", float("nan"), "got nan"),
])
def test_what_is_no_count_or_no_rate_is_named(name, value, said):
    with pytest.raises(ValueError, match=f"^{name} must be .*{said}"):
        lr_at(**{"step": 3, "lr": 0.1, "steps": 10, "warmup_steps": 2} | {name: value})


def test_numbers_of_numpy_will_do():
    assert lr_at(np.int64(3), lr=np.float64(0.5), steps=np.int32(10), warmup_steps=np.int64(2)) == 0.5
