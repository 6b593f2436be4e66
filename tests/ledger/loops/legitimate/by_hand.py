"""Gradients that are edited on purpose: DP-SGD, noise, centralisation, weights, momentum kept in `.grad`."""

import copy

import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, limit, mse, net, windows


@legitimate(32, "DP-SGD: each example clipped alone, summed elsewhere, then noise")
def private():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4, rows=3):
            sums = [torch.zeros_like(p) for p in model.parameters()]
            for row in range(3):
                optimizer.zero_grad()
                mse(model, (x[row:row + 1], y[row:row + 1])).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                torch._foreach_add_(sums, [p.grad for p in model.parameters()])
            for p, total in zip(model.parameters(), sums, strict=True):
                p.grad = (total + 0.1 * torch.randn_like(total)) / 3
            optimizer.step()
            optimizer.zero_grad()
    return events


@legitimate(32, "DP-SGD with autograd.grad")
def private_without_backward():
    model = net()
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4, rows=3):
            optimizer.zero_grad()
            sums = [torch.zeros_like(p) for p in parameters]
            for row in range(3):
                of_one = torch.autograd.grad(mse(model, (x[row:row + 1], y[row:row + 1])), parameters)
                size = torch.sqrt(sum(g.square().sum() for g in of_one))
                torch._foreach_add_(sums, [g * (1 / size).clamp(max=1) for g in of_one])
            for p, total in zip(parameters, sums, strict=True):
                p.grad = total + 0.1 * torch.randn_like(total)
            optimizer.step()
    return events


@legitimate(33, "noise after the clip")
def noise():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for p in model.parameters():
                p.grad.add_(0.01 * torch.randn_like(p.grad))
            optimizer.step()
    return events


@legitimate(33, "gradients centralised")
def centralised():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            limit(list(model.parameters()), 1.0)
            for p in model.parameters():
                if p.dim() > 1:
                    p.grad.sub_(p.grad.mean(dim=1, keepdim=True))
            optimizer.step()
    return events


@legitimate(33, "one layer's gradient weighted")
def weighted_layer():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for p in model[0].parameters():
                p.grad.mul_(0.1)
            optimizer.step()
    return events


@legitimate(33, "gradients replaced by their signs")
def signs():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for p in model.parameters():
                p.grad = p.grad.sign()
            optimizer.step()
    return events


@legitimate(33, "momentum kept in .grad: decayed before each backward")
def momentum_in_the_gradient():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            for p in model.parameters():
                if p.grad is not None:
                    p.grad.mul_(0.9)
            mse(model, batch).backward()
            optimizer.step()
    return events


@legitimate(33, "a decaying learning rate of each window in the gradient")
def scaled_at_the_end():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ledger.record(model, optimizer) as events:
        for i, window in enumerate(windows(4, k=2)):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / 2).backward()
            for p in model.parameters():
                p.grad *= 0.5**i
            optimizer.step()
    return events


@legitimate(33, "gradient surgery: a backward for each task, merged by hand")
def surgery():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=2):
            of_tasks = []
            for batch in window:
                mse(model, batch).backward()
                of_tasks.append([p.grad.clone() for p in model.parameters()])
                optimizer.zero_grad()
            for p, first, second in zip(model.parameters(), *of_tasks, strict=True):
                along = (first * second).sum()
                p.grad = first + second - (along.clamp(max=0) / first.square().sum()) * first
            optimizer.step()
            optimizer.zero_grad()
    return events


@legitimate(33, "a static loss scale by hand, float16 autocast")
def scaled_by_hand():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.float16):
                loss = mse(model, batch)
            (loss * 128).backward()
            for p in model.parameters():
                p.grad /= 128
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(33, "Reptile: the way of an inner loop as the gradient of the outer")
def reptile():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=3):
            inner = copy.deepcopy(model)
            of_inner = torch.optim.SGD(inner.parameters(), lr=0.01)
            for batch in window:
                of_inner.zero_grad()
                mse(inner, batch).backward()
                of_inner.step()
            optimizer.zero_grad()
            for p, moved in zip(model.parameters(), inner.parameters(), strict=True):
                p.grad = p.detach() - moved.detach()
            optimizer.step()
    return events
