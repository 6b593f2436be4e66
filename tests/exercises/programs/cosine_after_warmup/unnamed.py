"""Answers to "cosine-after-warmup" that are wrong in ways without an id."""

from math import cos, pi

import numpy as np

from programs import unnamed

NAME = "cosine-after-warmup"


@unnamed(NAME, "radians")
def degrees(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * (1 + cos(180 * min(1, (step - warmup_steps) / (total_steps - warmup_steps)))) / 2


@unnamed(NAME, "below 0")
def only_the_cosine(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * cos(pi * min(1, (step - warmup_steps) / (total_steps - warmup_steps)))


@unnamed(NAME, "quarter of a wave")
def a_quarter(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * np.cos(np.pi / 2 * min(1, (step - warmup_steps) / (total_steps - warmup_steps)))


@unnamed(NAME, "2 at its highest")
def never_halved(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * (1 + cos(pi * min(1, (step - warmup_steps) / (total_steps - warmup_steps))))


@unnamed(NAME, "share of base_lr")
def only_the_share(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return (1 + cos(pi * min(1, (step - warmup_steps) / (total_steps - warmup_steps)))) / 2


@unnamed(NAME, "straight line")
def a_line(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * max(0, (total_steps - step) / (total_steps - warmup_steps))


@unnamed(NAME, "no warmup")
def no_ramp(step, base_lr, warmup_steps, total_steps):
    return base_lr * (1 + cos(pi * min(1, max(0, step - warmup_steps) / (total_steps - warmup_steps)))) / 2


@unnamed(NAME, "a tenth of base_lr and not to 0")
def a_smallest_rate(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    done = min(1, (step - warmup_steps) / (total_steps - warmup_steps))
    return base_lr * (0.1 + 0.9 * (1 + cos(pi * done)) / 2)


@unnamed(NAME, "only the cosine is halved")
def halves_too_little(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * (1 + cos(pi * min(1, (step - warmup_steps) / (total_steps - warmup_steps))) / 2)


@unnamed(NAME, "not to pi")
def forgets_pi(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    return base_lr * np.cos(min(1, (step - warmup_steps) / (total_steps - warmup_steps)) / 2) ** 2


@unnamed(NAME, "as a whole number")
def divides_into_whole_numbers(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    done = (min(step, total_steps) - warmup_steps) // (total_steps - warmup_steps)
    return 0.5 * base_lr * (1 + cos(pi * done))


@unnamed(NAME, "base_lr again")
def forgets_the_end(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    if step >= total_steps:
        return base_lr
    return base_lr * np.cos(np.pi / 2 * (step - warmup_steps) / (total_steps - warmup_steps)) ** 2


@unnamed(NAME, "at step 15, returned None")
def returns_nothing_after_the_end(step, base_lr, warmup_steps, total_steps):
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    if step < total_steps:
        return base_lr * (1 + cos(pi * (step - warmup_steps) / (total_steps - warmup_steps))) / 2
    return None


@unnamed(NAME, "ZeroDivisionError")
def no_thought_of_no_warmup(step, base_lr, warmup_steps, total_steps):
    ramp = (step + 1) / warmup_steps
    done = min(1, max(0, step - warmup_steps) / (total_steps - warmup_steps))
    return base_lr * (1 + cos(pi * done)) / 2 if step >= warmup_steps else base_lr * ramp
