"""The lab's transformer before its first update: how long the gradient is in each block."""

import torch

from gradlab.data import CHARACTERS, NumberWords, longest
from gradlab.depth import given
from gradlab.depth.profile import Profile, weight_norms
from gradlab.model import Transformer, cross_entropy
from gradlab.recipe import Recipe
from gradlab.threads import one_thread
from gradlab.train import DATA_STREAM


@one_thread()
def transformer_profile(depth: int = 4, *, norm: str = "pre", activation: str = "gelu", init: str = "default",
                        residual: bool = True, width: int = 32, embedding: float = 1.0, seed: int = 0) -> Profile:
    """The weight gradients' norms of a fresh `gradlab.model.Transformer`, block by block, on one batch of its own task.

    `embedding` is what the embeddings are multiplied by: 1 leaves them at a variance of 1 each. Everything else is as
    in a `Recipe` with `n_layers=depth` and `d_model=width`, whose errors these are.
    """
    model, batch = _fresh(depth, norm, activation, init, residual, width, embedding, seed)
    cross_entropy(model(batch.inputs), batch.targets).backward()
    return Profile(weight_norms(model.blocks), "block")


@one_thread()
def last_block_gradient(depth: int = 4, *, norm: str = "pre", activation: str = "gelu", init: str = "default",
                        residual: bool = True, width: int = 32, embedding: float = 1.0, seed: int = 0) -> float:
    """How long the gradient of one target's loss is in the last matrix of the last block, on average over a batch.

    For a single target, not for the mean over many: in that one the targets' gradients partly cancel, and how much they
    do depends on the depth as well. Arguments as in `transformer_profile`.

    Source: Theorem 1 of Xiong et al., "On Layer Normalization in the Transformer Architecture", arXiv 2002.04745.
    """
    model, batch = _fresh(depth, norm, activation, init, residual, width, embedding, seed)
    seen = {}

    def watch(module, inputs, output):
        output.retain_grad()
        seen.update(inputs=inputs[0].detach(), output=output)

    model.blocks[-1].feed_forward.down.register_forward_hook(watch)
    (cross_entropy(model(batch.inputs), batch.targets) * batch.mask.sum()).backward()
    # The gradient for one target is an outer product, and its norm the product of two. A position's gradient here holds
    # its own target's only: after the last block no position looks at another.
    norms = seen["output"].grad.norm(dim=-1) * seen["inputs"].norm(dim=-1)
    return float(norms[batch.mask].mean())


def _fresh(depth, norm, activation, init, residual, width, embedding, seed):
    """A model before its first update, and its first batch."""
    recipe = Recipe(seed=seed, n_layers=depth, norm=norm, activation=activation, init=init, residual=residual,
                    d_model=width)
    generator = torch.Generator().manual_seed(recipe.seed)
    model = Transformer(len(CHARACTERS), longest(recipe.digits), d_model=recipe.d_model, n_layers=recipe.n_layers,
                        n_heads=recipe.n_heads, norm=recipe.norm, activation=recipe.activation, init=recipe.init,
                        residual=recipe.residual, generator=generator)
    with torch.no_grad():
        for table in (model.token, model.position):
            table.weight.mul_(given.size("embedding", embedding))
    return model, next(NumberWords(recipe.seed ^ DATA_STREAM, recipe.digits, recipe.batch_size))
