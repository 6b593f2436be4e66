"""Exercise: an epoch of accumulated updates in which the last window holds fewer micro-batches than the others."""

import torch

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.leftover_window.clipping import KNOWN as OF_CLIPS
from gradlab.exercises.leftover_window.clipping import WRONG, recorded, too_long, too_short, unclipped
from gradlab.exercises.leftover_window.shares import unexplained
from gradlab.exercises.leftover_window.situations import SITUATIONS
from gradlab.exercises.leftover_window.sums import KNOWN as OF_SUMS
from gradlab.exercises.leftover_window.sums import RULES

TASK = """
Train for one epoch with accumulated gradients.

- `micro_batches` is a list; `loss_fn(model, batch)` is the mean loss of one of them. All have the same size
- a *window* is `accumulation_steps` micro-batches in a row, and makes one update with the gradient of the mean over
  all of them. Where the list is no multiple of `accumulation_steps`, those that are left at its end are a shorter
  window and make an update of their own, with the gradient of *their* mean
- when the weights move, the norm of the gradient may not exceed `max_norm`
- your function is called once an epoch. At the first call no parameter has a gradient yet

Return nothing.
"""


def train_epoch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        optimizer.zero_grad()
        for batch in window:
            loss = loss_fn(model, batch) / len(window)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


EXERCISE = Exercise(
    name="leftover-window",
    title="The last window of an epoch",
    minutes=12,
    difficulty=3,
    lab="03_accumulation",
    task=TASK,
    signature="def train_epoch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm)",
    right=train_epoch,
    wrong=WRONG,
    fixtures=SITUATIONS,
    structure=(recorded,),
    symptoms=(*RULES, unclipped, too_short, too_long),
    known=(*OF_SUMS, *OF_CLIPS),
    unexplained=unexplained,
    hints=(
        "Take 10 micro-batches and windows of 4 and write down for each update which micro-batches are in it and by "
        "what their losses are divided. What does the last update have to be divided by, and what must have happened "
        "to the gradients before the first micro-batch of the next epoch comes?",
        "Cut the list into windows: `micro_batches[start:start + accumulation_steps]` for `start` in "
        "`range(0, len(micro_batches), accumulation_steps)`; the last slice is shorter by itself. In each window "
        "clear, call `backward()` on each loss divided by `len(window)`, clip once, step once.",
    ),
)
