"""Laws of the scheduler: at every update the rate of the pure function, whatever happens to the process."""

import copy
import io
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.schedule import SCHEDULES, lr_at
from gradlab.schedulers import WarmupLR

plans = st.fixed_dictionaries({"steps": st.integers(1, 60), "warmup_steps": st.integers(0, 40),
                               "warmup_init_lr": st.sampled_from([0.0, 1e-5, 0.3]),
                               "schedule": st.sampled_from(SCHEDULES)})
bases = st.lists(st.floats(0.0, 3.0), min_size=1, max_size=3)


def optimizer_of(rates):
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=1.0, momentum=0.9)


def used(optimizer, scheduler, updates):
    """The rates of every group at each of the next `updates` updates."""
    rates = []
    for _ in range(updates):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return rates


def planned(base, plan, updates, first=0):
    return [[lr_at(step, lr=rate, **plan) for rate in base] for step in range(first, first + updates)]


@settings(max_examples=40, deadline=None)
@given(plans, bases)
def test_each_update_runs_at_the_rate_of_the_pure_function_to_the_bit(plan, base):
    optimizer = optimizer_of(base)
    assert used(optimizer, WarmupLR(optimizer, **plan), 70) == planned(base, plan, 70)


@settings(max_examples=40, deadline=None)
@given(plans, bases, st.integers(0, 50), st.booleans())
def test_a_run_goes_on_after_a_checkpoint_as_if_nothing_had_happened(plan, base, before, scheduler_first):
    optimizer = optimizer_of(base)
    scheduler = WarmupLR(optimizer, **plan)
    used(optimizer, scheduler, before)
    file = io.BytesIO()
    torch.save([optimizer.state_dict(), scheduler.state_dict()], file)

    resumed = optimizer_of([1.0] * len(base))  # the base rates come from the checkpoint
    again = WarmupLR(resumed, **plan)
    file.seek(0)
    states = torch.load(file, weights_only=True)
    loading = [(resumed, states[0]), (again, states[1])]
    for part, state in reversed(loading) if scheduler_first else loading:
        part.load_state_dict(state)
    assert again.get_last_lr() == scheduler.get_last_lr()
    assert used(resumed, again, 30) == planned(base, plan, 30, first=before)


def test_a_state_loaded_without_the_optimizers_sets_the_rate_of_the_next_update():
    plan = {"steps": 20, "warmup_steps": 10}
    optimizer, fresh = optimizer_of([0.5]), optimizer_of([0.5])
    scheduler = WarmupLR(optimizer, **plan)
    used(optimizer, scheduler, 4)
    again = WarmupLR(fresh, **plan)
    again.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    assert used(fresh, again, 3) == planned([0.5], plan, 3, first=4)


def test_the_first_calls_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = optimizer_of([0.1])
        used(optimizer, WarmupLR(optimizer, steps=5, warmup_steps=2), 5)


def test_last_epoch_begins_at_that_update_as_in_torch():
    plan = {"steps": 30, "warmup_steps": 10, "schedule": "cosine"}
    optimizer = optimizer_of([0.7])
    used(optimizer, WarmupLR(optimizer, **plan), 12)
    assert used(optimizer, WarmupLR(optimizer, **plan, last_epoch=11), 5) == planned([0.7], plan, 5, first=12)


def test_a_rate_kept_in_a_tensor_is_filled_in_place():
    rate = torch.tensor(0.5, dtype=torch.float64)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))], lr=rate, foreach=False, capturable=False)
    scheduler = WarmupLR(optimizer, steps=20, warmup_steps=10)
    held = optimizer.param_groups[0]["lr"]
    state = copy.deepcopy(scheduler.state_dict())
    for step in range(6):
        assert float(held) == lr_at(step, lr=0.5, steps=20, warmup_steps=10)
        optimizer.step()
        scheduler.step()
    scheduler.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] is held and float(held) == lr_at(0, lr=0.5, steps=20, warmup_steps=10)


def test_it_is_one_of_torchs_schedulers_and_can_be_one_of_a_sequence():
    optimizer = optimizer_of([1.0])
    first = WarmupLR(optimizer, steps=3, warmup_steps=3)
    then = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [first, then], milestones=[3])
    assert [rates[0] for rates in used(optimizer, both, 6)] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0, 0.5, 0.25])


@pytest.mark.parametrize("change, said", [
    ({"steps": 0}, "steps must be at least 1, got 0"), ({"warmup_steps": -1}, "warmup_steps .* got -1"),
    ({"warmup_steps": True}, "whole number, got True"), ({"schedule": "cos"}, "got 'cos'"),
    ({"warmup_init_lr": float("nan")}, "warmup_init_lr .* got nan"),
])
def test_a_plan_that_cannot_be_is_refused_at_once(change, said):
    with pytest.raises(ValueError, match=said):
        WarmupLR(optimizer_of([0.1]), **{"steps": 10} | change)


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(TypeError, match="Optimizer"):
        WarmupLR(torch.nn.Linear(1, 1), steps=10)


def test_a_state_of_other_groups_is_refused():
    optimizer = optimizer_of([0.1, 0.2])
    state = WarmupLR(optimizer, steps=10).state_dict()
    with pytest.raises(ValueError, match="with 2 parameter groups, and the optimizer here has 1"):
        WarmupLR(optimizer_of([0.1]), steps=10).load_state_dict(state)
