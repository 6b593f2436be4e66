"""Answers to "scheduler-step" that are wrong in ways without an id."""

import torch
from torch.nn.utils import clip_grad_norm_

from programs import unnamed

NAME = "scheduler-step"


@unnamed(NAME, "did not move")
def without_the_scheduler(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


@unnamed(NAME, "did not move")
def once_an_epoch(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    scheduler.step()


@unnamed(NAME, "only where an update was left out")
def the_comparison_the_wrong_way_round(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if scaler.get_scale() < scale:
                scheduler.step()


@unnamed(NAME, "twice for each")
def twice(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if norm.isfinite():
                scheduler.step()
                scheduler.step()


@unnamed(NAME, "updates of 12 micro-batches")
def steps_every_micro_batch(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        optimizer.zero_grad()


@unnamed(NAME, "updates of 12 micro-batches")
def counts_from_zero(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0 and i > 0:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            optimizer.zero_grad()


@unnamed(NAME, "No update was made")
def never_steps(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scheduler.step()


@unnamed(NAME, "no `scaler.update()`")
def without_update(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
            scaler.step(optimizer)
            scheduler.step()
            optimizer.zero_grad()


@unnamed(NAME, "one micro-batch alone")
def steps_at_micro_batch_zero(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if norm.isfinite():
                scheduler.step()


@unnamed(NAME, "No loss went through `scaler.scale`")
def does_without_the_scaler(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        (loss_fn(model, batch) / k).backward()
        if i % k == 0:
            norm = clip_grad_norm_(model.parameters(), max_norm)
            if torch.isfinite(norm):
                optimizer.step()
                scheduler.step()
            optimizer.zero_grad()


@unnamed(NAME, "moved 5 times for 6 updates")
def not_after_the_last(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if norm.isfinite() and i < len(micro_batches):
                scheduler.step()


@unnamed(NAME, "on gradients that hold the loss scale")
def divides_the_limit(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            norm = clip_grad_norm_(model.parameters(), max_norm / scaler.get_scale())
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if norm.isfinite():
                scheduler.step()


@unnamed(NAME, "points another way")
def leaves_out_the_infinite_loss(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        loss = loss_fn(model, batch) / k
        if not loss.isfinite():
            continue
        scaler.scale(loss).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if norm.isfinite():
                scheduler.step()


@unnamed(NAME, "no `scaler.update()`")
def unscales_without_update(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scheduler.step()
            optimizer.zero_grad()
