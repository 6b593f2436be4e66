"""Every third update: the log of an accumulating loop shows half the loss and half the norm, again and again."""

import itertools

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches, accumulation_steps=4, batches_per_epoch=10):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)

    while epoch := list(itertools.islice(batches, batches_per_epoch)):
        for start in range(0, len(epoch), accumulation_steps):
            window, loss_in_log = epoch[start:start + accumulation_steps], 0.0
            for batch in window:
                loss = cross_entropy(model(batch.inputs), batch.targets) / accumulation_steps
                loss.backward()
                loss_in_log += loss.item()

            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            optimizer.zero_grad()
            yield {"loss": loss_in_log, "norm": norm.item()}  # a line of the log


def mended(model, batches, accumulation_steps=4, batches_per_epoch=10):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)

    while epoch := list(itertools.islice(batches, batches_per_epoch)):
        for start in range(0, len(epoch), accumulation_steps):
            window, loss_in_log = epoch[start:start + accumulation_steps], 0.0
            for batch in window:
                loss = cross_entropy(model(batch.inputs), batch.targets) / len(window)
                loss.backward()
                loss_in_log += loss.item()

            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            optimizer.step()
            optimizer.zero_grad()
            yield {"loss": loss_in_log, "norm": norm.item()}  # a line of the log


CASE = Case(
    name="every-third-update",
    title="Every third update",
    brief=(
        "In June 2025 somebody let a widely used trainer run at a learning rate of 0. Nothing could change, and its "
        "log showed the same loss and the same gradient norm on every line, except at the end of each epoch: there "
        "both were half as large. Here is such a loop with our model, an ordinary learning rate and four "
        "micro-batches an update. Its log sums up the losses of the micro-batches as they go into `backward()`."),
    question="Every third line of the log shows about half the loss and a shorter gradient. What is wrong?",
    suspects=("clip-each-micro-batch", "leftover-micro-batches", "mean-of-means", "zero-grad-before-step"),
    pitfall="leftover-micro-batches",
    program=loop,
    mended=mended,
    shows=(
        "An epoch has ten batches: two windows of four, and two batches that are left. The third window is divided by "
        "four like the others, so its gradient is half of its mean, and so is the loss in the log. The model hardly "
        "suffers: mended, the log is even, and the runs end close together. There is even something to be said for "
        "the old division, for it lets each batch of an epoch count a quarter, and mended the last two count a half. "
        "But then it is no mean: a short window steps with a part of the learning rate, its loss in the log is no "
        "loss, and an epoch that is shorter than one window trains at that part throughout."),
    report=(
        "The trainer is that of transformers. Four lines of the log stand in a first proposal (#38872), which was "
        "closed; the one of the user who had printed them was merged: the trainer now divides by the number of "
        "micro-batches that a window really holds. In the review somebody worried about steps as long as the others "
        "from a last window that may be a single noisy batch; the answer was that this is to be settled where the "
        "data is loaded. In 2026 the same division was mended in two libraries that build on that trainer."),
    threads=("huggingface/transformers#39659", "huggingface/transformers#38872", "modelscope/ms-swift#10084",
             "hiyouga/LlamaFactory#10705"),
    recipe=Recipe(steps=15, batch_size=4),
    recorded=range(3),
)
