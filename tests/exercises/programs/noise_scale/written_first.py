"""Answers to "noise-scale"."""

import math
import statistics

import numpy as np
import torch

from gradlab.noise import NoiseScale
from programs import right, unnamed, wrong

NAME, ID = "noise-scale", "wrong-noise-scale"


def parts(small, large, b, B):
    """Signal and noise of one update, from squared norms."""
    return (B * large - b * small) / (B - b), (small - large) / (1 / b - 1 / B)


@right(NAME)
def signals_and_noises_averaged(small_norms, large_norms, small_batch, large_batch):
    signals, noises = [], []
    for small, large in zip(small_norms, large_norms, strict=True):
        signal, noise = parts(small**2, large**2, small_batch, large_batch)
        signals.append(signal)
        noises.append(noise)
    signal = statistics.mean(signals)
    return statistics.mean(noises) / signal if signal > 0 else math.nan


@right(NAME)
def sums_in_numpy(small_norms, large_norms, small_batch, large_batch):
    small, large = np.square(small_norms), np.square(large_norms)
    signal, noise = parts(small, large, small_batch, large_batch)
    return np.where(signal.sum() > 0, noise.sum() / signal.sum(), np.nan)


@right(NAME)
def in_torch(small_norms, large_norms, small_batch, large_batch):
    small = torch.tensor(small_norms, dtype=torch.float64).square().mean()
    large = torch.tensor(large_norms, dtype=torch.float64).square().mean()
    signal, noise = parts(small, large, small_batch, large_batch)
    return noise / signal if signal > 0 else torch.tensor(float("nan"))


@right(NAME)
def with_the_class(small_norms, large_norms, small_batch, large_batch):
    scale = NoiseScale(small_batch, large_batch)
    for small, large in zip(small_norms, large_norms, strict=True):
        scale.update(small**2, large**2)
    return scale.value


@right(NAME)
def a_line_through_two_points(small_norms, large_norms, small_batch, large_batch):
    squares = [np.mean(np.square(norms)) for norms in (small_norms, large_norms)]
    noise, signal = np.polyfit([1 / small_batch, 1 / large_batch], squares, 1)
    return float("nan") if signal <= 0 else float(noise / signal)


@wrong(NAME, ID, "mean-of-ratios")
def averages_the_ratios(small_norms, large_norms, small_batch, large_batch):
    ratios = []
    for small, large in zip(small_norms, large_norms, strict=True):
        signal, noise = parts(small**2, large**2, small_batch, large_batch)
        ratios.append(noise / signal)
    return np.mean(ratios)


@wrong(NAME, ID, "mean-of-ratios")
def averages_the_ratios_that_make_sense(small_norms, large_norms, small_batch, large_batch):
    total, count = 0.0, 0
    for s, g in zip(np.array(small_norms) ** 2, np.array(large_norms) ** 2, strict=True):
        signal, noise = parts(s, g, small_batch, large_batch)
        if signal > 0:
            total, count = total + noise / signal, count + 1
    return total / count if count else math.nan


@wrong(NAME, ID, "not-squared")
def forgets_to_square(small_norms, large_norms, small_batch, large_batch):
    signal, noise = parts(np.mean(small_norms), np.mean(large_norms), small_batch, large_batch)
    return noise / signal if signal > 0 else math.nan


@wrong(NAME, ID, "square-of-mean")
def squares_the_mean(small_norms, large_norms, small_batch, large_batch):
    signal, noise = parts(np.mean(small_norms) ** 2, np.mean(large_norms) ** 2, small_batch, large_batch)
    return noise / signal if signal > 0 else math.nan


