"""Answers to "cosine-after-warmup" that are wrong in ways with an id."""

from math import cos, pi

import numpy as np

from programs import wrong

NAME = "cosine-after-warmup"


@wrong(NAME, "decay-out-of-place")
def decay_from_step_zero(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * (1 + cos(pi * min(1, step / total_steps))) / 2


@wrong(NAME, "decay-out-of-place")
def the_warmup_is_not_taken_off_the_step(step, base_lr, warmup_steps, total_steps):
    decay_steps = total_steps - warmup_steps
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    if step >= decay_steps:
        return 0
    return base_lr * 0.5 * (1 + np.cos(np.pi * step / decay_steps))


@wrong(NAME, "decay-out-of-place")
def one_factor_times_the_other(step, base_lr, warmup_steps, total_steps):
    warm = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    decay = (1 + cos(pi * step / total_steps)) / 2 if step < total_steps else 0.0
    return base_lr * warm * decay


@wrong(NAME, "decay-out-of-place", "stretched")
def divided_by_the_whole_run(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * (1 + cos(min(pi, pi * (step - warmup_steps) / total_steps))) / 2


@wrong(NAME, "decay-out-of-place", "stretched")
def progress_of_the_total(step, base_lr, warmup_steps, total_steps):
    if step + 1 <= warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / total_steps
    if progress > 1:
        progress = 1
    return base_lr * np.cos(progress * np.pi / 2) ** 2


@wrong(NAME, "decay-out-of-place", "rises-again")
def without_an_end(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * (1 + cos(pi * (step - warmup_steps) / (total_steps - warmup_steps))) / 2


@wrong(NAME, "decay-out-of-place", "rises-again")
def a_whole_wave(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    done = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return base_lr * (1 + cos(2 * pi * done)) / 2


@wrong(NAME, "scheduler-off-by-one", "zero-first")
def ramp_from_zero(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * step / warmup_steps
    return base_lr * (1 + cos(pi * min(1, (step - warmup_steps) / (total_steps - warmup_steps)))) / 2


@wrong(NAME, "scheduler-off-by-one", "zero-first")
def linspace_from_zero(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return np.linspace(0, base_lr, warmup_steps, endpoint=False)[step]
    done = (min(step, total_steps) - warmup_steps) / (total_steps - warmup_steps)
    return base_lr * np.cos(np.pi / 2 * done) ** 2


@wrong(NAME, "scheduler-off-by-one", "late-end")
def ramp_of_one_more(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / (warmup_steps + 1)
    return base_lr * (1 + cos(pi * min(1, (step - warmup_steps) / (total_steps - warmup_steps)))) / 2


@wrong(NAME, "scheduler-off-by-one", "late-end")
def linspace_with_both_ends_left_out(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return np.linspace(0, base_lr, warmup_steps + 2)[step + 1]
    done = (min(step, total_steps) - warmup_steps) / (total_steps - warmup_steps)
    return base_lr * np.cos(np.pi / 2 * done) ** 2


@wrong(NAME, "scheduler-off-by-one", "early-end")
def ramp_of_one_less(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * min(1, (step + 1) / max(1, warmup_steps - 1))
    return base_lr * (1 + cos(pi * min(1, (step - warmup_steps) / (total_steps - warmup_steps)))) / 2


@wrong(NAME, "scheduler-off-by-one", "early-end")
def ramp_that_ends_before_its_last(step, base_lr, warmup_steps, total_steps):
    last = warmup_steps - 1
    if step < last:
        return base_lr * (step + 1) / last
    if step < warmup_steps:
        return base_lr
    done = (min(step, total_steps) - warmup_steps) / (total_steps - warmup_steps)
    return base_lr * np.cos(np.pi / 2 * done) ** 2


@wrong(NAME, "scheduler-off-by-one", "skipped-first")
def ramp_begins_with_its_second(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * min(1.0, (step + 2) / warmup_steps)
    return base_lr * (1 + cos(pi * min(1, (step - warmup_steps) / (total_steps - warmup_steps)))) / 2


@wrong(NAME, "scheduler-off-by-one", "skipped-first")
def ramp_from_a_list_read_too_far(step, base_lr, warmup_steps, total_steps):
    ramp = [base_lr * n / warmup_steps for n in range(1, warmup_steps + 1)]
    if step < warmup_steps:
        return ramp[min(step + 1, warmup_steps - 1)]
    done = (min(step, total_steps) - warmup_steps) / (total_steps - warmup_steps)
    return base_lr * np.cos(np.pi / 2 * done) ** 2


@wrong(NAME, "scheduler-off-by-one", "decay-early")
def decay_counts_from_one(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    done = min(1, (step + 1 - warmup_steps) / (total_steps - warmup_steps))
    return base_lr * (1 + cos(pi * done)) / 2


@wrong(NAME, "scheduler-off-by-one", "decay-early")
def zero_at_the_last_update(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    last = total_steps - 1
    if step >= last:
        return 0.0
    return base_lr / 2 * (1 + cos(pi * (step - warmup_steps) / (last - warmup_steps)))


@wrong(NAME, "scheduler-off-by-one", "decay-late")
def one_update_too_many(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    done = min(1, (step - warmup_steps) / (total_steps - warmup_steps + 1))
    return base_lr * (1 + cos(pi * done)) / 2


@wrong(NAME, "scheduler-off-by-one", "decay-late")
def decay_begins_one_late(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    done = np.clip((step - 1 - warmup_steps) / (total_steps - warmup_steps), 0, 1)
    return base_lr * np.cos(np.pi / 2 * done) ** 2
