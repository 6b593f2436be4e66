"""Gradients unscaled twice, or in the middle of a window."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, mse, net, norm, scaler, windows


def sgd():
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


@wrong("unscale-twice", "unscale_ once more before the clip", "raised")
def unscaled_again():
    model, optimizer = sgd()
    scale, line = scaler(), unscaled_again.__code__.co_firstlineno
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(2):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            norm(model.parameters())
            try:
                scale.unscale_(optimizer)
            except RuntimeError:
                break
            scale.step(optimizer)
            scale.update()
    return events, line + 8


@wrong("unscale-twice", "for each micro-batch", "raised")
def unscaled_each_micro_batch():
    model, optimizer = sgd()
    scale, line = scaler(), unscaled_each_micro_batch.__code__.co_firstlineno
    with ledger.record(model, optimizer, scale) as events:
        optimizer.zero_grad()
        for batch in batches(2):
            scale.scale(mse(model, batch) / 2).backward()
            try:
                scale.unscale_(optimizer)
            except RuntimeError:
                break
    return events, line + 9


@wrong("unscale-twice", "a step left out, and update() with it", "update-missing")
def update_left_out():
    model, optimizer = sgd()
    scale, line = scaler(), update_left_out.__code__.co_firstlineno
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            try:
                scale.unscale_(optimizer)
            except RuntimeError:
                break
            if nn.utils.clip_grad_norm_(model.parameters(), 1.0) > 1e-3:
                continue
            scale.step(optimizer)
            scale.update()
    return events, line + 9


@wrong("unscale-twice", "by hand, after unscale_", "value")
def unscaled_by_hand_too():
    model, optimizer = sgd()
    scale, norms = scaler(1024.0), []
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            norms.append(norm(model.parameters()))
            for p in model.parameters():
                p.grad.div_(scale.get_scale())
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
    return events, norms[0]


@wrong("unscale-twice", "by hand, and again in scaler.step", "value")
def unscaled_by_hand_first():
    model, optimizer = sgd()
    scale, norms = scaler(1024.0), []
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            torch._foreach_mul_([p.grad for p in model.parameters()], 1 / scale.get_scale())
            norms.append(norm(model.parameters()))
            clip_grad_norm_(model.parameters(), 1000.0)
            scale.step(optimizer)
            scale.update()
    return events, norms[0]


@wrong("backward-after-unscale", "unscaled after the first micro-batch")
def unscaled_too_early():
    model, optimizer = sgd()
    scale, norms = scaler(), []
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=3):
            optimizer.zero_grad()
            for i, batch in enumerate(window):
                scale.scale(mse(model, batch) / 3).backward()
                norms.append(norm(model.parameters()))
                if i == 0:
                    scale.unscale_(optimizer)
            scale.step(optimizer)
            scale.update()
    return events, norms[1]


@wrong("backward-after-unscale", "a penalty's own backward after the clip")
def penalty_after_the_clip():
    model, optimizer = sgd()
    scale, norms = scaler(1024.0), []
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            gradlab.ClipByGlobalNorm(0.5)(model.parameters())
            scale.scale(sum(p.square().sum() for p in model.parameters())).backward()
            norms.append(norm(model.parameters()))
            scale.step(optimizer)
            scale.update()
            optimizer.zero_grad()
    return events, norms[0]
