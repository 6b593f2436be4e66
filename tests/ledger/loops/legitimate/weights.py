"""Sums and weighted losses, where no window's mean is meant."""

import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net, squares, windows


@legitimate(11, "a sum objective, no divisor")
def sum_objective():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=3):
            optimizer.zero_grad()
            for batch in window:
                squares(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(11, "a weighted loss, one backward")
def weighted_loss():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            (0.5 * mse(model, batch)).backward()
            optimizer.step()
    return events


@legitimate(12, "several losses, several backwards")
def several_losses():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            prediction = model(x)
            nn.functional.mse_loss(prediction, y).backward(retain_graph=True)
            (0.1 * prediction.abs().mean()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(12, "two heads with weights, each with a backward of its own")
def weighted_heads():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            prediction = model(x)
            first = 0.1 * nn.functional.mse_loss(prediction[:, 0], y[:, 0])
            second = 0.1 * nn.functional.mse_loss(prediction[:, 1], y[:, 1])
            first.backward(retain_graph=True)
            second.backward()
            optimizer.step()
    return events


@legitimate(12, "three heads with a weight of a half each")
def half_weighted_heads():
    model = nn.ModuleList([nn.Linear(3, 1) for _ in range(3)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            (0.5 * (model[0](x)[:, 0] - y[:, 0]).square().mean()).backward()
            (0.5 * (model[1](x)[:, 0] - y[:, 1]).square().mean()).backward()
            (0.5 * model[2](x).square().mean()).backward()
            optimizer.step()
    return events


@legitimate(11, "a weight in each micro-batch of a sum, none of them a count")
def weighted_sum():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=3):
            optimizer.zero_grad()
            for batch in window:
                (0.4 * mse(model, batch)).backward()
            optimizer.step()
    return events


@legitimate(12, "two losses, the second with half the weight of the first")
def first_and_half():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            (mse(model, (x, y)) / 1).backward()
            (model(x).abs().mean() / 2).backward()
            optimizer.step()
    return events


@legitimate(12, "two losses, and a limit after each")
def limited_in_turn():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            mse(model, (x, y)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            model(x).abs().mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
    return events


@legitimate(33, "older micro-batches of a window fade")
def fading():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=3):
            optimizer.zero_grad(set_to_none=False)
            for batch in window:
                for p in model.parameters():
                    if p.grad is not None:
                        p.grad.mul_(0.5)
                mse(model, batch).backward()
            optimizer.step()
    return events
