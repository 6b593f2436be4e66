"""Exercise: one whole training step, with micro-batches, a loss scale and a clip, each in its place."""

import torch

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.training_step.of_gradients import of_gradients
from gradlab.exercises.training_step.rules import KNOWN, RULES, unexplained
from gradlab.exercises.training_step.situations import SITUATIONS
from gradlab.exercises.training_step.wrong import WRONG

TASK = """
Write one update of the weights. The batch is too large for the memory, so it comes in parts.

- `micro_batches` is a list of parts of equal size; `loss_fn(model, batch)` is the mean loss of one part. The update
  must use the gradient of the mean over all of them
- the gradients of the step before are still in `.grad` when your function is called
- the norm of the whole gradient may not exceed `max_norm` when the weights move
- `scaler` is a `torch.amp.GradScaler`. `scaler.scale(loss)` multiplies the loss, so that small gradients survive in
  float16; `scaler.unscale_(optimizer)` divides the gradients again; `scaler.step(optimizer)` makes the update, and
  leaves it out where a gradient is infinite; `scaler.update()` ends the step. Where the scaler is switched off,
  `scaler.step` is `optimizer.step` and the other three do nothing
- some layers may be frozen; their `.grad` is `None`

Return nothing.
"""


def training_step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


EXERCISE = Exercise(
    name="training-step",
    title="One whole training step",
    minutes=15,
    difficulty=3,
    lab="01_clipping",
    task=TASK,
    signature="def training_step(model, optimizer, scaler, micro_batches, loss_fn, max_norm)",
    right=training_step,
    wrong=WRONG,
    fixtures=SITUATIONS,
    structure=(of_gradients, *RULES),
    known=KNOWN,
    unexplained=unexplained,
    hints=(
        "Six things happen, each in its place: clear, add up, unscale, clip, step, update. Only one of them belongs "
        "inside the loop over the micro-batches. In which state must the gradient be when you compare it with "
        "`max_norm`? And by what must k mean losses be divided so that their sum is one mean?",
        "Clear with `optimizer.zero_grad()`. In the loop only `scaler.scale(loss_fn(model, batch) / k).backward()`, "
        "where k is `len(micro_batches)`. Then once each, in this order: `scaler.unscale_(optimizer)`, "
        "`torch.nn.utils.clip_grad_norm_` over `model.parameters()`, `scaler.step(optimizer)`, `scaler.update()`.",
    ),
)
