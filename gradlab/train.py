"""The training loop, in the order that a learner should remember."""

import time
from collections.abc import Iterator
from typing import Protocol

import torch

from gradlab.clip import RULES, ClippingRule
from gradlab.data import CHARACTERS, NumberWords, longest
from gradlab.history import Step
from gradlab.model import Transformer, cross_entropy
from gradlab.norms import global_norm
from gradlab.precision import Precision
from gradlab.recipe import Recipe

MOMENTUM = 0.9  # of SGD
DATA_STREAM = 0x5EED  # the data must not be drawn from the same numbers as the weights


class Controls(Protocol):
    """What steers a run while it trains: `read()` returns values for some of `Recipe.LIVE`, in force at once."""

    def read(self) -> dict: ...


def train(recipe: Recipe, controls: Controls | None = None, device: torch.device | str = "cpu") -> Iterator[Step]:
    """Run a recipe: make its model, data and optimizer, and yield one `Step` per optimizer update.

    A generator: nothing happens before the first `next`, and whoever holds it may stop at any step. `controls` is read
    before each update. A run that turns non-finite yields the step that shows it and ends, without that update if it
    was the loss or the gradient; a gradient that overflowed under loss scaling costs one update, not the run.
    First weights and batches are drawn on the CPU, so they are the same on every `device`.
    """
    if not torch.is_grad_enabled():
        raise RuntimeError("training needs gradients, and torch.no_grad() or inference_mode() is in force: leave it")
    model = make_model(recipe).to(device)
    optimizer = make_optimizer(recipe, model)
    groups = model.parameter_groups()
    data = NumberWords(recipe.seed ^ DATA_STREAM, recipe.digits, recipe.batch_size)
    precision = Precision(recipe, device)
    rule, steered = make_rule(recipe), {}
    weights = [parameter.detach().flatten() for parameter in model.parameters()]  # views: they follow the updates
    before = torch.cat(weights)
    before_norm = global_norm([before])

    for step in range(recipe.steps):
        began = time.perf_counter()
        if controls is not None and (changes := controls.read()) != steered:
            recipe, steered = recipe.steer(changes), changes
            rule, data.batch_size = make_rule(recipe), recipe.batch_size
            precision.steer(recipe)

        optimizer.zero_grad()
        batches = [next(data).to(device) for _ in range(recipe.accumulation_steps)]
        targets = [int(batch.mask.sum()) for batch in batches]
        loss, loss_scale = 0.0, precision.loss_scale
        for batch, count, share in zip(batches, targets, shares(recipe.averaging, targets), strict=True):
            with precision.autocast():
                micro = cross_entropy(model(batch.inputs), batch.targets)
            precision.scale(micro * (share * recipe.loss_weight)).backward()
            loss += micro.item() * count / sum(targets)

        precision.unscale_(optimizer)
        clip = rule(groups)

        optimizer.param_groups[0]["lr"] = lr = recipe.lr_at(step)
        skipped = precision.step(optimizer, clip.finite)

        after = torch.cat(weights)
        after_norm, update_ratio = global_norm([after]), global_norm([after - before]) / before_norm
        before, before_norm = after, after_norm
        yield (measured := Step(
            step, loss, lr, rule.max_norm, clip.norm_before, clip.norm_after, clip.coefficient, clip.clipped,
            after_norm, update_ratio, sum(targets), time.perf_counter() - began,
            loss_scale, skipped))
        if not measured.finite:
            return


def shares(averaging: str, targets: list[int]) -> list[float]:
    """What the mean loss of each micro-batch is multiplied by; see `Recipe.averaging`.

    `targets` counts those of each micro-batch. Weighted by tokens, the sum of the weighted losses has the gradient of
    one large batch. A mean of the micro-batches' means has another one, unless they all have as many targets.
    """
    match averaging:
        case "tokens":
            return [count / sum(targets) for count in targets]
        case "micro_batches":
            return [1 / len(targets)] * len(targets)
        case "sum":
            return [1.0] * len(targets)
    raise ValueError(f"averaging must be 'tokens', 'micro_batches' or 'sum', got {averaging!r}")


def make_model(recipe: Recipe) -> Transformer:
    """The model of a recipe with its first weights, from the recipe's seed alone."""
    return Transformer(
        len(CHARACTERS), longest(recipe.digits), d_model=recipe.d_model, n_layers=recipe.n_layers,
        n_heads=recipe.n_heads, norm=recipe.norm, activation=recipe.activation, init=recipe.init,
        residual=recipe.residual, qk_norm=recipe.qk_norm, generator=torch.Generator().manual_seed(recipe.seed))


def make_optimizer(recipe: Recipe, model: Transformer) -> torch.optim.Optimizer:
    """The optimizer of a recipe over all parameters, as one group."""
    # fused: the same arithmetic in one loop over each tensor; a third (SGD) or a sixth (AdamW) of the time. Not under a
    # scaler: torch calls a fused optimizer even where it skips the update, and if that is the first one, SGD's momentum
    # begins with whatever the memory held.
    fused = recipe.loss_scaling == "none"
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=MOMENTUM, fused=fused)
    return torch.optim.AdamW(model.parameters(), lr=recipe.lr, fused=fused)


def make_rule(recipe: Recipe) -> ClippingRule:
    """The clipping rule of a recipe. It lets non-finite gradients pass: the run is over, and says so itself."""
    return RULES[recipe.clip](float("inf") if recipe.max_norm is None else recipe.max_norm, nonfinite="torch")
