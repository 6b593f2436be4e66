"""Limits that make no sense, broken gradients that are clipped, norms that overflow."""

import math

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, mse, net, norm, scaler, windows


def sgd(lr=0.01):
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=lr)


@wrong("max-norm-not-positive", "0 meant as off", "zero")
def zero_limit():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0)
            optimizer.step()
    return events, 4


@wrong("max-norm-not-positive", "-1 meant as off, accumulated, with a scaler", "negative")
def negative_limit():
    model, optimizer = sgd()
    scale = scaler()
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=2):
            optimizer.zero_grad()
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            scale.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), -1.0)
            scale.step(optimizer)
            scale.update()
    return events, -1


@wrong("max-norm-not-positive", "0 by value", "zero")
def zero_value():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(3):
            optimizer.zero_grad()
            mse(model, batch).backward()
            clip_grad_value_(model.parameters(), 0.0)
            optimizer.step()
    return events, 4


@wrong("clip-cures-nonfinite", "an infinite target", "stepped")
def infinite_target():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for i, (x, y) in enumerate(batches(3)):
            optimizer.zero_grad()
            mse(model, (x, y * math.inf if i == 1 else y)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.75)
            optimizer.step()
    return events, 0.75


@wrong("clip-cures-nonfinite", "one NaN, gradlab's rule, accumulated", "stepped")
def one_nan():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    clip = gradlab.ClipByGlobalNorm(0.5, nonfinite="torch")
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=2):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / 2).backward()
            model[2].bias.grad[0] = math.nan
            clip(model.parameters())
            optimizer.step()
    return events, 0.5




@wrong("clip-cures-nonfinite", "one infinite entry", "stepped")
def one_infinity():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(3)):
            optimizer.zero_grad()
            mse(model, batch).backward()
            if i == 1:
                model[0].weight.grad[0, 0] = math.inf
            clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()
    return events, 0.25


@wrong("low-precision-norm", "float16 parameters")
def half_parameters():
    model = net().half()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    norms = []
    with ledger.record(model, optimizer) as events:
        for x, y in batches(3, size=20.0):
            optimizer.zero_grad()
            loss = (model(x.half()) - y.half()).square().sum() * 250.0
            loss.backward()
            norms.append(norm(model.parameters()))
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events, norms[0]


@wrong("low-precision-norm", "float16 parameters, bound early, accumulated")
def half_parameters_accumulated():
    model = net().half()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    norms = []
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=2):
            for x, y in window:
                ((model(x.half()) - y.half()).square().sum() * 400.0).backward()
            norms.append(norm(model.parameters()))
            clip_grad_norm_(model.parameters(), 1.0, foreach=False)
            optimizer.step()
            optimizer.zero_grad()
    return events, norms[0]
