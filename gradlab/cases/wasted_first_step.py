"""A wasted first step: the optimizer makes an update, and not one weight moves."""

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches, warmup_steps=10):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / warmup_steps))

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        optimizer.step()
        scheduler.step()

        yield {"loss": loss.item(), "lr": scheduler.get_last_lr()[0]}  # a line of the log


def mended(model, batches, warmup_steps=10):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / warmup_steps))

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        optimizer.step()
        scheduler.step()

        yield {"loss": loss.item(), "lr": scheduler.get_last_lr()[0]}  # a line of the log


CASE = Case(
    name="wasted-first-step",
    title="A wasted first step",
    brief=(
        "In November 2024 a user of a fine-tuning library watched the first updates of a run with a warmup, and then "
        "wrote to a second library as well: one should expect \"every optimizer step to adjust the weights of my "
        "model unless there is a good reason not to\". Here is that loop with our model and AdamW. The log shows a "
        "loss and a learning rate above 0 on every line. We have added how far the weights really moved."),
    question="The first update leaves every weight where it was; the second moves them. What is wrong?",
    suspects=("missing-zero-grad", "scheduler-off-by-one", "scheduler-wrong-clock", "optimizer-set-mismatch"),
    pitfall="scheduler-off-by-one",
    program=loop,
    mended=mended,
    shows=(
        "The factor of update 0 is 0 / 10. A first forward and backward pass are paid for, AdamW counts an update, "
        "and the weights stay. The log hides it, because it reads the rate after the scheduler has moved: each line "
        "shows the rate of the next update. The drawing of the ledger has it in its row `step`, lr 0, and ends with "
        "\"nothing to report\" all the same, for a first rate of 0 may be meant; `ledger().findings(\"info\")` holds "
        "the sentence that stands below the last picture. One update of many is a small loss; a scheduler that moves "
        "once an epoch would lose the whole first epoch."),
    report=(
        "The user had opened an issue at torchtune the day before. A maintainer there answered that a first rate of "
        "0 \"doesn't sound right\", and the user that one lost batch is \"probably not the end of the world\". The "
        "proposal was a smallest rate to begin from. The same first 0 was reported for BERT in 2022 and for verl in "
        "2025: it is the arithmetic of step / warmup_steps that begins to count at 0."),
    threads=("huggingface/transformers#34754", "meta-pytorch/torchtune#2010", "google-research/bert#1293",
             "verl-project/verl#3674"),
    recipe=Recipe(steps=20),
    columns=("lr", "moved"),
)
