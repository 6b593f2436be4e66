"""Gradients that overflow: the scaler leaves the update out, or the loop does, or its fused optimizer."""

import math

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

import gradlab
from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net, norm, scaler


def overflowing(n: int, every: int = 3):
    """Batches of which some make the gradient infinite."""
    return [(x, y * (math.inf if i % every == 0 else 1.0)) for i, (x, y) in enumerate(batches(n))]


@legitimate(17, "the first steps are skipped, the scheduler compares scales")
def settling_scale():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for batch in overflowing(2, every=1) + batches(6):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            before = scale.get_scale()
            scale.step(optimizer)
            scale.update()
            if scale.get_scale() >= before:
                scheduler.step()
    return events


@legitimate(17, "one skip, the scheduler ticks all the same", "scheduler-wrong-clock")
def one_tick_too_many():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=20)
    optimizer.step()  # quiets torch's own warning, which is a false alarm
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for batch in overflowing(1, every=1) + batches(8):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.step(optimizer)
            scale.update()
            scheduler.step()
    return events


@legitimate(18, "no step on a non-finite norm, but update()")
def guarded_step():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in overflowing(7):
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            total = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            if torch.isfinite(total):
                scale.step(optimizer)
            scale.update()
            optimizer.zero_grad()
    return events


@legitimate(18, "no step on a non-finite norm, no scaler")
def guarded_plain_step():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in overflowing(7):
            mse(model, batch).backward()
            total = clip_grad_norm_(model.parameters(), 1.0)
            if torch.isfinite(total):
                optimizer.step()
            optimizer.zero_grad()
    return events


@legitimate(18, "no step on an oversized norm, read before the clip")
def oversized_left_out():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for i, (x, y) in enumerate(batches(24)):
            optimizer.zero_grad()
            mse(model, (x, y * (100 if i % 4 == 1 else 1))).backward()
            if norm(model.parameters()) > 200:
                continue
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(18, "gradlab's rule leaves the step out")
def skipped_by_the_rule():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    clip = gradlab.ClipByGlobalNorm(1.0, nonfinite="skip")
    with ledger.record(model, optimizer) as events:
        for batch in overflowing(7):
            optimizer.zero_grad()
            mse(model, batch).backward()
            clip(model.parameters())
            optimizer.step()
    return events


@legitimate(18, "non-finite entries replaced by zero before the clip")
def entries_replaced():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in overflowing(7):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for p in model.parameters():
                torch.nan_to_num_(p.grad, nan=0.0, posinf=0.0, neginf=0.0)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(19, "a fused optimizer that the scaler drives")
def fused():
    model, scale = net(), scaler()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    with ledger.record(model, optimizer, scale) as events:
        for batch in overflowing(5, every=4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(19, "the same with unscale_ and a clip")
def fused_and_clipped():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, fused=True)
    with ledger.record(model, optimizer, scale) as events:
        for batch in overflowing(5, every=4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(18, "an overflow in one micro-batch: the window is begun again")
def window_begun_again():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    seen = 0
    with ledger.record(model, optimizer) as events:
        for batch in batches(2) + overflowing(1) + batches(12):
            (mse(model, batch) / 4).backward()
            seen += 1
            if not norm(model.parameters()) < math.inf:
                optimizer.zero_grad()
                seen = 0
            if seen == 4:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                seen = 0
    return events


@legitimate(18, "the loop looks for overflow itself, and steps itself")
def guarded_past_the_scaler():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in overflowing(7):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            if norm(model.parameters()) < math.inf:
                optimizer.step()
            scale.update()
    return events


@legitimate(18, "no step on a non-finite norm; the scheduler counts the turns")
def scheduled_by_turns():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=20)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for batch in batches(1) + overflowing(6):
            mse(model, batch).backward()
            if norm(model.parameters()) < math.inf:
                optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    return events


@legitimate(34, "a scheduler for each epoch, whose last update is skipped each time")
def skipped_at_the_end_of_an_epoch():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for _ in range(4):
            for batch in batches(3) + overflowing(1):
                optimizer.zero_grad()
                scale.scale(mse(model, batch)).backward()
                scale.step(optimizer)
                scale.update()
            scheduler.step()
    return events
