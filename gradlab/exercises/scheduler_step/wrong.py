"""The wrong loops that are known: right ones with one part exchanged, or one in another place."""

from collections.abc import Callable

import torch

from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.scheduler_step.situations import WARMUP, Loop
from gradlab.exercises.trial import Trial

clip = torch.nn.utils.clip_grad_norm_


def nothing(scheduler, skipped: bool = False) -> None:
    """No move of the scheduler here."""


def guarded(scheduler, skipped: bool) -> None:
    if not skipped:
        scheduler.step()


def move(scheduler, skipped: bool = False) -> None:
    scheduler.step()


def loop(*, before_all: Callable = nothing, each: Callable = nothing, before_step: Callable = nothing,
         after: Callable = guarded, bottom: Callable = nothing, clips: Callable = lambda scheduler: True,
         divided: bool = True, cleared: bool = True, unscaled: bool = True, clip_each: bool = False,
         due: Callable = lambda number, k: number % k == 0) -> Callable:
    """A loop that is right but for what is said: where the scheduler moves, when it clips and steps, what it sums."""

    def program(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
        before_all(scheduler)
        for number, batch in enumerate(micro_batches, start=1):
            loss = loss_fn(model, batch) / (k if divided else 1)
            scaler.scale(loss).backward()
            each(scheduler)
            if clip_each:
                clip(model.parameters(), max_norm * scaler.get_scale())
            if due(number, k):
                if unscaled:
                    scaler.unscale_(optimizer)
                if not clip_each and clips(scheduler):
                    clip(model.parameters(), max_norm)
                before_step(scheduler)
                scale = scaler.get_scale()
                scaler.step(optimizer)
                scaler.update()
                if cleared:
                    optimizer.zero_grad()
                after(scheduler, scaler.get_scale() < scale)
            bottom(scheduler)

    return program


def past_the_scaler(guard: bool) -> Callable:
    """A loop without the scaler; with `guard` it leaves an update out where the norm is infinite."""

    def program(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
        for number, batch in enumerate(micro_batches, start=1):
            (loss_fn(model, batch) / k).backward()
            if number % k == 0:
                norm = clip(model.parameters(), max_norm)
                if norm.isfinite() or not guard:
                    optimizer.step()
                    scheduler.step()
                optimizer.zero_grad()

    return program


def clocks(mine: Trial, right: Trial) -> dict:
    """What the messages about the scheduler quote: how often it moved, for how many updates, and the first rate off."""
    fixture: Loop = mine.fixture
    yours, planned = mine.result["rates"], right.result["rates"]
    place = next((place for place, (a, b) in enumerate(zip(yours, planned, strict=False)) if abs(a - b) > 1e-6), -1)
    return {"n_sched": mine.facts["moves"], "n_update": mine.facts["updates"], "n_skip": len(fixture.skipped),
            "n_backward": fixture.k * len(fixture.means), "lr": yours[place], "lr_planned": planned[place],
            "lr_first": planned[0], "i": place + 1, "lr_second": yours[min(1, len(yours) - 1)]}


def gradients(mine: Trial, right: Trial) -> dict:
    """What the messages about gradients quote: norms at the first update that used another gradient than the right."""
    fixture: Loop = mine.fixture
    pairs = list(zip(mine.result["gradients"], right.result["gradients"], strict=False))
    place = next(place for place, (a, b) in enumerate(pairs) if float((a - b).norm()) > 1e-3 * float(b.norm()))
    made = [update for update in range(len(fixture.means)) if update not in fixture.skipped]
    before = float(pairs[place - 1][0].norm()) if place else 0.0
    mean = fixture.means[made[place]]
    return {"i": place, "norm": float(pairs[place][0].norm()), "norm_true": float(mean.norm()), "norm_before": before,
            "max_norm": fixture.max_norm, "n_backward": fixture.k, "n_clip": fixture.k, "scale": fixture.scale,
            "norm_after": float(pairs[place][0].norm()), "limit_true": fixture.max_norm / fixture.scale}


def scaler(mine: Trial, right: Trial) -> dict:
    """What the message about an unused scaler quotes."""
    return {"scale": mine.fixture.scale}


CLOCK, SHIFT = "scheduler-wrong-clock", "scheduler-off-by-one"

WRONG = (
    Wrong(CLOCK, "per-micro-batch", loop(each=move, after=nothing), clocks),
    Wrong(CLOCK, "per-micro-batch", loop(bottom=move, after=nothing), clocks),
    Wrong(CLOCK, "on-skipped-step", loop(after=move), clocks),
    Wrong(SHIFT, "skipped-first", loop(before_step=move, after=nothing), clocks),
    Wrong(SHIFT, "skipped-first", loop(before_all=move), clocks),
    Wrong(None, "never", loop(after=nothing), clocks,
          "All {n_update} updates used learning rate {lr}: between them the scheduler did not move",
          "Print scheduler.get_last_lr() after each update."),
    Wrong(None, "twice", loop(after=lambda scheduler, skipped: skipped or (scheduler.step(), scheduler.step())), clocks,
          "The scheduler moved {n_sched} times for {n_update} updates: twice for each",
          "Print the learning rate that each update uses."),
    Wrong(None, "only when skipped", loop(after=lambda scheduler, skipped: scheduler.step() if skipped else None),
          clocks, "Update {i} used learning rate {lr} where {lr_planned} was planned: your scheduler moves only where "
          "an update was left out", "Print your comparison of the two scales, and which way round it is true."),
    Wrong(None, "from zero", loop(due=lambda number, k: (number - 1) % k == 0), gradients,
          "Your first update used one micro-batch alone, and those after it use {n_backward} each, out of step with "
          "the windows: at micro-batch number 0, `0 % k` is 0 already",
          "Print the number of each micro-batch after which you step."),
    *(Wrong(None, "no scaler", past_the_scaler(guard), scaler,
            "No loss went through `scaler.scale`: with a loss scale of {scale} switched on, your gradients are as "
            "small as without it, and in float16 the smallest of them become 0",
            "Print a gradient before you unscale it.")
      for guard in (True, False)),
    Wrong("clip-after-warmup-only", "value", loop(clips=lambda scheduler: scheduler.last_epoch >= WARMUP),
          gradients),
    Wrong("clip-after-warmup-only", "value", loop(clips=lambda scheduler: scheduler.last_epoch >= WARMUP - 1),
          gradients),
    Wrong("clip-missing", "", loop(clips=lambda scheduler: False), gradients),
    Wrong("clip-each-micro-batch", "counted", loop(clip_each=True), gradients),
    Wrong("wrong-accumulation-divisor", "none", loop(divided=False), gradients),
    Wrong("missing-zero-grad", "", loop(cleared=False), gradients,
          "Update {i} had a gradient of norm {norm_before}, and it was still there at the next: its norm is {norm}, "
          "while its own micro-batches give {norm_true}."),
    Wrong("clip-before-unscale", "", loop(unscaled=False), gradients,
          "Your update used a gradient of norm {norm}: the limit of {max_norm} divided by the loss scale of {scale}, "
          "as if the gradients had still held the scale when you compared them with it."),
)
