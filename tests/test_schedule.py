"""Laws of the learning rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.schedule import SCHEDULES, lr_at

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
    for schedule in SCHEDULES:
        assert lr_at(warmup_steps, lr=lr, steps=100, warmup_steps=warmup_steps, schedule=schedule) == lr


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_decay_never_rises_and_would_end_at_zero(schedule):
    rates = [lr_at(step, lr=1.0, steps=60, warmup_steps=10, schedule=schedule) for step in range(10, 61)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_half_way_both_decays_stand_at_half():
    assert lr_at(50, lr=1.0, steps=100, schedule="cosine") == pytest.approx(0.5)
    assert lr_at(50, lr=1.0, steps=100, schedule="linear") == pytest.approx(0.5)


@given(rates, st.integers(0, 1000))
def test_constant_is_constant(lr, step):
    assert lr_at(step, lr=lr, steps=10) == lr


def test_an_unknown_schedule_is_named():
    with pytest.raises(ValueError, match="'cubic'"):
        lr_at(5, lr=1.0, steps=10, schedule="cubic")
