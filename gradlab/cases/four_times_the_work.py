"""Four times the work: each update takes four micro-batches, and the model learns no better for it."""

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches, accumulation_steps=4):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)

    for micro_step, batch in enumerate(batches, start=1):
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        (loss / accumulation_steps).backward()

        if micro_step % accumulation_steps == 0:
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


def mended(model, batches, accumulation_steps=4):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)

    for micro_step, batch in enumerate(batches, start=1):
        loss = cross_entropy(model(batch.inputs), batch.targets)
        (loss / accumulation_steps).backward()

        if micro_step % accumulation_steps == 0:
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            optimizer.zero_grad()
            yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


CASE = Case(
    name="four-times-the-work",
    title="Four times the work",
    brief=(
        "A public script for training image generators can accumulate the gradients of several micro-batches before "
        "each update. Here is that loop with our model and plain SGD, once with one micro-batch of four examples an "
        "update and once with four of them. The second does four times the work for an update, and learns more "
        "slowly; the norms in its log are about a quarter of those in the other."),
    question="With four micro-batches an update it learns more slowly than with one. What is wrong?",
    suspects=("mean-of-means", "clip-each-micro-batch", "wrong-accumulation-divisor", "zero-grad-before-step"),
    pitfall="zero-grad-before-step",
    program=loop,
    mended=mended,
    shows=(
        "Every micro-batch begins with `zero_grad`, so three of four gradients are thrown away before the step, and "
        "the one that is left is still divided by four. A loop that is shown only every fourth micro-batch, with its "
        "loss divided by four, makes the same updates to the last bit."),
    report=(
        "The training script of RAE. Its first version, of October 2025, cleared after the step; a rewrite in "
        "December 2025 cleared in every micro-batch, and an issue said so in February 2026. The maintainer had no "
        "machine at hand to debug it and asked for a fix; a user proposed one. Theirs is AdamW, which hides that the "
        "gradient is too short, but not that it comes from one micro-batch."),
    threads=("bytetriper/RAE#67", "bytetriper/RAE#78"),
    recipe=Recipe(steps=40, batch_size=4),
    arms={"1 micro-batch": {"accumulation_steps": 1}, "4 micro-batches": {}},
    recorded=range(2),
    look={"threshold": 1.0},
)
