"""Exercise: the gradient of the mean over all tokens, from micro-batches with different numbers of them."""

import torch.nn.functional as F

from gradlab.exercises.accumulate_tokens.rules import cleared, clipped, idle, spoilt, uneven, unexplained
from gradlab.exercises.accumulate_tokens.situations import SITUATIONS
from gradlab.exercises.accumulate_tokens.wrong import WRONG
from gradlab.exercises.exercise import Exercise

TASK = """
A batch is too large for the memory, so it comes in parts. Leave in `.grad` the gradient of the **mean loss over all
targets**, as if it had come in one piece. Do not step; whoever calls your function does.

- `micro_batches` is a list of `(inputs, targets)`, both `(batch, length)`; `model(inputs)` gives logits, `(batch,
  length, vocabulary)`
- the loss is cross entropy. Targets equal to -100 do not count, and `F.cross_entropy` leaves them out by itself
- micro-batches hold different numbers of targets that count; some hold none
- the gradients of the step before are still in `.grad` when your function is called

Return nothing.
"""


def accumulate_(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        logits = model(inputs).flatten(0, 1)
        loss = F.cross_entropy(logits, targets.flatten(), reduction="sum")
        (loss / total).backward()


EXERCISE = Exercise(
    name="accumulate-tokens",
    title="Every token counts the same",
    minutes=12,
    difficulty=3,
    lab="03_accumulation",
    task=TASK,
    signature="def accumulate_(model, optimizer, micro_batches)",
    right=accumulate_,
    wrong=WRONG,
    fixtures=SITUATIONS,
    structure=(cleared, clipped, idle),
    symptoms=(spoilt, uneven),
    known=("zero-grad-before-step", "clip-each-micro-batch"),
    unexplained=unexplained,
    hints=(
        "Write down the mean over 1 + 3 targets as a sum over two micro-batches. What is each micro-batch's own mean "
        "multiplied by in it? And what is the mean over no targets at all?",
        "Count first: the total is the number of targets other than -100 over all micro-batches. Then clear, and for "
        "each micro-batch call `backward()` on `F.cross_entropy(logits, targets, reduction=\"sum\") / total`, with "
        "logits and targets flattened to one row a token.",
    ),
)
