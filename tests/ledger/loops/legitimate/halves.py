"""Losses with a factor of a half that is their own, and no count of micro-batches."""

import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net, windows


def sgd():
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=0.001)


@legitimate(11, "half the squares of each example, summed over four")
def half_of_squares():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4, rows=4):
            optimizer.zero_grad()
            for row, target in zip(x, y, strict=True):
                loss = 0.5 * (model(row) - target).pow(2).sum()
                loss.backward()
            optimizer.step()
    return events


@legitimate(11, "the same divided by 2, windows of two and a short last one")
def half_of_squares_in_windows():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for x, y in batches(3, rows=5):
            for start in range(0, 5, 2):
                optimizer.zero_grad()
                for row, target in zip(x[start:start + 2], y[start:start + 2], strict=True):
                    difference = model(row) - target
                    ((difference * difference).sum() / 2).backward()
                optimizer.step()
    return events


@legitimate(8, "0.5 * (loss / 4), the half being a weight")
def half_of_a_mean():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=4):
            optimizer.zero_grad()
            for batch in window:
                (0.5 * (mse(model, batch) / 4)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(8, "loss / 4 / 2: four micro-batches of two parts each")
def divided_twice():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=8):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / 4 / 2).backward()
            optimizer.step()
    return events


@legitimate(11, "a temperature of a half before the sum of a contrastive loss", "wrong-accumulation-divisor")
def temperature():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=3):
            optimizer.zero_grad()
            for x, _ in window:
                parts = nn.functional.normalize(model(x), dim=1)
                (0.5 * (parts @ parts.T / 0.5).logsumexp(1).mean()).backward()
            optimizer.step()
    return events


@legitimate(23, "SAM of half the squares, its two backwards on one line", "zero-grad-before-step")
def sharpness_of_half_the_squares():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            for ascend in (True, False):
                optimizer.zero_grad()
                (0.5 * (model(x) - y).square().mean()).backward()
                if ascend:
                    old = [p.detach().clone() for p in model.parameters()]
                    with torch.no_grad():
                        for p in model.parameters():
                            p += 0.01 * p.grad / p.grad.norm()
            with torch.no_grad():
                for p, before in zip(model.parameters(), old, strict=True):
                    p.copy_(before)
            optimizer.step()
    return events
