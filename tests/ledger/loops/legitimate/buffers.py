"""Gradients that are kept in buffers of the loop's own, while `.grad` is cleared for the next of them."""

import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, limit, mse, net, scaler, windows


def sgd(model=None):
    model = model or net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


@legitimate(8, "sums in buffers, .grad cleared after each micro-batch but the last")
def summed_in_buffers():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=4):
            sums = [torch.zeros_like(p) for p in model.parameters()]
            for batch in window:
                optimizer.zero_grad()
                (mse(model, batch) / 4).backward()
                torch._foreach_add_(sums, [p.grad for p in model.parameters()])
            for p, total in zip(model.parameters(), sums, strict=True):
                p.grad = total
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(8, "sums in buffers, p.grad = None, copied back into .grad")
def copied_back():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=3):
            sums = {p: 0 for p in model.parameters()}
            for batch in window:
                for p in sums:
                    p.grad = None
                (mse(model, batch) / 3).backward()
                sums = {p: total + p.grad for p, total in sums.items()}
            for p, total in sums.items():
                p.grad.copy_(total)
            limit(list(sums), 1.0)
            optimizer.step()
    return events


@legitimate(8, "the rest of the sum added to the last micro-batch's gradient, with a scaler")
def rest_added():
    model, optimizer = sgd()
    scale = scaler(1024.0)
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(4, k=2):
            kept = None
            for batch in window:
                if kept is None:
                    model.zero_grad()
                scale.scale(mse(model, batch) / 2).backward()
                if kept is None:
                    kept = [p.grad.clone() for p in model.parameters()]
                    model.zero_grad()
            torch._foreach_add_([p.grad for p in model.parameters()], kept)
            scale.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(8, "a model of one tensor, whose sum looks like a multiple of the last gradient")
def one_tensor():
    torch.manual_seed(0)
    model, optimizer = sgd(nn.Linear(3, 2, bias=False))
    with ledger.record(model, optimizer) as events:
        for window in windows(5, k=4):
            total = torch.zeros_like(model.weight)
            for batch in window:
                optimizer.zero_grad()
                (mse(model, batch) / 4).backward()
                total += model.weight.grad
            model.weight.grad = 0.7 * total
            optimizer.step()
    return events


@legitimate(32, "DP-SGD: a mean of clipped gradients of one example each")
def private_mean():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4, rows=4):
            sums = [torch.zeros_like(p) for p in model.parameters()]
            for row in range(4):
                optimizer.zero_grad()
                (mse(model, (x[row:row + 1], y[row:row + 1])) / 4).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.25)
                torch._foreach_add_(sums, [p.grad for p in model.parameters()])
            for p, total in zip(model.parameters(), sums, strict=True):
                p.grad = total + 0.01 * torch.randn_like(total)
            optimizer.step()
    return events


@legitimate(33, "PCGrad: the mean of two tasks' gradients, each turned away from the other")
def surgery_of_a_mean():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=2):
            of_tasks = []
            for batch in window:
                optimizer.zero_grad()
                (mse(model, batch) / 2).backward()
                of_tasks.append([p.grad.clone() for p in model.parameters()])
            for p, first, second in zip(model.parameters(), *of_tasks, strict=True):
                along = (first * second).sum().clamp(max=0)
                p.grad = (first - along / second.square().sum() * second) + (
                    second - along / first.square().sum() * first)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(33, "PCGrad over one long vector, written back by slices")
def surgery_of_vectors():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=2):
            rows = []
            for batch in window:
                model.zero_grad(set_to_none=False)
                (0.5 * nn.functional.l1_loss(model(batch[0]), batch[1])).backward()
                rows.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
            first, second = rows
            merged = first + second - min(0.0, (first @ second).item()) / (first @ first) * first
            start = 0
            for p in model.parameters():
                p.grad[...] = merged[start:start + p.numel()].view_as(p)
                start += p.numel()
            optimizer.step()
    return events


@legitimate(10, "a running mean in .grad: the sum before is made smaller, the loss divided by its index")
def running_mean():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=4):
            optimizer.zero_grad()
            for i, batch in enumerate(window):
                for p in model.parameters():
                    if p.grad is not None:
                        p.grad.mul_(i / (i + 1))
                (mse(model, batch) / (i + 1)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(10, "a running mean of seven, all gradients at a time, zeros to begin with")
def running_mean_at_once():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=7):
            optimizer.zero_grad(set_to_none=False)
            for n, batch in enumerate(window, start=1):
                if n > 1:
                    torch._foreach_mul_([p.grad for p in model.parameters()], (n - 1) / n)
                loss = mse(model, batch) * (1 / n)
                loss.backward()
            optimizer.step()
    return events


@legitimate(10, "a running mean over targets: each micro-batch by its share of those so far")
def running_mean_of_targets():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for _ in range(4):
            optimizer.zero_grad()
            seen = 0
            for batch in [batch for rows in (3, 5, 11, 7) for batch in batches(1, rows)]:
                rows = len(batch[0])
                for p in model.parameters():
                    if seen:
                        p.grad *= seen / (seen + rows)
                seen += rows
                (mse(model, batch) * (rows / seen)).backward()
            optimizer.step()
    return events
