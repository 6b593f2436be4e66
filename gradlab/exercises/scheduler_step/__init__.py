"""Exercise: a training loop in which the scheduler counts updates, and nothing else."""

import torch

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.scheduler_step.rules import KNOWN, RULES, unexplained
from gradlab.exercises.scheduler_step.situations import SITUATIONS
from gradlab.exercises.scheduler_step.wrong import WRONG

TASK = """
Write the inner part of a training loop.

- `micro_batches` is a list; every `k` of them make one update, with the gradient of the mean over these `k`.
  `loss_fn(model, batch)` is the mean loss of one. The length of the list is a multiple of `k`, and no gradients are
  there when your function is called
- the norm of each update's gradient may not exceed `max_norm`, also during the warmup
- `scaler` is a `torch.amp.GradScaler`, as in the exercise training-step: `scale`, `unscale_`, `step`, `update`. Where
  a gradient is infinite, `scaler.step(optimizer)` leaves the update out, and after `scaler.update()` the scale,
  `scaler.get_scale()`, is smaller than before. Where the scaler is switched off the scale is always 1
- `scheduler.step()` sets the rate of the next update. It moves once for each update that was made: the first update
  runs at the first rate of the schedule; where one is left out, the next `k` micro-batches are tried at the same rate

Return nothing.
"""


def train(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for number, batch in enumerate(micro_batches, start=1):
        loss = loss_fn(model, batch) / k
        scaler.scale(loss).backward()
        if number % k == 0:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if scaler.get_scale() >= scale:  # it is smaller after an update that was left out
                scheduler.step()


EXERCISE = Exercise(
    name="scheduler-step",
    title="A scheduler that counts updates",
    minutes=15,
    difficulty=3,
    lab="02_warmup",
    task=TASK,
    signature="def train(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k)",
    right=train,
    wrong=WRONG,
    fixtures=SITUATIONS,
    structure=RULES,
    known=KNOWN,
    unexplained=unexplained,
    hints=(
        "What happens for each micro-batch, and what only after every `k`-th? Which of the two does the schedule "
        "count? And how does your loop learn that the scaler has left an update out?",
        "For each micro-batch only `scaler.scale(loss_fn(model, batch) / k).backward()`. After every `k`-th: unscale, "
        "clip, note `scaler.get_scale()`, step, update, clear. Then `scheduler.step()`, unless the scale is now "
        "smaller than the one you noted.",
    ),
)
