"""Profile: how long the gradient is at each place of a network, from the input's end to the output's."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from gradlab.norms import global_norm


@dataclass(frozen=True, eq=False)
class Profile:
    """Gradient norms along a network: `norms[0]` is next to the input, `norms[-1]` next to the loss.

    - `norms`: float64, `(places,)`; NaN where a place has no gradient at all
    - `place`: what is counted: `"layer"`, `"block"` or `"time step"`
    """

    norms: np.ndarray
    place: str = "layer"

    def __post_init__(self):
        norms = np.asarray(self.norms, dtype=float)
        if norms.ndim != 1 or not len(norms):
            raise ValueError(f"a profile is one row of at least one norm, got shape {norms.shape}")
        if (norms < 0).any():
            raise ValueError(f"a norm is at least 0, got {norms.min():g}")
        object.__setattr__(self, "norms", norms)

    @property
    def ratio(self) -> float:
        """The norm at the loss's end over the norm at the input's end: far above 1 where gradients vanish on their way
        back, far below where they explode, inf where nothing arrives."""
        first, last = float(self.norms[0]), float(self.norms[-1])
        return last / first if first else (math.nan if not last else math.inf)

    @property
    def growth(self) -> float:
        """The factor by which the norm changes with each place on its way back, on average: above 1 it grows."""
        return self.ratio ** (-1 / (len(self) - 1)) if len(self) > 1 else 1.0

    def __len__(self) -> int:
        return len(self.norms)

    def __repr__(self) -> str:
        return f"<Profile: {len(self)} {self.place}s>"


def weight_norms(parts: Iterable[nn.Module]) -> np.ndarray:
    """For each part the L2 norm of the gradients of its weight matrices together, `(parts,)`.

    Matrices are parameters with two dimensions or more: biases and the scales of norms are left out, since some of them
    have a gradient of 0 by construction. NaN for a part in which no matrix has a gradient.
    """
    found = []
    for part in parts:
        gradients = [p.grad for p in part.parameters() if p.dim() >= 2 and p.grad is not None]
        found.append(global_norm(gradients) if gradients else math.nan)
    return np.array(found)


def typical(profiles: Sequence[Profile]) -> Profile:
    """The median of several profiles of equal length, place by place: what is typical of some seeds.

    Errors: ValueError for none, and for different lengths.
    """
    lengths = {len(profile) for profile in profiles}
    if len(lengths) != 1:
        raise ValueError("a median needs profiles of one length, got "
                         + (f"lengths {', '.join(map(str, sorted(lengths)))}" if lengths else "none"))
    return Profile(np.median([profile.norms for profile in profiles], axis=0), profiles[0].place)
