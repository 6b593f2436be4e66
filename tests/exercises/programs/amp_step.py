"""Answers to "amp-step"."""

import contextlib

import torch
from torch import autocast
from torch.nn.utils import clip_grad_norm_

from gradlab import ClipByGlobalNorm
from programs import right, unnamed, wrong

NAME = "amp-step"
HALF = torch.float16


def accumulate(model, optimizer, scaler, micro_batches, loss_fn):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()


def finish(optimizer, scaler, scheduler):
    before = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    if not scaler.get_scale() < before:
        scheduler.step()


@right(NAME)
def all_in_order(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad(set_to_none=True)
    k = len(micro_batches)
    for batch in micro_batches:
        with torch.autocast(device_type="cpu", dtype=torch.float16):
            loss = loss_fn(model, batch)
        scaler.scale(loss / k).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    old_scale = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    skipped = old_scale > scaler.get_scale()
    if not skipped:
        scheduler.step()


@right(NAME)
def by_the_norm(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    norm = clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    if torch.isfinite(norm):
        scheduler.step()


@right(NAME)
def everything_inside_autocast_and_cleared_last(
        model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    model.zero_grad()
    with autocast("cpu", HALF):
        for batch in micro_batches:
            scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_norm)
        finish(optimizer, scaler, scheduler)
    optimizer.zero_grad()


@right(NAME)
def sums_the_losses_first(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    with autocast("cpu", HALF):
        loss = sum(loss_fn(model, batch) for batch in micro_batches) / len(micro_batches)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    ClipByGlobalNorm(max_norm, nonfinite="torch")(model.parameters())
    finish(optimizer, scaler, scheduler)


@right(NAME)
def a_limit_for_scaled_gradients(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
    finish(optimizer, scaler, scheduler)


@right(NAME)
def watches_the_optimizer(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    made = []
    hook = optimizer.register_step_post_hook(lambda *_: made.append(1))
    scaler.step(optimizer)
    hook.remove()
    scaler.update()
    if made:
        scheduler.step()


@wrong(NAME, "forward-outside-autocast")
def no_autocast(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "forward-outside-autocast")
def autocast_around_the_backward(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = loss_fn(model, batch) / len(micro_batches)
        with autocast("cpu", HALF):
            scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "forward-outside-autocast")
def autocast_switched_off(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    with autocast("cpu", HALF, enabled=False):
        for batch in micro_batches:
            scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "forward-outside-autocast")
def leaves_the_block_after_the_first(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for place, batch in enumerate(micro_batches):
        with autocast("cpu", HALF) if place == 0 else contextlib.nullcontext():
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "forward-outside-autocast", "dtype")
def the_default_dtype(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu"):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "forward-outside-autocast", "dtype")
def bfloat16(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    with autocast("cpu", torch.bfloat16):
        optimizer.zero_grad()
        for batch in micro_batches:
            scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "scheduler-wrong-clock", "on-skipped-step")
def moves_always(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    scheduler.step()


@wrong(NAME, "scheduler-wrong-clock", "on-skipped-step")
def compares_the_scale_with_itself(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scale = scaler.get_scale()
    if scale >= scaler.get_scale():
        scheduler.step()
    scaler.update()


@wrong(NAME, "scheduler-wrong-clock", "on-skipped-step")
def looks_at_the_loss(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    finite = True
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        finite = finite and bool(loss.isfinite())
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    if finite:
        scheduler.step()


@wrong(NAME, "scheduler-wrong-clock", "per-micro-batch")
def moves_in_the_loop(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    for _ in micro_batches:
        scheduler.step()


@wrong(NAME, "scheduler-wrong-clock", "per-micro-batch")
def moves_by_the_count(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    [scheduler.step() for _ in range(len(micro_batches))]


@wrong(NAME, "scheduler-off-by-one")
def scheduler_before_step(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scheduler.step()
    scaler.step(optimizer)
    scaler.update()


@wrong(NAME, "scheduler-off-by-one")
def scheduler_first_of_all(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    scheduler.step()
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong(NAME, "clip-before-unscale")
def clips_scaled_gradients(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "clip-before-unscale")
def unscales_after_the_clip(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.unscale_(optimizer)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "unscale-twice", "raised")
def unscales_in_the_loop(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "unscale-twice", "update-missing")
def forgets_update(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scheduler.step()


@wrong(NAME, "unscale-twice")
def unscales_by_hand_too(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    for p in model.parameters():
        p.grad /= scaler.get_scale()
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "backward-after-unscale")
def unscales_after_the_first(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for place, batch in enumerate(micro_batches):
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
        if place == 0:
            scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "backward-after-unscale")
def the_last_one_after_the_clip(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    *most, last = micro_batches
    for batch in most:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    with autocast("cpu", HALF):
        loss = loss_fn(model, last) / len(micro_batches)
    scaler.scale(loss).backward()
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "scaler-bypassed")
def steps_by_itself(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    scaler.update()
    scheduler.step()


@wrong(NAME, "scaler-bypassed")
def steps_with_the_scale(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    scheduler.step()


@wrong(NAME, "clip-after-step")
def clips_after_the_step(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    finish(optimizer, scaler, scheduler)
    clip_grad_norm_(model.parameters(), max_norm)


@wrong(NAME, "clip-after-step")
def clips_between_step_and_update(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.update()
    scheduler.step()


@wrong(NAME, "clip-before-backward")
def clips_old_gradients(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    clip_grad_norm_(model.parameters(), max_norm)
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "clip-before-backward")
def clips_between_forward_and_backward(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    with autocast("cpu", HALF):
        loss = sum(loss_fn(model, batch) for batch in micro_batches) / len(micro_batches)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.scale(loss).backward()
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "clip-each-micro-batch")
def clips_in_the_loop(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
        clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "clip-each-micro-batch")
def clips_in_the_loop_by_gradlab(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    model.zero_grad()
    limit = ClipByGlobalNorm(max_norm * scaler.get_scale(), nonfinite="torch")
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch)
        (scaler.scale(loss) / len(micro_batches)).backward()
        limit(model.parameters())
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "zero-grad-before-step")
def clears_in_the_loop(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        optimizer.zero_grad()
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "zero-grad-before-step")
def clears_before_each_backward(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        model.zero_grad()
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "missing-zero-grad")
def never_clears(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "missing-zero-grad")
def never_clears_and_sums(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    with autocast("cpu", HALF):
        loss = sum(loss_fn(model, batch) for batch in micro_batches) / len(micro_batches)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "missing-zero-grad", "value")
def clears_at_the_end_only(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)
    optimizer.zero_grad()


@wrong(NAME, "wrong-accumulation-divisor")
def divides_by_two(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / 2
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "wrong-accumulation-divisor")
def adds_without_dividing(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "wrong-accumulation-divisor")
def adds_the_losses(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    with autocast("cpu", HALF):
        total = sum(loss_fn(model, batch) for batch in micro_batches)
    scaler.scale(total).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "clip-missing")
def no_clip(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "clip-missing")
def measures_only(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    torch.stack([p.grad.norm() for p in model.parameters()]).norm()
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "clip-cures-nonfinite")
def cures_before_unscaling(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    for p in model.parameters():
        p.grad.nan_to_num_(0.0, 0.0, 0.0)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "clip-cures-nonfinite")
def puts_the_largest_number(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    for p in model.parameters():
        torch.nan_to_num(p.grad, out=p.grad)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "per-tensor-norm")
def clips_each_tensor(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    for p in model.parameters():
        clip_grad_norm_(p, max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "per-tensor-norm")
def clips_each_tensor_by_hand(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    for p in model.parameters():
        if p.grad.norm() > max_norm:
            p.grad.mul_(max_norm / p.grad.norm())
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "value-clip-for-norm-clip")
def clips_by_value(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_value_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@wrong(NAME, "value-clip-for-norm-clip")
def clamps(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    for p in model.parameters():
        p.grad.clamp_(-max_norm, max_norm)
    finish(optimizer, scaler, scheduler)


@unnamed(NAME, "the first one's loss is in every loss")
def running_total(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    total = 0
    for batch in micro_batches:
        with autocast("cpu", HALF):
            total = total + loss_fn(model, batch) / len(micro_batches)
        scaler.scale(total).backward(retain_graph=True)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@unnamed(NAME, "only the last is in your update")
def the_last_one_undivided(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        optimizer.zero_grad()
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@unnamed(NAME, "did not move")
def forgets_the_schedule(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@unnamed(NAME, "did not move")
def moves_when_it_was_left_out(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scale = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    if scaler.get_scale() < scale:
        scheduler.step()


@unnamed(NAME, "only a scale that has become smaller")
def moves_while_the_scale_stays(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scale = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    if scaler.get_scale() == scale:
        scheduler.step()


@unnamed(NAME, "you clipped the sum of 2 micro-batches")
def divides_what_was_clipped(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    for p in model.parameters():
        p.grad = p.grad / len(micro_batches)
    finish(optimizer, scaler, scheduler)


@unnamed(NAME, "the limit you were given is 50")
def the_worked_step_as_it_stands(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / 2
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm=0.5)
    finish(optimizer, scaler, scheduler)


@unnamed(NAME, "neither the loss of line")
def no_scaler(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        loss.backward()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    scheduler.step()


@unnamed(NAME, "without a step")
def forgets_the_step(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    accumulate(model, optimizer, scaler, micro_batches, loss_fn)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.update()
    scheduler.step()


@unnamed(NAME, "before it")
def steps_without_scaled_loss(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = loss_fn(model, batch) / len(micro_batches)
        loss.backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)


@unnamed(NAME, "multiplied by more than that")
def scales_twice(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        with autocast("cpu", HALF):
            loss = scaler.scale(loss_fn(model, batch)) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    finish(optimizer, scaler, scheduler)
