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
from gradlab.recipe import Recipe

MOMENTUM = 0.9  # of SGD
DATA_STREAM = 0x5EED  # the data must not be drawn from the same numbers as the weights


class Controls(Protocol):
    """What steers a run while it trains: `read()` returns values for some of `Recipe.LIVE`, in force at once."""

    def read(self) -> dict: ...


def train(recipe: Recipe, controls: Controls | None = None) -> Iterator[Step]:
    """Run a recipe: make its model, data and optimizer, and yield one `Step` per optimizer update.

    A generator: nothing happens before the first `next`, and whoever holds it may stop at any step. `controls` is read
    before each update. A run that turns non-finite yields the step that shows it and ends, without that update if it
    was the loss or the gradient.
    """
    if not torch.is_grad_enabled():
        raise RuntimeError("training needs gradients, and torch.no_grad() or inference_mode() is in force: leave it")
    model = make_model(recipe)
    optimizer = make_optimizer(recipe, model)
    groups = model.parameter_groups()
    data = NumberWords(recipe.seed ^ DATA_STREAM, recipe.digits, recipe.batch_size)
    rule, steered = make_rule(recipe), {}
    weights = [parameter.detach().flatten() for parameter in model.parameters()]  # views: they follow the updates
    before = torch.cat(weights)
    before_norm = global_norm([before])

    for step in range(recipe.steps):
        began = time.perf_counter()
        if controls is not None and (changes := controls.read()) != steered:
            recipe, steered = recipe.steer(changes), changes
            rule, data.batch_size = make_rule(recipe), recipe.batch_size

        optimizer.zero_grad()
        batches = [next(data) for _ in range(recipe.accumulation_steps)]
        targets = [int(batch.mask.sum()) for batch in batches]
        loss = 0.0
        for batch, count in zip(batches, targets, strict=True):
            # Weighted by its share of all targets: a mean of the micro-batches' means would be another gradient.
            micro = cross_entropy(model(batch.inputs), batch.targets) * (count / sum(targets))
            micro.backward()
            loss += micro.item()

        clip = rule(groups)

        optimizer.param_groups[0]["lr"] = lr = recipe.lr_at(step)
        if clip.finite:
            optimizer.step()

        after = torch.cat(weights)
        after_norm, update_ratio = global_norm([after]), global_norm([after - before]) / before_norm
        before, before_norm = after, after_norm
        yield (measured := Step(
            step, loss, lr, rule.max_norm, clip.norm_before, clip.norm_after, clip.coefficient, clip.clipped,
            after_norm, update_ratio, sum(targets), time.perf_counter() - began))
        if not measured.finite:
            return


def make_model(recipe: Recipe) -> Transformer:
    """The model of a recipe with its first weights, from the recipe's seed alone."""
    return Transformer(
        len(CHARACTERS), longest(recipe.digits), d_model=recipe.d_model, n_layers=recipe.n_layers,
        n_heads=recipe.n_heads, norm=recipe.norm, activation=recipe.activation, init=recipe.init,
        residual=recipe.residual, qk_norm=recipe.qk_norm, generator=torch.Generator().manual_seed(recipe.seed))


def make_optimizer(recipe: Recipe, model: Transformer) -> torch.optim.Optimizer:
    """The optimizer of a recipe over all parameters, as one group."""
    # fused: the same arithmetic in one loop over each tensor; a third (SGD) or a sixth (AdamW) of the time.
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=MOMENTUM, fused=True)
    return torch.optim.AdamW(model.parameters(), lr=recipe.lr, fused=True)


def make_rule(recipe: Recipe) -> ClippingRule:
    """The clipping rule of a recipe. It lets non-finite gradients pass: the run is over, and says so itself."""
    return RULES[recipe.clip](float("inf") if recipe.max_norm is None else recipe.max_norm, nonfinite="torch")
