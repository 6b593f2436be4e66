"""Loss scaling gone wrong, with the scaler on the CPU."""

import math

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, limit, mse, net, norm, scaler, windows


def sgd():
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


@wrong("clip-before-unscale", "library")
def clipped_while_scaled():
    model, optimizer = sgd()
    scale, norms = scaler(), []
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            norms.append(norm(model.parameters()))
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
    return events, norms[0]


@wrong("clip-before-unscale", "gradlab's rule, accumulated, unscale_ after it")
def clipped_then_unscaled():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scale, norms = scaler(4096.0), []
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=2):
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            norms.append(norm(model.parameters()) / 4096)
            gradlab.ClipByGlobalNorm(0.5)(model.parameters())
            scale.unscale_(optimizer)
            scale.step(optimizer)
            scale.update()
            optimizer.zero_grad()
    return events, norms[0]


@wrong("clip-before-unscale", "by hand")
def clipped_by_hand_while_scaled():
    model, optimizer = sgd()
    scale, norms = scaler(1024.0), []
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            norms.append(limit(list(model.parameters()), 2.0))
            scale.step(optimizer)
            scale.update()
    return events, norms[0]


@wrong("scaler-bypassed", "never unscaled", "scaled")
def never_unscaled():
    model, optimizer = sgd()
    scale, norms = scaler(1024.0), []
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(3, size=0.1):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
    return events, norms[0]


@wrong("scaler-bypassed", "never unscaled, Adam, accumulated, clipped by hand", "scaled")
def never_unscaled_but_clipped():
    model, scale = net(), scaler()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    norms = []
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=2):
            optimizer.zero_grad()
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            norms.append(limit(list(model.parameters()), 1.0) / 2**16)
            optimizer.step()
    return events, norms[0]


@wrong("scaler-bypassed", "optimizer.step() after unscale_", "unscaled")
def stepped_past_the_scaler():
    model, optimizer = sgd()
    scale = scaler(2048.0)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scale.update()
    return events, 2048


@wrong("scaler-bypassed", "optimizer.step() after unscale_, and an overflow that it uses", "overflow")
def overflow_past_the_scaler():
    model, optimizer = sgd()
    scale = scaler(512.0)
    with ledger.record(model, optimizer, scale, moved=True) as events:
        for i, (x, y) in enumerate(batches(5)):
            optimizer.zero_grad()
            scale.scale(mse(model, (x, y * math.inf if i == 3 else y))).backward()
            scale.unscale_(optimizer)
            optimizer.step()
            scale.update()
    return events, 512


@wrong("scaler-bypassed", "the weights watched")
def moved_by_scaled_gradients():
    model, optimizer = sgd()
    scale = scaler(1024.0)
    before = [p.detach().clone() for p in model.parameters()]
    after = []
    with ledger.record(model, optimizer, scale, moved=True) as events:
        for batch in batches(3):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            optimizer.step()
            after.append([p.detach().clone() for p in model.parameters()])
    return events, sum((b - a).square().sum().item() for a, b in zip(before, after[0], strict=True)) ** 0.5


@wrong("scaler-dtype-mismatch", "float16 without a scaler", "without-scaler")
def half_without_scaler():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(3):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.float16):
                loss = mse(model, batch)
            loss.backward()
            optimizer.step()
    return events, 3


@wrong("scaler-dtype-mismatch", "float16 without a scaler, accumulated and clipped", "without-scaler")
@torch.autocast("cpu", torch.float16)
def half_accumulated():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=2):
            for batch in window:
                (mse(model, batch) / 2).backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return events, 6


@wrong("scaler-dtype-mismatch", "bfloat16 with a scaler", "with-scaler")
def bfloat16_with_scaler():
    model, optimizer = sgd()
    scale = scaler(4096.0)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(3):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = mse(model, batch)
            scale.scale(loss).backward()
            scale.step(optimizer)
            scale.update()
    return events, 4096
