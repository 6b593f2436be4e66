"""What a wrong training step is told: numbers from its updates, beside the right ones.

The learning rate is 1, so that an update is the gradient that the step used. Each function takes the learner's trial
and the right program's on one situation.
"""

import math

import torch
from torch import Tensor

from gradlab.exercises.fingerprints import same
from gradlab.exercises.trial import Trial


def call(mine: Trial, right: Trial) -> int:
    """Which of the calls went wrong first, from 0."""
    pairs = zip(mine.result["updates"], right.result["updates"], strict=True)
    return next((number for number, pair in enumerate(pairs) if not same(*pair, mine.fixture.rtol)), 0)


def yours(mine: Trial, right: Trial) -> Tensor:
    """The learner's first wrong update, `(4,)`."""
    return mine.result["updates"][call(mine, right)].double()


def parts(mine: Trial, right: Trial) -> Tensor:
    """The gradients of the micro-batches at that update, `(k, 4)`."""
    return mine.fixture.gradients[call(mine, right)].double()


def update(mine: Trial, right: Trial) -> dict:
    """The norms of the first wrong update and of the right one, the angle between them, and the situation."""
    number, fixture = call(mine, right), mine.fixture
    true = right.result["updates"][number].double()
    cosine = torch.nn.functional.cosine_similarity(yours(mine, right), true, dim=0).clamp(-1, 1)
    return {"call": ("first", "second")[number], "norm": yours(mine, right).norm().item(),
            "norm_true": true.norm().item(), "angle": math.degrees(math.acos(cosine)), "max_norm": fixture.max_norm,
            "scale": fixture.scale, "n_backward": fixture.k, "norm_before": fixture.stale.norm().item()}


def clipped(mine: Trial, right: Trial) -> dict:
    """The norm before the clip and after it, the factor between, and the norm that this clip must have seen."""
    told, mean = update(mine, right), parts(mine, right).mean(0)
    factor = (yours(mine, right) @ mean / mean.norm() ** 2).item()
    return told | {"norm": mean.norm(), "norm_true": mean.norm(), "norm_after": told["norm"], "coef": factor,
                   "norm_yours": told["max_norm"] / factor}


def looks_like(words: str):
    """Evidence for a norm that is not the true one but `words`."""
    def evidence(mine: Trial, right: Trial) -> dict:
        told = clipped(mine, right)
        return told | {"ratio": told["norm_yours"] / told["norm_true"], "looks_like": words}
    return evidence


def negative(mine: Trial, right: Trial) -> dict:
    return clipped(mine, right) | {"max_norm": -mine.fixture.max_norm}


def per_tensor(mine: Trial, right: Trial) -> dict:
    told = update(mine, right)
    return told | {"k": 2, "norm_global": told["norm"]}


def by_value(mine: Trial, right: Trial) -> dict:
    told, entries = update(mine, right), yours(mine, right).abs()
    return told | {"n_hit": sum(math.isclose(entry, told["max_norm"], rel_tol=1e-3) for entry in entries.tolist())}


def each_alone(mine: Trial, right: Trial) -> dict:
    told = update(mine, right)
    return told | {"norm_after": told["norm"]}


def shares(mine: Trial, right: Trial) -> dict:
    """How much the first and the last micro-batch count in the update, by least squares."""
    weights = torch.linalg.lstsq(parts(mine, right).T, yours(mine, right)).solution.tolist()
    return update(mine, right) | {"w_first": weights[0], "w_last": weights[-1]}


def divisor(mine: Trial, right: Trial) -> dict:
    told = update(mine, right)
    ratio = told["norm"] / told["norm_true"]
    return told | {"ratio": ratio, "divisor": mine.fixture.k / ratio}


def spoilt(mine: Trial, right: Trial) -> dict:
    entries = yours(mine, right)
    return update(mine, right) | {"n_bad": int((~entries.isfinite()).sum()), "n": entries.numel()}


def late(place: int):
    """Evidence for a backward after unscaling, which came after the micro-batch in that place."""
    def evidence(mine: Trial, right: Trial) -> dict:
        shared, scale = parts(mine, right) / mine.fixture.k, mine.fixture.scale
        unscaled = place % mine.fixture.k + 1
        mixed = shared[:unscaled].sum(0) + scale * shared[unscaled:].sum(0)
        return {"scale": scale, "norm": mixed.norm(), "norm_true": shared.sum(0).norm()}
    return evidence


def subset(chosen: slice):
    """Evidence for a clip that went by the norm of some entries only."""
    def evidence(mine: Trial, right: Trial) -> dict:
        whole = parts(mine, right).mean(0)
        return {"norm": whole[chosen].norm(), "norm_true": whole.norm()}
    return evidence
