"""Exercise: a whole step in mixed precision: autocast, a loss scale, a clip, and a schedule that counts updates."""

import torch

from gradlab.exercises.amp_step.situations import SITUATIONS
from gradlab.exercises.amp_step.wrong import KNOWN, RULES, WRONG
from gradlab.exercises.exercise import Exercise
from gradlab.exercises.training_step.rules import unexplained as step_unexplained
from gradlab.exercises.trial import Trial

TASK = """
Write one update in mixed precision: the step of lab 01, with two things more, autocast and a schedule.

- the forward pass, `loss_fn(model, batch)`, runs under autocast in float16 on the `"cpu"`; the backward pass need not
- `micro_batches` is a list of parts of equal size; `loss_fn` is the mean loss of one part. The update uses the gradient
  of the mean over all of them, and old gradients are still in `.grad` when your function is called
- every loss is multiplied by the scale of `scaler`. The norm of the *true* gradient may not exceed `max_norm` when the
  weights move, and an update with an infinite gradient is left out
- `scheduler.step()` moves the learning rate to that of the next update. An update that was left out is no update, and
  the schedule does not move for it. Whether it was left out the scaler tells by its scale: `scaler.update()` makes it
  smaller after an overflow, and only then

Return nothing.
"""


def amp_step(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scale = scaler.get_scale()
    scaler.update()
    if scaler.get_scale() >= scale:
        scheduler.step()


def unexplained(mine: Trial, right: Trial) -> str:
    if mine.result["schedule"] != right.result["schedule"]:
        moved, due = mine.result["schedule"], right.result["schedule"]
        return (f"After the first call the scheduler has moved {moved[0]} times and after the second {moved[1]} times; "
                f"{due[0]} and {due[1]} are asked for")
    return step_unexplained(mine, right)


EXERCISE = Exercise(
    name="amp-step",
    title="A step in mixed precision",
    minutes=12,
    difficulty=3,
    lab="04_mixed_precision",
    task=TASK,
    signature="def amp_step(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm)",
    right=amp_step,
    wrong=WRONG,
    fixtures=SITUATIONS,
    structure=RULES,
    known=KNOWN,
    unexplained=unexplained,
    hints=(
        "Begin with the step of lab 01: clear, add up, unscale, clip, step, update. Put autocast around the line that "
        "computes the loss. Which number do you have to read before the scaler adapts its scale, to know afterwards "
        "whether the update was left out?",
        "In the loop: `with torch.autocast(\"cpu\", dtype=torch.float16): loss = loss_fn(model, batch) / k`, then "
        "`scaler.scale(loss).backward()`. After the loop unscale_, clip, `scaler.step(optimizer)`. Read "
        "`scale = scaler.get_scale()`, run `scaler.update()`, and move the scheduler if `scaler.get_scale() >= scale`.",
    ),
)
