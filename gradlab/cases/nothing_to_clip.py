"""Nothing to clip: the log says that the gradient is zero, and the model learns."""

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches, max_norm=1.0):
    for frozen in (model.token, model.position):
        frozen.requires_grad_(False)
    trainable = filter(lambda p: p.requires_grad, model.parameters())
    optimizer = torch.optim.AdamW(trainable, lr=0.01)

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trainable, max_norm)
        optimizer.step()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


def mended(model, batches, max_norm=1.0):
    for frozen in (model.token, model.position):
        frozen.requires_grad_(False)
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=0.01)

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trainable, max_norm)
        optimizer.step()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


CASE = Case(
    name="nothing-to-clip",
    title="Nothing to clip",
    brief=(
        "A public script for fine-tuning a text-to-image model leaves most weights frozen and clips the gradient of "
        "the others at 1. Here is that loop with our model, its embeddings frozen, trained with AdamW as theirs was. "
        "Their log held loss and learning rate; ours holds the norm that the clipping call returns. It is 0 at every "
        "update, and the model learns as if that were nothing."),
    question="The clip sees a gradient of norm 0 at every update, and the loss falls. What is wrong?",
    suspects=("low-precision-norm", "clip-before-backward", "zero-grad-before-step", "exhausted-parameters"),
    pitfall="exhausted-parameters",
    program=loop,
    mended=mended,
    shows=(
        "`filter` gives out each parameter once. The optimizer takes them all when it is made, and every clip after "
        "that is given none. A recent torch warns when a generator is used up, but not for `filter`. And the harm? On "
        "a calm run under AdamW there is none to see. But make one single gradient a thousand times too long: the "
        "mended loop does not notice, and this one loses what it had learned and does not find it again."),
    report=(
        "The LoRA script of PixArt-alpha, published in December 2023. In June 2024 a user proposed to make a list of "
        "it: without one there is \"no gradient clipping\", which \"might lead to exploding gradients\". The "
        "maintainer asked what this line changes in training, and the newest copy of the script that we have seen, "
        "of October 2024, still has it."),
    threads=("PixArt-alpha/PixArt-alpha#160", "pytorch/pytorch#148259"),
    recipe=Recipe(steps=50),
    look={"threshold": 1.0},
)
