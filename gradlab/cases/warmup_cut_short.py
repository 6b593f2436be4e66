"""A warmup that did not help: the scheduler counts micro-batches."""

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches, warmup_steps=24, accumulation_steps=8):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / warmup_steps))
    optimizer.step()  # there are no gradients yet, so it moves nothing; it keeps a warning of torch's away

    for number, batch in enumerate(batches, start=1):
        loss = cross_entropy(model(batch.inputs), batch.targets)
        (loss / accumulation_steps).backward()
        if number % accumulation_steps == 0:
            row = {"loss": loss.item(), "lr": optimizer.param_groups[0]["lr"]}  # a line of the log
            optimizer.step()
            optimizer.zero_grad()
            yield row
        scheduler.step()


def mended(model, batches, warmup_steps=24, accumulation_steps=8):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / warmup_steps))
    optimizer.step()  # there are no gradients yet, so it moves nothing; it keeps a warning of torch's away

    for number, batch in enumerate(batches, start=1):
        loss = cross_entropy(model(batch.inputs), batch.targets)
        (loss / accumulation_steps).backward()
        if number % accumulation_steps == 0:
            row = {"loss": loss.item(), "lr": optimizer.param_groups[0]["lr"]}  # a line of the log
            optimizer.step()
            optimizer.zero_grad()
            yield row
            scheduler.step()


CASE = Case(
    name="warmup-cut-short",
    title="A warmup that did not help",
    brief=(
        "Somebody trains with AdamW at a high learning rate, eight micro-batches to an update, and a warmup of 24 "
        "steps, which earlier runs have shown to be enough. Now the loss stays high, as it does without any warmup. "
        "The log has a line an update, with its loss and the learning rate that it used."),
    question="Look at both charts. Why does the warmup not help?",
    suspects=("scheduler-off-by-one", "missing-zero-grad", "scheduler-wrong-clock", "wrong-accumulation-divisor"),
    pitfall="scheduler-wrong-clock",
    program=loop,
    mended=mended,
    shows=(
        "The last line of the loop stands one level too far out, so the scheduler moves for each micro-batch: eight "
        "times for an update. The code says 24 steps, the rate is at its peak with the third update, and nothing "
        "says that the two count different things. A decay after it would be over after an eighth of the run. torch "
        "warns where a scheduler moves before the first update, and this loop had kept that warning away."),
    report=(
        "In April 2020 a user of PyTorch Lightning reported that the schedule moved with every forward pass. With 16 "
        "micro-batches to an update, a warmup of 16,000 steps lasted 1,000 updates, which had cost much instability "
        "before it was noticed; the maintainer agreed within the day that it ought to follow the updates. It keeps "
        "coming back: in starVLA in 2026, where also every resumed run began at a wrong rate, because one part "
        "counted updates and the other micro-batches, and in accelerate in 2023."),
    threads=("Lightning-AI/pytorch-lightning#1476", "starVLA/starVLA#210", "huggingface/accelerate#963"),
    recipe=Recipe(steps=40, batch_size=2),
    columns=("loss", "lr"),
    seeds=(0, 1),
    look={"top": 4.0},
    recorded=range(2),
)
