"""Answers to "choose-max-norm"."""

import math
import statistics

import numpy as np
import torch

from programs import right, unnamed, wrong

NAME = "choose-max-norm"


@right(NAME)
def ninetieth_percentile(norms):
    norms = np.asarray(norms, dtype=float)
    norms = norms[np.isfinite(norms)]
    if norms.size == 0:
        raise ValueError("nothing finite")
    return np.percentile(norms, 90)


@right(NAME)
def ninety_fifth_by_hand(norms):
    finite = sorted(n for n in norms if math.isfinite(n))
    if not finite:
        raise ValueError("no finite norm")
    return finite[math.ceil(0.95 * len(finite)) - 2]


@right(NAME)
def a_torch_quantile(norms):
    norms = torch.as_tensor(norms, dtype=torch.float64)
    finite = norms[norms.isfinite()]
    if not len(finite):
        raise ValueError
    return finite.quantile(0.92)


@right(NAME)
def above_the_median(norms):
    finite = [n for n in norms if n == n and abs(n) != float("inf")]
    if len(finite) < 1:
        raise ValueError(norms)
    return 1.8 * statistics.median(finite)


@right(NAME)
def median_and_spread(norms):
    finite = np.array([n for n in norms if np.isfinite(n)])
    if len(finite) == 0:
        raise ValueError("no norms")
    middle = np.median(finite)
    return float(middle + 2.5 * np.median(np.abs(finite - middle)))


@wrong(NAME, "always-clipped", "chosen")
def the_smallest(norms):
    return min(n for n in norms if math.isfinite(n))


@wrong(NAME, "always-clipped", "chosen")
def a_hundredth(norms):
    if not np.isfinite(norms).any():
        raise ValueError
    return 0.01


@wrong(NAME, "always-clipped", "chosen")
def the_usual_one(norms):
    return 1.0


@wrong(NAME, "always-clipped", "chosen")
def the_median(norms):
    return float(np.nanmedian(norms))


@wrong(NAME, "always-clipped", "chosen")
def tenth_percentile(norms):
    finite = sorted(filter(math.isfinite, norms))
    if not finite:
        raise ValueError
    return finite[len(finite) // 10]


@wrong(NAME, "clip-cures-nonfinite", "in-threshold")
def percentile_of_everything(norms):
    if len(norms) == 0:
        raise ValueError
    return np.percentile(norms, 90)


@wrong(NAME, "clip-cures-nonfinite", "in-threshold")
def quantile_of_everything(norms):
    return torch.tensor(norms, dtype=torch.float64).quantile(0.9).item()


@wrong(NAME, "clip-cures-nonfinite", "in-threshold")
def only_nan_left_out(norms):
    known = [n for n in norms if not math.isnan(n)]
    if not known:
        raise ValueError
    if math.inf in known:
        return 1.5 * float(np.mean(known))
    return float(np.percentile(known, 90))


@wrong(NAME, "max-norm-not-positive", "chosen")
def minus_one_for_unknown(norms):
    finite = [n for n in norms if math.isfinite(n)]
    return float(np.percentile(finite, 90)) if finite else -1


@wrong(NAME, "max-norm-not-positive", "chosen")
def zero_for_unknown(norms):
    norms = np.array([n for n in norms if np.isfinite(n)])
    if not norms.size:
        return 0.0
    return np.quantile(norms, 0.93)


@wrong(NAME, "max-norm-not-positive", "chosen")
def below_the_mean(norms):
    return float(np.mean(norms) - 3 * np.std(norms))


@unnamed(NAME, "nothing is ever clipped")
def the_largest(norms):
    return max(n for n in norms if math.isfinite(n))


@unnamed(NAME, "nothing is ever clipped")
def far_away(norms):
    return 1e6


@unnamed(NAME, "lie above it")
def the_mean(norms):
    finite = [n for n in norms if math.isfinite(n)]
    return sum(finite) / len(finite)


@unnamed(NAME, "spikes")
def mean_and_deviation(norms):
    finite = np.array([n for n in norms if math.isfinite(n)])
    if not len(finite):
        raise ValueError
    return finite.mean() + 1.5 * finite.std()


@unnamed(NAME, "lie above it")
def the_999th_of_1000(norms):
    finite = [n for n in norms if math.isfinite(n)]
    if not finite:
        raise ValueError
    return float(np.percentile(finite, 99.5))


@unnamed(NAME, "changed the norms")
def sorts_in_place(norms):
    norms.sort()
    return norms[int(0.9 * len(norms))]
