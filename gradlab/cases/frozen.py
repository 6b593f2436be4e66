"""Frozen: loss scaling works, clipping works, and together nothing moves."""

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches, max_norm=1.0, scaling=True):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, enabled=scaling)

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        scaler.scale(loss).backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


def mended(model, batches, max_norm=1.0, scaling=True):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16, enabled=scaling)

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


CASE = Case(
    name="frozen",
    title="Frozen",
    brief=(
        "In September 2021, within three weeks, three users of one training framework reported that mixed precision "
        "and gradient clipping did not go together: \"the loss converged very slow\", wrote one, \"our loss was much "
        "worse\" another. Here is that loop with our model and plain SGD. With clipping alone it learns, with loss "
        "scaling alone it learns, with both it does not move. Nothing fails, and nothing warns."),
    question="Each of the two works alone. With both, the loss stays where it began. What is wrong?",
    suspects=("scaler-dtype-mismatch", "clip-before-unscale", "scaler-bypassed", "max-norm-not-positive"),
    pitfall="clip-before-unscale",
    program=loop,
    mended=mended,
    shows=(
        "The loss is multiplied by 65,536 before the backward pass, and so are all gradients. The clip cuts them to "
        "length 1, and `scaler.step` then divides that by 65,536. Every update is clipped, and no gradient that "
        "reaches the optimizer is longer than 1 / 65,536. Loss scaling alone is harmless, because "
        "`scaler.step` undoes it first."),
    report=(
        "Lightning clipped right after the backward pass and unscaled later. The result \"may lead to a very flat "
        "learning curve\", says one report; in another GPT had roughly the same curve in every configuration but "
        "this one. A year before, a user of bare PyTorch had written that with clipping \"the loss does not decrease "
        "anymore\". In November 2023 the same order was found in a popular U-Net script, and mended with one line."),
    threads=("Lightning-AI/pytorch-lightning#9694", "Lightning-AI/pytorch-lightning#9599",
             "Lightning-AI/pytorch-lightning#9330", "pytorch/pytorch#40907", "milesial/Pytorch-UNet#468"),
    recipe=Recipe(steps=30),
    arms={"clipping alone": {"scaling": False}, "loss scaling alone": {"max_norm": float("inf")},
          "both": {}},
    look={"threshold": 1.0},
)
