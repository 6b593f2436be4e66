"""How much each micro-batch counts in a gradient, found by taking the gradient apart."""

from dataclasses import dataclass

import torch

from gradlab.exercises.trial import Trial


@dataclass(frozen=True)
class Shares:
    """A gradient as a sum: `of_target[i]` times the summed gradient of micro-batch i, plus `stale` times the old one.

    `of_target` holds only the micro-batches with targets, `counts` their numbers; right is 1 over the sum of `counts`.
    """

    of_target: tuple[float, ...]
    counts: tuple[int, ...]
    stale: float

    @property
    def even(self) -> bool:
        """Whether every target counts the same."""
        return _close(self.of_target)

    @property
    def even_by_micro_batch(self) -> bool:
        """Whether every micro-batch counts the same, however many targets it has."""
        return _close([share * count for share, count in zip(self.of_target, self.counts, strict=True)])

    @property
    def divisor(self) -> float:
        """What the sum over all targets is divided by, where every target counts the same."""
        return 1 / self.of_target[0]


def shares(trial: Trial) -> Shares | None:
    """The `Shares` of a trial's gradient, None where it is no such sum."""
    fixture, gradient = trial.fixture, trial.result["gradient"].double()
    if not gradient.isfinite().all():
        return None
    valid = [place for place, count in enumerate(fixture.counts) if count]
    parts = torch.stack([*fixture.sums[valid], fixture.stale]).double()
    weights = torch.linalg.lstsq(parts.T, gradient).solution
    if (weights @ parts - gradient).norm() > 1e-3 * gradient.norm():
        return None
    *of_target, stale = (round(weight, 7) for weight in weights.tolist())
    return Shares(tuple(of_target), tuple(fixture.counts[place] for place in valid), stale)


def _close(values) -> bool:
    return max(values) - min(values) <= 1e-3 * max(map(abs, values))
