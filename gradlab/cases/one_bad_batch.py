"""One bad batch: the loss is finite, clipping is on, and after it every weight is NaN."""

import torch

from gradlab.cases.case import Case
from gradlab.data import IGNORE
from gradlab.recipe import Recipe


def loop(model, batches, max_norm=1.0):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    for number, batch in enumerate(batches):
        if number == 12:
            batch.targets[3] = IGNORE  # an example of which nothing is left to predict
        optimizer.zero_grad()
        scores = model(batch.inputs).log_softmax(-1)
        right = scores.gather(-1, batch.targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        asked = batch.targets != IGNORE
        counts = asked.sum(1)
        of_example = -(right * asked).sum(1) / counts
        loss = torch.where(counts > 0, of_example, 0.0).mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()

        yield {"loss": loss.item(), "clipped": float(norm > max_norm)}  # a line of the log


def mended(model, batches, max_norm=1.0):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    for number, batch in enumerate(batches):
        if number == 12:
            batch.targets[3] = IGNORE  # an example of which nothing is left to predict
        optimizer.zero_grad()
        scores = model(batch.inputs).log_softmax(-1)
        right = scores.gather(-1, batch.targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        asked = batch.targets != IGNORE
        counts = asked.sum(1)
        of_example = -(right * asked).sum(1) / counts
        loss = torch.where(counts > 0, of_example, 0.0).mean()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        if not torch.isfinite(norm):
            continue
        optimizer.step()

        yield {"loss": loss.item(), "clipped": float(norm > max_norm)}  # a line of the log


CASE = Case(
    name="one-bad-batch",
    title="One bad batch",
    brief=(
        "In August 2026 somebody lost three fine-tuning runs in the same way: from one line of the log to the next the "
        "loss was NaN and stayed so, once within the first ten updates, at a learning rate far too small to diverge. "
        "Here is a loop of ours that does the same, with clipping on. The loss of the last good line is an ordinary "
        "one, and a limit of a hundredth changes nothing. We have added how far the weights moved."),
    question="From one update to the next everything is NaN, and clipping is on. What is wrong?",
    suspects=("low-precision-norm", "max-norm-not-positive", "clip-after-step", "clip-cures-nonfinite"),
    pitfall="clip-cures-nonfinite",
    program=loop,
    mended=mended,
    shows=(
        "Example 3 of batch 12, both counted from 0, has no target, so its mean is 0 / 0. `torch.where` puts 0 in its "
        "place, and the loss is finite. Backward the 0 that `where` sends down that branch is multiplied by 1 / 0: "
        "NaN. One entry that is NaN makes the norm NaN and the clip's factor NaN, and that multiplies every gradient. "
        "The step then writes it into every weight. A look at the loss would have seen nothing; a look at the norm, "
        "which the clip computes anyway, is enough to leave the update out. The cause stays: the next thing to do is "
        "to find the batch."),
    report=(
        "The trainer in the first thread had neither a clip nor a check. With both put in, the same data went through: "
        "one batch in the first forty was left out, with a finite loss and a norm of NaN, after norms of five thousand "
        "and of 178 million that the clip had cut. The author's conclusion: clipping alone would still have lost "
        "the run. That torch's clip lets such gradients pass without a word was reported in 2020; since then "
        "`error_if_nonfinite=True` makes it refuse them. In their run the cause was another: the backward pass "
        "overflowed."),
    threads=("ml-explore/mlx-lm#1658", "ml-explore/mlx-lm#1659", "pytorch/pytorch#46849"),
    recipe=Recipe(steps=25),
    arms={"max_norm 0.01": {"max_norm": 0.01}, "max_norm 1": {}},
    columns=("loss", "moved"),
    recorded=range(11, 14),
)
