"""Right answers to "scheduler-step"."""

import itertools

import torch
from torch.nn.utils import clip_grad_norm_

from programs import right

NAME = "scheduler-step"


@right(NAME)
def by_the_norm(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        norm = clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
        if torch.isfinite(norm):
            scheduler.step()


@right(NAME)
def by_a_hook(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    made = []
    hook = optimizer.register_step_post_hook(lambda *_: made.append(True))
    for i, batch in enumerate(micro_batches):
        scaler.scale(loss_fn(model, batch)).backward()
        if (i + 1) % k != 0:
            continue
        scaler.unscale_(optimizer)
        for p in model.parameters():
            p.grad /= k
        clip_grad_norm_(model.parameters(), max_norm)
        made.clear()
        scaler.step(optimizer)
        scaler.update()
        if made:
            scheduler.step()
        optimizer.zero_grad(set_to_none=False)
    hook.remove()


@right(NAME)
def windows_of_an_iterator(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    batches = iter(micro_batches)
    while window := list(itertools.islice(batches, k)):
        total = sum(loss_fn(model, batch) for batch in window) / len(window)
        model.zero_grad()
        scaler.scale(total).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(list(model.parameters()), max_norm)
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        skipped = before > scaler.get_scale()
        if not skipped:
            scheduler.step()


@right(NAME)
def limit_times_the_scale(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    count = 0
    for batch in micro_batches:
        (scaler.scale(loss_fn(model, batch)) / k).backward()
        count += 1
        if count == k:
            scale = scaler.get_scale()
            clip_grad_norm_(model.parameters(), max_norm * scale)
            scaler.step(optimizer)
            scaler.update()
            for group in optimizer.param_groups:
                for p in group["params"]:
                    p.grad = None
            count = 0
            if scaler.get_scale() == scale:
                scheduler.step()


@right(NAME)
def tries_a_window_again(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        for _ in range(2):
            optimizer.zero_grad()
            for batch in micro_batches[start:start + k]:
                scaler.scale(loss_fn(model, batch) / k).backward()
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            if norm.isfinite():
                scheduler.step()
                break


@right(NAME)
def never_calls_step_on_an_infinity(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k:
            continue
        scaler.unscale_(optimizer)
        if torch.isfinite(clip_grad_norm_(model.parameters(), max_norm)):
            scaler.step(optimizer)
            scheduler.step()
        scaler.update()
        optimizer.zero_grad()
