"""The mixed-precision steps that are known to be wrong."""

import math
from collections.abc import Callable

import torch

from gradlab.exercises.amp_step.situations import FACTORS
from gradlab.exercises.mistakes import Diagnosis, Wrong
from gradlab.exercises.training_step import evidence as told
from gradlab.exercises.training_step import programs
from gradlab.exercises.training_step.parts import add_up, adding_up, clipping, finishing, sharing
from gradlab.exercises.training_step.rules import often, other_limit, refused, scaled_again, unmoved
from gradlab.exercises.training_step.wrong import CLIPS, SCALES, SUMS
from gradlab.exercises.trial import Trial
from gradlab.ledger import Backward, Step
from gradlab.pitfalls.pitfall import written

# What a recorded step may be told; findings about sums only where nothing is clipped, for a clip may hide the sum.
OF_SUMS = ("zero-grad-before-step", "missing-zero-grad", "wrong-accumulation-divisor")
KNOWN = ("clip-after-step", "clip-before-backward", "clip-each-micro-batch", "unscale-twice", "backward-after-unscale",
         "scaler-bypassed", "clip-before-unscale", *OF_SUMS)
# Mistakes that the plain step of lab 01 has as well, and that are told there in the same words.
OF_THE_PLAIN_STEP = ("clip-before-unscale", "unscale-twice", "backward-after-unscale", "scaler-bypassed",
                     "clip-cures-nonfinite", "per-tensor-norm", "value-clip-for-norm-clip")

right_but_for_nothing = finishing(lambda model, optimizer, scaler, max_norm: _end(model, optimizer, scaler, max_norm))


def _end(model, optimizer, scaler, max_norm):
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


