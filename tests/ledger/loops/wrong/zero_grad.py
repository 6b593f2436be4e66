"""Gradients cleared too late, too early, or never."""

import torch
from torch.nn.utils import clip_grad_norm_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, limit, mse, net, norm, scaler, windows


def sgd(**options):
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01, **options)


@wrong("missing-zero-grad", "plain SGD")
def never_cleared():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
    return events, norms[1]


@wrong("missing-zero-grad", "Adam, clipped by gradlab's rule: smaller gradients, so no norm grows", "sum")
def never_cleared_but_clipped():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    norms = []
    with ledger.record(model, optimizer) as events:
        for (x, y), size in zip(batches(3), (1.0, 0.5, 0.4), strict=True):
            mse(model, (x, y * size)).backward()
            norms.append(norm(model.parameters()))
            gradlab.ClipByGlobalNorm(0.1)(model.parameters())
            optimizer.step()
    return events, norms[1]


@wrong("missing-zero-grad", "cleared once before the loop, accumulated, with a scaler")
def cleared_once():
    model, optimizer = sgd()
    scale, norms = scaler(256.0), []
    optimizer.zero_grad()
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=2):
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            scale.unscale_(optimizer)
            norms.append(norm(model.parameters()))
            clip_grad_norm_(model.parameters(), 100.0)
            scale.step(optimizer)
            scale.update()
    return events, 2


@wrong("missing-zero-grad", "only the head is cleared", "sum")
def head_cleared():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            model[2].zero_grad()
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            optimizer.step()
    return events, norms[1]


@wrong("missing-zero-grad", "a closure that forgets it")
def closure_without_zero_grad():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            def closure(batch=batch):
                loss = mse(model, batch)
                loss.backward()
                norms.append(norm(model.parameters()))
                return loss
            optimizer.step(closure)
    return events, norms[1]


@wrong("zero-grad-before-step", "between backward and step", "nothing-left")
def cleared_too_early():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            mse(model, batch).backward()
            optimizer.zero_grad()
            optimizer.step()
    return events, 1


@wrong("zero-grad-before-step", "to zeros under momentum, accumulated, with a scaler", "nothing-left")
def zeroed_too_early():
    model, optimizer = sgd(momentum=0.9)
    scale = scaler()
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=3):
            for batch in window:
                scale.scale(mse(model, batch) / 3).backward()
            scale.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), 1.0)
            model.zero_grad(set_to_none=False)
            scale.step(optimizer)
            scale.update()
    return events, 3


@wrong("zero-grad-before-step", "p.grad = None after the clip", "nothing-left")
def none_too_early():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            mse(model, batch).backward()
            gradlab.ClipByGlobalNorm(1.0)(model.parameters())
            for p in model.parameters():
                p.grad = None
            optimizer.step()
    return events, 1


@wrong("zero-grad-before-step", "for each micro-batch", "last-only")
def cleared_for_each_micro_batch():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=4):
            for batch in window:
                optimizer.zero_grad()
                (mse(model, batch) / 4).backward()
            limit(list(model.parameters()), 1.0)
            optimizer.step()
    return events, 4


@wrong("zero-grad-before-step", "in the middle of the window, with a scaler")
def cleared_in_the_middle():
    model, optimizer = sgd()
    scale = scaler()
    with ledger.record(model, optimizer, scale) as events:
        for i, batch in enumerate(batches(12)):
            if i % 4 == 1:
                optimizer.zero_grad()
            scale.scale(mse(model, batch) * 0.25).backward()
            if i % 4 == 3:
                scale.step(optimizer)
                scale.update()
                model.zero_grad()
    return events, 3
