"""Answers to "scheduler-step" whose clip is wrong."""

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from programs import wrong

NAME = "scheduler-step"


@wrong(NAME, "clip-after-warmup-only")
def clips_once_the_rate_is_up(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            if optimizer.param_groups[0]["lr"] >= scheduler.base_lrs[0]:
                clip_grad_norm_(model.parameters(), max_norm)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= scale:
                scheduler.step()
            optimizer.zero_grad()


@wrong(NAME, "clip-after-warmup-only")
def counts_the_warmup(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        limit = max_norm if scheduler.last_epoch >= scheduler.plan["warmup_steps"] else float("inf")
        clip_grad_norm_(model.parameters(), limit)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() >= scale:
            scheduler.step()


@wrong(NAME, "clip-missing")
def no_clip(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= scale:
                scheduler.step()
            optimizer.zero_grad()


@wrong(NAME, "clip-missing")
def only_measured(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        norm = clip_grad_norm_(model.parameters(), float("inf"))
        scaler.step(optimizer)
        scaler.update()
        if norm.isfinite():
            scheduler.step()


@wrong(NAME, "clip-after-step")
def clips_last(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scaler.update()
            if scaler.get_scale() >= scale:
                scheduler.step()
            optimizer.zero_grad()


@wrong(NAME, "clip-after-step")
def clips_when_all_is_over(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() >= scale:
            scheduler.step()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)


@wrong(NAME, "clip-each-micro-batch")
def clips_inside(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
        if i % k == 0:
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= scale:
                scheduler.step()
            optimizer.zero_grad()


@wrong(NAME, "clip-each-micro-batch")
def clips_inside_the_window(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), scaler.get_scale() * max_norm)
        scaler.unscale_(optimizer)
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if before == scaler.get_scale():
            scheduler.step()


@wrong(NAME, "clip-before-unscale")
def clips_what_is_scaled(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            clip_grad_norm_(model.parameters(), max_norm)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if scaler.get_scale() >= scale:
                scheduler.step()
            optimizer.zero_grad()


@wrong(NAME, "clip-before-unscale")
def unscales_after_the_clip(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        scaler.unscale_(optimizer)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scale <= scaler.get_scale():
            scheduler.step()


@wrong(NAME, "value-clip-for-norm-clip")
def clamps(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            clip_grad_value_(model.parameters(), max_norm)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if scaler.get_scale() >= scale:
                scheduler.step()


@wrong(NAME, "value-clip-for-norm-clip")
def clamps_each_window(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_value_(model.parameters(), clip_value=max_norm)
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if before <= scaler.get_scale():
            scheduler.step()
