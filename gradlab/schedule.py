"""The learning rate as a function of the step."""

import math

SCHEDULES = ("constant", "cosine", "linear")


def lr_at(step: int, *, lr: float, steps: int, warmup_steps: int = 0, warmup_init_lr: float = 0.0,
          schedule: str = "constant") -> float:
    """The learning rate of update number `step`, counted from 0.

    The ramp: update `step` of `warmup_steps` runs at `warmup_init_lr + (lr - warmup_init_lr) * (step + 1) /
    warmup_steps`. It begins one stride above `warmup_init_lr`, so no update is lost to a rate of 0, and its last
    update runs at `lr`. After it `"constant"` stays at `lr`; `"cosine"` and `"linear"` start to fall from `lr` with
    the first update after the ramp and would reach 0 at update `steps`, the first that is not made. The decay counts
    updates, not micro-batches.
    """
    if step < warmup_steps:
        return warmup_init_lr + (lr - warmup_init_lr) * (step + 1) / warmup_steps
    done = min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))
    match schedule:
        case "constant":
            return lr
        case "cosine":
            return lr * (1 + math.cos(math.pi * done)) / 2
        case "linear":
            return lr * (1 - done)
    raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}")