@wrong(NAME, ID, "sizes-swapped")
def takes_the_window_for_the_small_one(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    signal, noise = parts(small, large, large_batch, small_batch)
    return noise / signal


@wrong(NAME, ID, "window-as-signal")
def divides_by_the_squared_norm_of_the_window(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    return parts(small, large, small_batch, large_batch)[1] / large


@wrong(NAME, ID, "micro-batch-as-signal")
def divides_by_the_squared_norm_of_the_micro_batch(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    return parts(small, large, small_batch, large_batch)[1] / small


@wrong(NAME, ID, "window-without-noise")
def forgets_the_noise_of_the_window(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    return (small - large) * small_batch / parts(small, large, small_batch, large_batch)[0]


@wrong(NAME, ID, "upside-down")
def turns_the_ratio_around(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    signal, noise = parts(small, large, small_batch, large_batch)
    return signal / noise


@wrong(NAME, ID, "sign")
def turns_the_difference_around(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    signal = parts(small, large, small_batch, large_batch)[0]
    noise = (large - small) / (1 / small_batch - 1 / large_batch)
    return noise / signal if signal > 0 else math.nan


@wrong(NAME, ID, "noise-only")
def stops_at_the_noise(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    return parts(small, large, small_batch, large_batch)[1]


@wrong(NAME, ID, "one-update")
def looks_at_the_first_update(small_norms, large_norms, small_batch, large_batch):
    signal, noise = parts(small_norms[0] ** 2, large_norms[0] ** 2, small_batch, large_batch)
    return noise / signal if signal > 0 else math.nan


@wrong(NAME, ID, "below-zero")
def divides_by_whatever_there_is(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    signal, noise = parts(small, large, small_batch, large_batch)
    return noise / signal


@unnamed(NAME, "you returned inf; there is no noise scale")
def calls_it_infinite(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    signal, noise = parts(small, large, small_batch, large_batch)
    return noise / signal if signal > 0 else math.inf


@unnamed(NAME, "you got 237.3; the noise scale is 160")
def takes_the_median_of_the_ratios(small_norms, large_norms, small_batch, large_batch):
    ratios = []
    for small, large in zip(small_norms, large_norms, strict=True):
        signal, noise = parts(small**2, large**2, small_batch, large_batch)
        ratios.append(noise / signal)
    return statistics.median(ratios)


@unnamed(NAME, "did you forget `return`?")
def returns_nothing(small_norms, large_norms, small_batch, large_batch):
    parts(small_norms[0] ** 2, large_norms[0] ** 2, small_batch, large_batch)


@unnamed(NAME, "Your function changed the norms it was given")
def squares_in_place(small_norms, large_norms, small_batch, large_batch):
    for norms in (small_norms, large_norms):
        norms[:] = [norm**2 for norm in norms]
    signal, noise = parts(np.mean(small_norms), np.mean(large_norms), small_batch, large_batch)
    return noise / signal if signal > 0 else math.nan


@right(NAME)
def two_equations_solved(small_norms, large_norms, small_batch, large_batch):
    squares = [np.mean(np.square(small_norms)), np.mean(np.square(large_norms))]
    signal, noise = np.linalg.solve([[1, 1 / small_batch], [1, 1 / large_batch]], squares)
    return noise / signal if signal > 0 else np.nan


@wrong(NAME, ID, "updates-picked")
def leaves_out_updates_without_signal(small_norms, large_norms, small_batch, large_batch):
    pairs = [parts(s**2, g**2, small_batch, large_batch) for s, g in zip(small_norms, large_norms, strict=True)]
    pairs = [(signal, noise) for signal, noise in pairs if signal > 0]
    signal, noise = (sum(column) for column in zip(*pairs, strict=True)) if pairs else (0, 0)
    return noise / signal if signal > 0 else math.nan


@wrong(NAME, ID, "updates-picked")
def clamps_the_signals(small_norms, large_norms, small_batch, large_batch):
    small, large = np.square(small_norms), np.square(large_norms)
    signals, noises = parts(small, large, small_batch, large_batch)
    signal = np.clip(signals, 0, None).mean()
    return noises.mean() / signal if signal > 0 else math.nan


@wrong(NAME, ID, "given-up")
def gives_up_at_the_first_bad_update(small_norms, large_norms, small_batch, large_batch):
    total = np.zeros(2)
    for s, g in zip(small_norms, large_norms, strict=True):
        found = parts(s**2, g**2, small_batch, large_batch)
        if found[0] <= 0:
            return math.nan
        total += found
    return total[1] / total[0]


@wrong(NAME, ID, "sign-dropped")
def drops_the_sign_of_the_signal(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    signal, noise = parts(small, large, small_batch, large_batch)
    return noise / abs(signal)


@unnamed(NAME, "returned None where the estimate of the signal is not above 0")
def returns_nothing_without_signal(small_norms, large_norms, small_batch, large_batch):
    small, large = (np.mean(np.square(norms)) for norms in (small_norms, large_norms))
    signal, noise = parts(small, large, small_batch, large_batch)
    if signal > 0:
        return noise / signal
    return None
