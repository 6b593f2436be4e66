"""The learning rate as a function of the step: a warmup, and what comes after it.

A step is an update of the weights, counted from 0; micro-batches and skipped steps are none. All functions are pure:
the same arguments give the same rate. `gradlab.schedulers` has them as schedulers of torch.
"""

import math
import numbers

DECAY_SHARE = 0.2  # of the run: how much of it "wsd" spends on its decay


def warmup(step: int, *, lr: float, warmup_steps: int, warmup_init_lr: float = 0.0) -> float:
    """A linear ramp: `warmup_init_lr + (lr - warmup_init_lr) * (step + 1) / warmup_steps`, then `lr`.

    It begins one stride above `warmup_init_lr`, so no update is lost to a rate of 0, and its last update, number
    `warmup_steps - 1`, runs at `lr`. From there on the rate is `lr`: without this clamp the line would go on rising.
    """
    if step >= warmup_steps:
        return lr
    return warmup_init_lr + (lr - warmup_init_lr) * (step + 1) / warmup_steps


def constant(step: int, *, lr: float, steps: int, warmup_steps: int = 0) -> float:
    """`lr` at every step."""
    return lr


def cosine(step: int, *, lr: float, steps: int, warmup_steps: int = 0) -> float:
    """Half a wave of the cosine: `lr` at step `warmup_steps`, half of it half way, 0 at step `steps` and after.

    Source: the first descent of Loshchilov and Hutter's SGDR, https://arxiv.org/abs/1608.03983, without restarts.
    """
    return lr * (1 + math.cos(math.pi * _done(step, steps, warmup_steps))) / 2


def linear(step: int, *, lr: float, steps: int, warmup_steps: int = 0) -> float:
    """A straight line from `lr` at step `warmup_steps` to 0 at step `steps`, and 0 after."""
    return lr * (1 - _done(step, steps, warmup_steps))


def noam(step: int, *, lr: float, steps: int, warmup_steps: int = 0) -> float:
    """The inverse square root of the number of updates, `lr * sqrt(warmup_steps / (step + 1))`; it never reaches 0.

    With the ramp from 0 this is the schedule of the first transformer, https://arxiv.org/abs/1706.03762, scaled so that
    its peak is `lr`: the last update of the warmup, number `warmup_steps - 1`, runs at it, and the next one below it.
    `warmup_steps` 0 counts as 1 here: the first update runs at `lr`. `steps` has no say.
    """
    return lr * math.sqrt(max(1, warmup_steps) / (step + 1))


def wsd(step: int, *, lr: float, steps: int, warmup_steps: int = 0) -> float:
    """Warmup, stable, decay: `lr` until the last fifth of the run (`DECAY_SHARE`), then a line to 0 at step `steps`.

    A run that is still stable can be made longer without beginning anew, for the rate does not depend on `steps` yet.
    A warmup that reaches into the last fifth leaves it what remains.
    """
    decay_steps = max(1, min(steps - warmup_steps, round(DECAY_SHARE * steps)))
    return lr * min(1.0, max(0, steps - step) / decay_steps)


AFTER_WARMUP = {"constant": constant, "cosine": cosine, "linear": linear, "noam": noam, "wsd": wsd}
SCHEDULES = tuple(AFTER_WARMUP)


def lr_at(step: int, *, lr: float, steps: int, warmup_steps: int = 0, warmup_init_lr: float = 0.0,
          schedule: str = "constant") -> float:
    """The learning rate of update number `step`, counted from 0: `warmup` while it lasts, then the `schedule`.

    - `lr`: the peak; `steps`: updates in the run
    - `warmup_steps`: updates of the ramp, 0 for none; `warmup_init_lr`: where the ramp comes from
    - `schedule`: one of `SCHEDULES`, `"constant"`, `"cosine"`, `"linear"`, `"noam"` or `"wsd"`

    `"cosine"` and `"linear"` start to fall from `lr` with the first update after the ramp and would reach 0 at update
    `steps`, the first that is not made.

    Errors: ValueError for an unknown schedule, a rate that is negative or not finite, or a count that is no whole
    number from 0 up (from 1 up for `steps`).
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}")
    for name, count, least in (("step", step, 0), ("steps", steps, 1), ("warmup_steps", warmup_steps, 0)):
        # `type` first: the check by the abstract class costs more than the rate itself
        if type(count) is not int and (isinstance(count, bool) or not isinstance(count, numbers.Integral)):
            raise ValueError(f"{name} must be a whole number, got {count!r}")
        if count < least:
            raise ValueError(f"{name} must be at least {least}, got {count!r}")
    for name, rate in (("lr", lr), ("warmup_init_lr", warmup_init_lr)):
        if isinstance(rate, bool) or not isinstance(rate, numbers.Real):
            raise ValueError(f"{name} must be a number, got {rate!r}")
        if not (math.isfinite(rate) and rate >= 0):
            raise ValueError(f"{name} must be finite and at least 0, got {rate!r}")
    if step < warmup_steps:
        return warmup(step, lr=lr, warmup_steps=warmup_steps, warmup_init_lr=warmup_init_lr)
    return AFTER_WARMUP[schedule](step, lr=lr, steps=steps, warmup_steps=warmup_steps)


def _done(step: int, steps: int, warmup_steps: int) -> float:
    """The share of the decay that lies behind, 0 to 1."""
    return min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))
