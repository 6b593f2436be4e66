"""zero_grad, backward, clip and step in a wrong order."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, limit, mse, net, norm, scaler, windows


def sgd(**options):
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01, **options)


@wrong("clip-after-step", "library, zero_grad first")
def after_step():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return events, norms[0]


@wrong("clip-after-step", "bound early, accumulated, zero_grad last")
def after_step_accumulated():
    model, optimizer = sgd(momentum=0.9)
    norms = []
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(8)):
            (mse(model, batch) / 2).backward()
            if i % 2:
                norms.append(norm(model.parameters()))
                optimizer.step()
                clip_grad_norm_(model.parameters(), max_norm=0.5)
                optimizer.zero_grad()
    return events, norms[0]


@wrong("clip-after-step", "gradlab's rule, after zero_grad(set_to_none=False)")
def after_step_and_zero_grad():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
            gradlab.ClipByGlobalNorm(0.25)(model.parameters())
    return events, norms[0]


@wrong("clip-after-step", "by hand", "by-hand")
def after_step_by_hand():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            model.zero_grad()
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
            limit(list(model.parameters()), 1.0)
    return events, norms[0]


@wrong("clip-after-step", "with a scaler")
def after_step_with_scaler():
    model, optimizer = sgd()
    scale, norms = scaler(), []
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            norms.append(norm(model.parameters()))
            scale.step(optimizer)
            scale.update()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return events, norms[0]


@wrong("clip-after-step", "by value, in a function of its own")
def after_step_by_value():
    model, optimizer = sgd()
    norms = []

    def update(batch):
        optimizer.zero_grad()
        mse(model, batch).backward()
        norms.append(norm(model.parameters()))
        optimizer.step()

    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            update(batch)
            clip_grad_value_(model.parameters(), 0.1)
    return events, norms[0]


@wrong("clip-before-backward", "library, nothing there yet", "none")
def before_backward():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
    return events, norms[0]


@wrong("clip-before-backward", "gradlab's rule, on what the window before left", "none")
def before_zero_grad():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            gradlab.ClipByGlobalNorm(1.0)(model.parameters())
            optimizer.zero_grad()
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
    return events, norms[0]


@wrong("clip-before-backward", "by hand, on what the window before left", "zeros-or-stale")
def before_backward_by_hand():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            total = norm(model.parameters())
            if total > 1.0:
                for p in model.parameters():
                    p.grad *= 1.0 / total
            optimizer.zero_grad()
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
    return events, norms[1]


@wrong("clip-before-backward", "bound early, on zeros, accumulated, with a scaler", "zeros-or-stale")
def before_the_micro_batches():
    model, optimizer = sgd()
    scale, norms = scaler(1024.0), []
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=2):
            optimizer.zero_grad(set_to_none=False)
            clip_grad_norm_(model.parameters(), 1.0)
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            norms.append(norm(model.parameters()) / 1024)
            scale.step(optimizer)
            scale.update()
    return events, norms[0]


@wrong("clip-before-backward", "some gradients are zeros, some not there")
def before_backward_in_part():
    model, optimizer = sgd()
    norms = []
    for p in model[2].parameters():
        p.grad = torch.zeros_like(p)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
            optimizer.zero_grad()
    return events, norms[0]


@wrong("clip-before-backward", "after the first of three micro-batches", "partial")
def in_the_middle():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=3):
            optimizer.zero_grad()
            for i, batch in enumerate(window):
                (mse(model, batch) / 3).backward()
                if i == 0:
                    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            norms.append(norm(model.parameters()))
            optimizer.step()
    return events, norms[0]
