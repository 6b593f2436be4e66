"""Backward passes inside optimizer.step(closure)."""

import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net


@legitimate(24, "step(closure), plain SGD")
def closure():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            def loss(batch=batch):
                optimizer.zero_grad()
                loss = mse(model, batch)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                return loss
            optimizer.step(loss)
    return events


@legitimate(24, "LBFGS")
def lbfgs():
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            def loss(batch=batch):
                optimizer.zero_grad()
                loss = mse(model, batch)
                loss.backward()
                return loss
            optimizer.step(loss)
    return events


@legitimate(24, "LBFGS, half of a loss")
def lbfgs_halved():
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            def loss(batch=batch):
                optimizer.zero_grad()
                loss = 0.5 * mse(model, batch)
                loss.backward()
                return loss
            optimizer.step(loss)
    return events
