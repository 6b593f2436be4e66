"""The gradient noise scale: how large a batch must be before its gradient is more signal than noise.

The gradient of a batch of B samples is the gradient G over all samples plus noise. The noise has the squared length
tr Σ / B on average, where Σ is the covariance of the gradients of single samples, so

    E ‖gradient of B samples‖² = ‖G‖² + tr Σ / B.

The simple noise scale tr Σ / ‖G‖² is the batch size at which both parts are equally long. Squared norms at two batch
sizes are two equations for the two unknowns, and a loop that accumulates gradients has both: its micro-batches and its
window.

Source: McCandlish, Kaplan, Amodei, OpenAI Dota Team, "An Empirical Model of Large-Batch Training", arXiv 1812.06162,
appendix A.1.
"""

import math
import numbers
from collections.abc import Iterable

import torch
from torch import Tensor


class NoiseScale:
    """A running estimate of the simple noise scale from squared gradient norms at two batch sizes.

        scale = NoiseScale(small_batch=16, large_batch=128)
        scale.update([norm**2 for norm in norms_of_the_micro_batches], norm_of_the_window**2)
        scale.value

    Both gradients are those of a *mean* loss. Each update is an unbiased estimate of ‖G‖² and of tr Σ; they are
    averaged first and divided last. A single estimate of ‖G‖² may be nearly 0 or below it, so the mean of the ratios
    is not an estimate of anything.

    - `small_batch`, `large_batch`: samples, whole numbers, the second larger. Samples that are not independent, such as
      the tokens of one text, should be counted together as one

    Errors: TypeError for a batch size or a squared norm that is no number; ValueError for batch sizes that are not
    above 0 or not in this order, and for a squared norm that is negative, NaN or infinite. A refused update changes
    nothing.
    """

    def __init__(self, small_batch: int, large_batch: int):
        for name, size in (("small_batch", small_batch), ("large_batch", large_batch)):
            if isinstance(size, bool) or not isinstance(size, numbers.Integral):
                raise TypeError(f"NoiseScale: {name} must be a whole number of samples, got {size!r}")
            if size < 1:
                raise ValueError(f"NoiseScale: {name} must be at least 1, got {size!r}")
        if small_batch >= large_batch:
            told = ("two equal batch sizes are one equation for two unknowns" if small_batch == large_batch else
                    "the sizes are in the wrong order")
            raise ValueError(f"NoiseScale: large_batch must be above small_batch, got small_batch={small_batch}, "
                             f"large_batch={large_batch}; {told}")
        self.small_batch, self.large_batch = int(small_batch), int(large_batch)
        self.updates = 0
        self._signal = self._noise = 0.0

    def update(self, small_squared: float | Iterable[float], large_squared: float) -> None:
        """Add one measurement: squared gradient norms of a small batch, or of several, and of one large batch.

        Of several small batches, such as the micro-batches of a window, the mean is taken.
        """
        squares = [small_squared] if _single(small_squared) else list(small_squared)
        if not squares:
            raise ValueError("NoiseScale.update: small_squared holds no squared norm; give that of at least one batch")
        squares = [_squared("small_squared", value) for value in squares]
        small, large = math.fsum(squares) / len(squares), _squared("large_squared", large_squared)
        b, B = self.small_batch, self.large_batch
        # The two equations E small = signal + noise / b and E large = signal + noise / B, solved.
        self._signal += (B * large - b * small) / (B - b)
        self._noise += (small - large) / (1 / b - 1 / B)
        self.updates += 1

    @property
    def signal(self) -> float:
        """The mean estimate of ‖G‖²; below 0 by chance while there are few updates, NaN without any."""
        return self._signal / self.updates if self.updates else math.nan

    @property
    def noise(self) -> float:
        """The mean estimate of tr Σ, NaN without updates."""
        return self._noise / self.updates if self.updates else math.nan

    @property
    def value(self) -> float:
        """The noise scale in samples; NaN as long as the estimate of ‖G‖² is not above 0."""
        return self.noise / self.signal if self.signal > 0 else math.nan

    def __repr__(self) -> str:
        return (f"<NoiseScale: {self.value:.4g} samples from {self.updates} updates at {self.small_batch} and "
                f"{self.large_batch}>")


def exact_noise_scale(gradients: Tensor, mean: Tensor | None = None) -> float:
    """The simple noise scale tr Σ / ‖G‖², in samples, from the gradients of single samples `(samples, parameters)`.

    `mean` `(parameters,)` is G, the gradient over all samples. Without it the given samples count as all there are.

    Errors: ValueError for other shapes, fewer than two samples, numbers that are not finite, or G of length 0.
    """
    if gradients.ndim != 2 or len(gradients) < 2:
        raise ValueError("exact_noise_scale: gradients must have the shape (samples, parameters) with at least two "
                         f"samples, got {tuple(gradients.shape)}")
    if mean is not None and mean.shape != gradients.shape[1:]:
        raise ValueError(f"exact_noise_scale: mean must have the shape ({gradients.shape[1]},) of one gradient, got "
                         f"{tuple(mean.shape)}")
    gradients, wide = gradients.detach(), {"dtype": torch.float64}
    own = gradients.mean(0, **wide)
    mean = own if mean is None else mean.detach().double()
    signal = (mean @ mean).item()
    # The mean of ‖g - G‖², multiplied out, so that no copy of all gradients is made.
    squares = torch.linalg.vector_norm(gradients, dim=1, **wide) ** 2
    noise = max(0.0, (squares.mean() - 2 * own @ mean + mean @ mean).item())
    if not math.isfinite(noise + signal):
        raise ValueError("exact_noise_scale: gradients and mean must be finite, and some of these numbers are not")
    if signal == 0:
        raise ValueError("exact_noise_scale: the mean gradient is 0, so there is no signal to compare the noise with")
    return noise / signal


def _single(value) -> bool:
    """Whether it is one number rather than several: a number, or a tensor or array with exactly one and no axes."""
    return not isinstance(value, Iterable) or getattr(value, "ndim", None) == 0


def _squared(name: str, value) -> float:
    value = value.item() if getattr(value, "ndim", None) == 0 else value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"NoiseScale.update: {name} must be a squared norm, a number, got {value!r:.60}")
    if not (math.isfinite(value) and value >= 0):
        why = "a square is not negative" if value < 0 else "leave out updates whose gradient overflowed"
        raise ValueError(f"NoiseScale.update: {name} must be finite and not below 0, got {value!r}; {why}")
    return float(value)
