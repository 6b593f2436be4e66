"""Step and History: what a run tells about itself."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """One optimizer update, as it was measured.

    - `step`: number of the update, counted from 0
    - `loss`: mean over the update's targets before the update, nats
    - `lr`, `max_norm`: the learning rate and the clipping threshold in force; `max_norm` is inf without clipping
    - `norm_before`, `norm_after`, `coefficient`, `clipped`: see `gradlab.clip.ClipResult`; the norms are
      `loss_scale` times the true ones if the recipe clips before it unscales
    - `param_norm`: L2 norm of all parameters after the update
    - `update_ratio`: L2 norm of the update over that of the parameters before it
    - `tokens`: targets that the loss was averaged over
    - `seconds`: wall time of the update
    - `loss_scale`: what the loss was multiplied by for the backward pass, 1 without loss scaling
    - `skipped`: whether the scaler left the update out, because a gradient was NaN or infinite

    In the last step of a run that diverged, `loss` or a norm is NaN or infinite.
    """

    step: int
    loss: float
    lr: float
    max_norm: float
    norm_before: float
    norm_after: float
    coefficient: float
    clipped: bool
    param_norm: float
    update_ratio: float
    tokens: int
    seconds: float
    loss_scale: float = 1.0
    skipped: bool = False

    @property
    def finite(self) -> bool:
        """Whether loss, gradient and parameters are all finite; a gradient that was left out need not be."""
        return math.isfinite(self.loss + self.param_norm) and (self.skipped or math.isfinite(self.norm_before))

    def __str__(self) -> str:
        clipped = "YES" if self.clipped else "no"
        return (f"[Step {self.step}] Loss: {self.loss:.4f} | "
                f"Grad norm: {self.norm_before:.4f} -> {self.norm_after:.4f} (clipped: {clipped}) | "
                f"Param norm: {self.param_norm:.4f} | LR: {self.lr:.6f}")


class History:
    """The steps of a run, in order; each field of `Step` is a column, a numpy array: `history.loss`.

    `History(train(recipe))` runs the recipe to its end. Indexing and iterating give Steps, a slice gives a History.
    """

    def __init__(self, steps: Iterable[Step] = ()):
        self.steps = list(steps)

    def __getattr__(self, name: str) -> np.ndarray:
        if name not in Step._fields:
            raise AttributeError(f"a History has no {name!r}; its columns are {', '.join(Step._fields)}")
        return np.array([getattr(step, name) for step in self.steps], dtype=Step.__annotations__[name])

    def __dir__(self):
        return [*super().__dir__(), *Step._fields]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self):
        return iter(self.steps)

    def __getitem__(self, index):
        return History(self.steps[index]) if isinstance(index, slice) else self.steps[index]

    def __repr__(self) -> str:
        if not self.steps:
            return "<History: no steps>"
        end = f"diverged at step {self.first_nonfinite_step}" if self.diverged else f"final loss {self.final_loss:.3f}"
        return f"<History: {len(self)} steps, {end}, {self.clipped_share:.0%} clipped>"

    @property
    def first_nonfinite_step(self) -> int | None:
        """Number of the first step at which loss, gradient norm or parameter norm was not finite; None if none was."""
        return next((step.step for step in self.steps if not step.finite), None)

    @property
    def diverged(self) -> bool:
        """Whether anything turned NaN or infinite."""
        return self.first_nonfinite_step is not None

    @property
    def final_loss(self) -> float:
        """Mean of the last ten losses, nats; inf for a run that diverged, so that medians over seeds stay meaningful.

        Errors: ValueError without steps.
        """
        if not self.steps:
            raise ValueError("a History without steps has no final loss; train for at least 1 step")
        return math.inf if self.diverged else float(np.mean(self.loss[-10:]))

    @property
    def clipped_share(self) -> float:
        """Share of the steps at which clipping changed the gradient, 0 to 1; NaN without steps."""
        return float(np.mean(self.clipped)) if self.steps else math.nan
