"""Schedulers that move at the wrong time."""

import math

import torch
from torch import nn
from torch.optim import lr_scheduler

from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, mse, net, scaler, windows


def of(kind, **options):
    """A net, its optimizer and a scheduler."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.08)
    return model, optimizer, kind(optimizer, **options)


@wrong("scheduler-off-by-one", "at the top of the loop", "skipped-first")
def scheduler_first():
    model, optimizer, scheduler = of(lr_scheduler.ExponentialLR, gamma=0.5)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for batch in batches(4):
            scheduler.step()
            optimizer.zero_grad()
            mse(model, batch).backward()
            optimizer.step()
    return events, 0.08


@wrong("scheduler-off-by-one", "between backward and step, accumulated", "skipped-first")
def scheduler_before_step():
    model, optimizer, scheduler = of(lr_scheduler.StepLR, step_size=1, gamma=0.5)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for window in windows(4, k=2):
            for batch in window:
                (mse(model, batch) / 2).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scheduler.step()
            optimizer.step()
            optimizer.zero_grad()
    return events, 0.04


@wrong("scheduler-off-by-one", "at the start of each epoch, with a scaler", "skipped-first")
def scheduler_starts_the_epoch():
    model, optimizer, scheduler = of(lr_scheduler.StepLR, step_size=1, gamma=0.5)
    scale = scaler()
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for _ in range(3):
            scheduler.step()
            for batch in batches(3):
                optimizer.zero_grad()
                scale.scale(mse(model, batch)).backward()
                scale.step(optimizer)
                scale.update()
    return events, 0.08


@wrong("scheduler-off-by-one", "a warmup from 0", "zero-first")
def zero_first():
    model, optimizer, scheduler = of(lr_scheduler.LambdaLR, lr_lambda=lambda t: min(1.0, t / 4))
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for batch in batches(6):
            optimizer.zero_grad()
            mse(model, batch).backward()
            optimizer.step()
            scheduler.step()
    return events, 0.02


@wrong("scheduler-wrong-clock", "with each micro-batch", "per-micro-batch")
def each_micro_batch():
    model, optimizer, scheduler = of(lr_scheduler.CosineAnnealingLR, T_max=20)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for i, batch in enumerate(batches(12)):
            (mse(model, batch) / 4).backward()
            if i % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
            scheduler.step()
    return events, 12


@wrong("scheduler-wrong-clock", "with each micro-batch, inside the window, with a scaler", "per-micro-batch")
def inside_the_window():
    model, optimizer, scheduler = of(lr_scheduler.LinearLR, total_iters=20)
    scale = scaler()
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for window in windows(3, k=3):
            for batch in window:
                scale.scale(mse(model, batch) / 3).backward()
                scheduler.step()
            scale.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
            optimizer.zero_grad()
    return events, 9


def overflow_but(n: int, every: int):
    """A gradient that is infinite but for some batches."""
    return [(x, y if i % every == 0 else y * math.inf) for i, (x, y) in enumerate(batches(n))]


@wrong("scheduler-wrong-clock", "constant overflow", "on-skipped-step")
def overflow():
    model, optimizer, scheduler = of(lr_scheduler.CosineAnnealingLR, T_max=20)
    scale = scaler()
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for batch in overflow_but(12, every=6):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.step(optimizer)
            scale.update()
            scheduler.step()
    return events, 10


@wrong("scheduler-wrong-clock", "overflow now and then, clipped, accumulated", "on-skipped-step")
def overflow_accumulated():
    model, optimizer, scheduler = of(lr_scheduler.LinearLR, total_iters=20)
    scale, skipped = scaler(), 0
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for batch in overflow_but(14, every=2):
            optimizer.zero_grad()
            for _ in range(2):
                scale.scale(mse(model, batch) / 2).backward()
            scale.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            before = scale.get_scale()
            scale.step(optimizer)
            scale.update()
            skipped += scale.get_scale() < before
            scheduler.step()
    return events, skipped
