"""Answers to "warmup"."""

import numpy as np
import torch

from programs import right, unnamed, wrong

NAME = "warmup"


@right(NAME)
def in_one_line(step, base_lr, warmup_steps):
    return base_lr * min(1.0, (step + 1) / max(1, warmup_steps))


@right(NAME)
def with_numpy(step, base_lr, warmup_steps):
    ramp = np.linspace(base_lr / warmup_steps, base_lr, warmup_steps) if warmup_steps else np.array([])
    return ramp[step] if step < len(ramp) else base_lr


@right(NAME)
def by_adding_strides(step, base_lr, warmup_steps):
    rate = 0.0
    for _ in range(min(step + 1, warmup_steps)):
        rate += base_lr / warmup_steps
    return rate if warmup_steps else base_lr


@right(NAME)
def by_counting_what_is_missing(step, base_lr, warmup_steps):
    missing = warmup_steps - step - 1
    if missing <= 0:
        return base_lr
    return base_lr - base_lr / warmup_steps * missing


@right(NAME)
def with_a_tensor(step, base_lr, warmup_steps):
    share = torch.tensor((step + 1.0) / warmup_steps if warmup_steps else 1.0, dtype=torch.float64)
    return base_lr * share.clamp(max=1)


@wrong(NAME, "scheduler-off-by-one", "zero-first")
def starts_at_zero(step, base_lr, warmup_steps):
    if step < warmup_steps:
        return base_lr * step / warmup_steps
    return base_lr


@wrong(NAME, "scheduler-off-by-one", "zero-first")
def starts_at_zero_and_divides_by_it(step, base_lr, warmup_steps):
    return base_lr * min(1, step / warmup_steps)


@wrong(NAME, "scheduler-off-by-one", "zero-first")
def linspace_from_zero(step, base_lr, warmup_steps):
    ramp = np.linspace(0, base_lr, warmup_steps)
    return float(ramp[step]) if step < warmup_steps else base_lr


@wrong(NAME, "scheduler-off-by-one", "late-end")
def one_stride_more(step, base_lr, warmup_steps):
    return base_lr * min(1.0, (step + 1) / (warmup_steps + 1))


@wrong(NAME, "scheduler-off-by-one", "late-end")
def one_stride_more_with_a_branch(step, base_lr, warmup_steps):
    if step >= warmup_steps:
        return base_lr
    stride = base_lr / (1 + warmup_steps)
    return stride + step * stride


@wrong(NAME, "scheduler-off-by-one", "early-end")
def one_stride_less(step, base_lr, warmup_steps):
    if step + 1 >= warmup_steps:
        return base_lr
    return base_lr * (step + 1) / (warmup_steps - 1)


@wrong(NAME, "scheduler-off-by-one", "early-end")
def ends_before_the_last(step, base_lr, warmup_steps):
    last = max(1, warmup_steps - 1)
    return base_lr * np.clip((1 + step) / last, 0, 1)


@wrong(NAME, "scheduler-off-by-one", "skipped-first")
def moves_before_the_first_update(step, base_lr, warmup_steps):
    step += 1
    return base_lr * min(1.0, (step + 1) / max(1, warmup_steps))


@wrong(NAME, "scheduler-off-by-one", "skipped-first")
def the_second_value_first(step, base_lr, warmup_steps):
    ramp = [base_lr * n / warmup_steps for n in range(1, warmup_steps + 1)]
    return ramp[step + 1] if step + 1 < warmup_steps else base_lr


@unnamed(NAME, "goes on rising")
def without_an_end(step, base_lr, warmup_steps):
    return base_lr * (step + 1) / warmup_steps if warmup_steps else base_lr


@unnamed(NAME, "goes on rising")
def without_an_end_or_care(step, base_lr, warmup_steps):
    return (step + 1) * (base_lr / warmup_steps)


@unnamed(NAME, "no warmup")
def at_once(step, base_lr, warmup_steps):
    return base_lr


@unnamed(NAME, "stays there")
def whole_numbers(step, base_lr, warmup_steps):
    return base_lr * min(1, (step + 1) // max(1, warmup_steps))


@unnamed(NAME, "share of base_lr")
def only_the_share(step, base_lr, warmup_steps):
    return min(1.0, (step + 1) / max(1, warmup_steps))


@unnamed(NAME, "ZeroDivisionError")
def no_thought_of_zero(step, base_lr, warmup_steps):
    return base_lr * min(1.0, (step + 1) / warmup_steps)


@unnamed(NAME, "is asked for")
def downwards(step, base_lr, warmup_steps):
    return base_lr * (1 - min(1.0, step / max(1, warmup_steps)))


@unnamed(NAME, "is asked for")
def quadratic(step, base_lr, warmup_steps):
    return base_lr * min(1.0, (step + 1) / max(1, warmup_steps)) ** 2
