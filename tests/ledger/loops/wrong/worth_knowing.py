"""Limits that work, in a way worth knowing."""

import math
import statistics

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, limit, mse, net, norm, scaler, windows


def sgd(lr=0.01):
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=lr)


@wrong("value-clip-for-norm-clip", "library, bound early", "clamped")
def clamped():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            clip_grad_value_(model.parameters(), 0.5)
            optimizer.step()
    return events, norms[0]


@wrong("value-clip-for-norm-clip", "gradlab's rule, accumulated, with a scaler", "clamped")
def clamped_by_a_rule():
    model, optimizer = sgd()
    scale, norms = scaler(1024.0), []
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=2):
            optimizer.zero_grad()
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            scale.unscale_(optimizer)
            norms.append(gradlab.ClipByValue(0.5)(model.parameters()).norm_before)
            scale.step(optimizer)
            scale.update()
    return events, norms[0]


@wrong("per-tensor-norm", "each tensor, library")
def each_tensor():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for p in model.parameters():
                nn.utils.clip_grad_norm_(p, 1.0)
            norms.append(norm(model.parameters()))
            optimizer.step()
    return events, norms[0]


@wrong("per-tensor-norm", "each layer, bound early, accumulated", "separate")
def each_layer():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=2):
            for batch in window:
                (mse(model, batch) / 2).backward()
            for layer in (model[0], model[2]):
                clip_grad_norm_(layer.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return events, math.sqrt(2)


@wrong("always-clipped", "SGD")
def always():
    model, optimizer = sgd(lr=0.001)
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(21):
            optimizer.zero_grad()
            mse(model, batch).backward()
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), 0.01).item())
            optimizer.step()
    return events, statistics.median(norms)


@wrong("always-clipped", "AdamW, by hand, with a scaler")
def always_under_adam():
    model, scale = net(), scaler()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)
    norms = []
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(22):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            norms.append(limit(list(model.parameters()), 0.5))
            scale.step(optimizer)
            scale.update()
    return events, statistics.median(norms)


@wrong("clip-after-warmup-only", "library, from the fourth update on")
def after_warmup():
    model, optimizer = sgd(lr=0.001)
    norms = []
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(7)):
            optimizer.zero_grad()
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            if i >= 3:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events, max(norms[:3])


@wrong("clip-after-warmup-only", "gradlab's rule, accumulated, with a scaler")
def after_warmup_accumulated():
    model, optimizer = sgd(lr=0.001)
    scale, norms = scaler(), []
    with ledger.record(model, optimizer, scale) as events:
        for i, window in enumerate(windows(5, k=2)):
            optimizer.zero_grad()
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            scale.unscale_(optimizer)
            norms.append(norm(model.parameters()))
            if i > 1:
                gradlab.ClipByGlobalNorm(2.0)(model.parameters())
            scale.step(optimizer)
            scale.update()
    return events, max(norms[:2]) / 2
