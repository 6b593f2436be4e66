"""How much each micro-batch counts in each update, found by taking the updates apart."""

import torch
from torch import Tensor

from gradlab.exercises.trial import Trial
from gradlab.pitfalls.pitfall import written


def shares(trial: Trial) -> Tensor | None:
    """The weight of each micro-batch in each update, `(updates, 2 * n)`; None where an update is no sum of gradients.

    Right is, in an update of a window of r micro-batches, 1 / r for these and 0 for all others, if nothing is clipped.
    """
    if trial.fault is not None or not trial.result["updates"]:
        return None
    updates, gradients = torch.stack(list(trial.result["updates"])).double(), trial.fixture.gradients.double()
    if not updates.isfinite().all():
        return None
    found = torch.linalg.lstsq(gradients.T, updates.T).solution.T
    if ((found @ gradients - updates).norm(dim=1) > 1e-3 * updates.norm(dim=1)).any():
        return None
    largest = found.abs().max().clamp_min(1e-9)
    return torch.where(found.abs() > 1e-4 * largest, found, 0.0)


def members(row: Tensor) -> list[int]:
    """The places of the micro-batches that are in an update."""
    return row.nonzero().flatten().tolist()


def even(values: Tensor) -> bool:
    """Whether all values are the same."""
    return bool(values.max() - values.min() <= 1e-3 * values.abs().max())


def unexplained(mine: Trial, right: Trial) -> str:
    """How many updates there were, and the first one that differs."""
    yours, true = (trial.result["updates"] for trial in (mine, right))
    if len(yours) != len(true):
        return f"Your two epochs made {len(yours)} updates; {len(true)} are asked for"
    for number, (a, b) in enumerate(zip(yours, true, strict=True), start=1):
        if not (a - b).norm() <= 1e-3 * b.norm():
            angle = torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0).clamp(-1, 1).acos().rad2deg()
            return (f"Update {number} has norm {written(a.norm())}, the right one {written(b.norm())}, and they point "
                    f"{angle:.0f}° apart")
    return "One of your updates differs"
