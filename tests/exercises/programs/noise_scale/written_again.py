"""A second writing of each mistake: in one expression, with B for the window and b for the micro-batch."""

import math

import numpy as np

from programs import wrong

NAME, ID = "noise-scale", "wrong-noise-scale"


def parts(small, large, b, B):
    """Signal and noise, from squared norms."""
    return (B * large - b * small) / (B - b), (small - large) / (1 / b - 1 / B)


def mean(numbers):
    return sum(numbers) / len(numbers)


def squares(small_norms, large_norms):
    return mean([norm * norm for norm in small_norms]), mean([norm * norm for norm in large_norms])


@wrong(NAME, ID, "not-squared")
def puts_the_norms_in(small_norms, large_norms, b, B):
    s, g = mean(small_norms), mean(large_norms)
    return ((s - g) / (1 / b - 1 / B)) / ((B * g - b * s) / (B - b))


@wrong(NAME, ID, "given-up")
def gives_up_at_the_first_signal_below_zero(small_norms, large_norms, b, B):
    total, noise_total = 0.0, 0.0
    for s, g in zip(small_norms, large_norms, strict=True):
        signal, noise = parts(s * s, g * g, b, B)
        if signal <= 0:
            return math.nan
        total, noise_total = total + signal, noise_total + noise
    return noise_total / total


@wrong(NAME, ID, "given-up")
def wants_every_signal_above_zero(small_norms, large_norms, b, B):
    signals, noises = parts(np.square(small_norms), np.square(large_norms), b, B)
    return noises.mean() / signals.mean() if (signals > 0).all() else float("nan")


@wrong(NAME, ID, "sign-dropped")
def takes_the_size_of_the_signal(small_norms, large_norms, b, B):
    signal, noise = parts(*squares(small_norms, large_norms), b, B)
    return noise / abs(signal)


@wrong(NAME, ID, "sign-dropped")
def returns_a_size_in_any_case(small_norms, large_norms, b, B):
    signal, noise = parts(*squares(small_norms, large_norms), b, B)
    return abs(noise / signal)


@wrong(NAME, ID, "square-of-mean")
def squares_late(small_norms, large_norms, b, B):
    s, g = mean(small_norms) ** 2, mean(large_norms) ** 2
    noise = (s - g) * b * B / (B - b)
    signal = g - noise / B
    return noise / signal if signal > 0 else math.nan


@wrong(NAME, ID, "sizes-swapped")
def mistakes_b_for_B(small_norms, large_norms, B, b):
    s, g = squares(small_norms, large_norms)
    signal = (B * g - b * s) / (B - b)
    return (s - g) / (1 / b - 1 / B) / signal if signal > 0 else math.nan


@wrong(NAME, ID, "window-as-signal")
def believes_the_window_has_no_noise_in_its_length(small_norms, large_norms, b, B):
    s, g = squares(small_norms, large_norms)
    return (s - g) * b * B / (B - b) / g


@wrong(NAME, ID, "micro-batch-as-signal")
def divides_by_the_first_mean(small_norms, large_norms, b, B):
    s, g = squares(small_norms, large_norms)
    return (s - g) * b * B / (B - b) / s


@wrong(NAME, ID, "window-without-noise")
def multiplies_the_difference_by_b(small_norms, large_norms, b, B):
    s, g = squares(small_norms, large_norms)
    signal = (B * g - b * s) / (B - b)
    return b * (s - g) / signal if signal > 0 else math.nan


@wrong(NAME, ID, "upside-down")
def signal_for_each_unit_of_noise(small_norms, large_norms, b, B):
    signal, noise = parts(*squares(small_norms, large_norms), b, B)
    return math.nan if signal <= 0 else signal / noise


@wrong(NAME, ID, "sign")
def window_minus_micro_batch(small_norms, large_norms, b, B):
    s, g = squares(small_norms, large_norms)
    signal = (B * g - b * s) / (B - b)
    return (g - s) / (1 / b - 1 / B) / signal


@wrong(NAME, ID, "noise-only")
def trace_of_the_covariance(small_norms, large_norms, b, B):
    s, g = squares(small_norms, large_norms)
    return (s - g) * b * B / (B - b)


@wrong(NAME, ID, "signal-only")
def squared_length_of_the_true_gradient(small_norms, large_norms, b, B):
    s, g = squares(small_norms, large_norms)
    return (B * g - b * s) / (B - b)


@wrong(NAME, ID, "signal-only")
def stops_at_the_signal(small_norms, large_norms, b, B):
    return float(parts(np.mean(np.square(small_norms)), np.mean(np.square(large_norms)), b, B)[0])


@wrong(NAME, ID, "one-update")
def looks_at_the_last_update(small_norms, large_norms, b, B):
    signal, noise = parts(small_norms[-1] ** 2, large_norms[-1] ** 2, b, B)
    return math.nan if signal <= 0 else noise / signal


@wrong(NAME, ID, "below-zero")
def never_looks_at_the_sign(small_norms, large_norms, b, B):
    s, g = squares(small_norms, large_norms)
    return (s - g) * b * B / (B * g - b * s)
