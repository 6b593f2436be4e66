"""Loops with a scaler that look for overflow themselves, and step themselves."""

import torch
from torch import nn

from gradlab import ledger
from loops.legitimate.non_finite import overflowing
from loops.loop import legitimate
from loops.problem import batches, mse, net, scaler, windows


@legitimate(18, "optimizer.step() where the norm is finite, as it is throughout", "scaler-bypassed")
def guarded_past_the_scaler_without_need():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            total = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            if torch.isfinite(total):
                optimizer.step()
            scale.update()
    return events


@legitimate(18, "optimizer.step() where all gradients are finite, Adam, accumulated", "scaler-bypassed")
def guarded_entry_by_entry():
    model, scale = net(), scaler(256.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(4, k=2):
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            scale.unscale_(optimizer)
            if all(p.grad.isfinite().all() for p in model.parameters()):
                optimizer.step()
            scale.update()
            optimizer.zero_grad()
    return events


@legitimate(18, "entries replaced after unscale_, then optimizer.step()", "scaler-bypassed")
def entries_replaced_past_the_scaler():
    model, scale = net(), scaler(256.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in overflowing(7):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            for p in model.parameters():
                torch.nan_to_num_(p.grad, nan=0.0, posinf=0.0, neginf=0.0)
            optimizer.step()
            scale.update()
    return events
