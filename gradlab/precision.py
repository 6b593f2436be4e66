"""Mixed precision: the dtype of the forward pass, and the scale that keeps small gradients from becoming 0.

    precision = Precision(recipe)
    with precision.autocast():
        loss = ...
    precision.scale(loss).backward()
    precision.unscale_(optimizer)  # before anything looks at the gradients
    ...clip...
    precision.step(optimizer)  # left out where a gradient overflowed

The weights, the gradients of weights and the optimizer's state stay float32; what autocast computes in a smaller dtype
are the layers' outputs, and therefore the gradients of these outputs as well.
"""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

from gradlab.recipe import Recipe

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Autocast and loss scaling as a recipe asks for them, on one device.

    `scaler` is torch's `GradScaler`, None with `loss_scaling="none"`. A `"static"` scale stays what the recipe says.
    A `"dynamic"` one is halved by every overflow and doubled after `growth_interval` updates without one.

    Source: Micikevicius et al., "Mixed Precision Training", arXiv 1710.03740; `torch.autocast`, `torch.amp.GradScaler`.
    """

    def __init__(self, recipe: Recipe, device: torch.device | str = "cpu"):
        self.device = torch.device(device)
        self.scaler = None
        if recipe.loss_scaling != "none":
            self.scaler = torch.amp.GradScaler(
                self.device.type, init_scale=recipe.loss_scale, growth_interval=recipe.growth_interval)
        self.steer(recipe)

    def steer(self, recipe: Recipe) -> None:
        """Take over what may change between updates: a static scale."""
        self._dtype, self._unscale = DTYPES[recipe.precision], recipe.unscale
        self._fixed = recipe.loss_scale if recipe.loss_scaling == "static" else None
        if self._fixed is not None and self._fixed != self.scaler.get_scale():
            self.scaler = torch.amp.GradScaler(self.device.type, init_scale=self._fixed)

    @property
    def loss_scale(self) -> float:
        """What the loss of the next update is multiplied by; 1 without scaling."""
        return self.scaler.get_scale() if self.scaler else 1.0

    def autocast(self) -> AbstractContextManager:
        """In force around the forward pass: what may be computed in the recipe's dtype is."""
        return torch.autocast(self.device.type, self._dtype, enabled=self._dtype != torch.float32)

    def scale(self, loss: Tensor) -> Tensor:
        """The loss times the scale, and so every gradient of its backward pass."""
        return self.scaler.scale(loss) if self.scaler else loss

    def unscale_(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the scale, unless the recipe leaves that to the optimizer's step."""
        if self.scaler and self._unscale:
            self.scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer, finite: bool) -> bool:
        """Update the weights where the gradients are `finite`; whether a scaler left the update out instead.

        Without a scaler nobody mends what is not finite: the update is left out, and the run has to end.
        """
        if self.scaler is None:
            if finite:
                optimizer.step()
            return False
        self.scaler.step(optimizer)  # looks for NaN and infinity itself
        self.scaler.update(self._fixed)
        return not finite