def mixed(step: Callable, *, dtype: torch.dtype | None = torch.float16, tick: str = "updates") -> Callable:
    """A step of `training_step`, under autocast in `dtype` (None: without), and a scheduler.

    It moves after `"updates"` only, after all `"calls"`, for each of the `"micro-batches"`, `"never"`, or after updates
    that leave the scale as it was, `"unchanged"`.
    """

    def program(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
        scale = scaler.get_scale()
        with torch.autocast("cpu", dtype or torch.float16, enabled=dtype is not None):
            step(model, optimizer, scaler, micro_batches, loss_fn, max_norm)
        now = scaler.get_scale()
        for _ in range({"updates": now >= scale, "calls": 1, "micro-batches": len(micro_batches), "never": 0,
                        "unchanged": now == scale}[tick]):
            scheduler.step()

    return program


def first_forward_only(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    """Autocast around one micro-batch of several."""
    def add(model, optimizer, scaler, micro_batches, loss_fn):
        optimizer.zero_grad()
        for place, batch in enumerate(micro_batches):
            with torch.autocast("cpu", torch.float16, enabled=place == 0):
                loss = loss_fn(model, batch) / len(micro_batches)
            scaler.scale(loss).backward()

    mixed(adding_up(add), dtype=None)(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm)


def scheduler_first(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    with torch.autocast("cpu", torch.float16):
        add_up(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    scheduler.step()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


def dtypes(mine: Trial, right: Trial) -> dict:
    seen = mine.facts["dtypes"]
    return {"n": len(seen), "n_off": seen.count("off"), "dtype": next((d for d in seen if d != "off"), "float32")}


def clock(mine: Trial, right: Trial) -> dict:
    """How often the scheduler moved in both calls, and for how many updates."""
    updates = sum(map(bool, mine.facts["steps"]))
    if not updates:
        raise ValueError("no update was made, so nothing can be said of the schedule")
    return {"n_sched": mine.facts["moved"][-1], "n_update": updates, "n_skip": 2 - updates,
            "which": "2 updates" if updates == 2 else "1 update", "n_backward": 2 * mine.fixture.k, "lr": FACTORS[1],
            "lr_first": FACTORS[0]}


def moved_first(mine: Trial, right: Trial) -> dict:
    """Evidence for a scheduler that moved before the first update, which half of a right update may look like.

    Errors: ValueError where the first update used the learning rate that was due.
    """
    if mine.facts["rates"][0] == FACTORS[0]:
        raise ValueError("the first update used the first learning rate")
    return clock(mine, right)


def divided_after_the_clip(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch)).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    for parameter in model.parameters():
        parameter.grad /= len(micro_batches)
    scaler.step(optimizer)
    scaler.update()


NEVER = "The scheduler did not move for the {which} made: the learning rate stays where it is."
WRONG = (
    *(Wrong(wrong.id, wrong.variant, mixed(wrong.program), wrong.evidence, wrong.message, wrong.experiment)
      for wrong in (*SCALES, *CLIPS, *SUMS)
      if wrong.id in OF_THE_PLAIN_STEP or wrong.id is None and wrong.variant not in ("no scaler", "two steps")),
    Wrong("clip-missing", "", mixed(clipping(lambda grads, max_norm: None)), told.update),
    Wrong("missing-zero-grad", "value", mixed(adding_up(programs.never_cleared)), told.update),
    *(Wrong(wrong.id, wrong.variant, mixed(wrong.program), wrong.evidence, wrong.message, wrong.experiment)
      for wrong in SUMS if wrong.program is programs.cleared_at_the_end),
    Wrong("wrong-accumulation-divisor", "none", mixed(sharing(lambda place, k: 1.0)), told.update),
    Wrong("wrong-accumulation-divisor", "", mixed(sharing(lambda place, k: 1 / 2)), told.divisor),
    Wrong(None, "divided late", mixed(divided_after_the_clip), told.update,
          "Your update has norm {norm}, the right one {norm_true}: you clipped the sum of {n_backward} micro-batches "
          "and divided it by {n_backward} afterwards",
          "Print the norm of the gradient just before and after your clip."),
    Wrong("forward-outside-autocast", "", mixed(right_but_for_nothing, dtype=None), dtypes),
    Wrong("forward-outside-autocast", "", first_forward_only, dtypes),
    Wrong("forward-outside-autocast", "dtype", mixed(right_but_for_nothing, dtype=torch.bfloat16), dtypes),
    Wrong("scheduler-wrong-clock", "on-skipped-step", mixed(right_but_for_nothing, tick="calls"), clock),
    Wrong("scheduler-wrong-clock", "per-micro-batch", mixed(right_but_for_nothing, tick="micro-batches"), clock),
    Wrong("scheduler-off-by-one", "skipped-first", scheduler_first, moved_first),
    Wrong(None, "no schedule", mixed(right_but_for_nothing, tick="never"), clock, NEVER,
          "Print the learning rate before and after your function."),
    Wrong(None, "growth", mixed(right_but_for_nothing, tick="unchanged"), clock,
          "After {which} the scheduler stands at {n_sched}: the scale grew with the second one, and only a scale that "
          "has become smaller says that an update was left out",
          "Print the scale before and after scaler.update(), with a GradScaler of growth_interval=2."),
)


def recorded(mine: Trial, right: Trial) -> Diagnosis | None:
    """The most important finding on the recorded order of events, if the updates are wrong."""
    for finding in mine.ledger.findings():
        if finding.pitfall in KNOWN and not (mine.fixture.over and finding.pitfall in OF_SUMS):
            return Diagnosis(finding.pitfall, finding.message, finding.experiment, finding.variant)
    return None


def no_scaler(mine: Trial, right: Trial) -> Diagnosis | None:
    """Neither a loss nor a step that went through the scaler."""
    backwards, steps = mine.ledger.of(Backward), mine.ledger.of(Step)
    if not backwards or not steps or any(b.scale != 1 for b in backwards) or any(s.through_scaler for s in steps):
        return None
    return Diagnosis(None, f"The scaler saw neither the loss of line {backwards[0].where.line} nor the step of line "
                           f"{steps[0].where.line}: small gradients become 0 in float16, and an infinite one is not "
                           "left out",
                     "Print scaler.get_scale() and one gradient, with and without the scaler.", "no scaler")


def overflowed(mine: Trial, right: Trial) -> Diagnosis | None:
    """Gradients that are infinite where nothing in the situation is."""
    if not all(math.isfinite(backward.norm) for backward in right.ledger.of(Backward)):
        return None
    for backward in mine.ledger.of(Backward):
        if not math.isfinite(backward.norm):
            return Diagnosis(None, f"The gradient is infinite after line {backward.where.line}. At a loss scale of "
                                   f"{written(mine.fixture.scale)} this one has norm "
                                   f"{written(right.ledger.of(Backward)[0].norm)}, so the loss was multiplied by more "
                                   "than that",
                             "Print the loss before and after every line that scales it.", "overflowed")
    return None


RULES = (refused, unmoved, often, scaled_again, overflowed, no_scaler, recorded, other_limit)
