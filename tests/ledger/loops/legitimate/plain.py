"""One backward, one update: where gradients are cleared and how; extra backward passes."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net


@legitimate(1, "zero_grad first")
def zero_grad_first():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(1, "zero_grad last")
def zero_grad_last():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return events


@legitimate(1, "zero_grad between forward and backward")
def zero_grad_between():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            loss = mse(model, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(1, "zero_grad first and last")
def zero_grad_twice():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            model.zero_grad()
    return events


@legitimate(2, "cleared by the model")
def cleared_by_the_model():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            model.zero_grad()
            mse(model, batch).backward()
            optimizer.step()
    return events


@legitimate(2, "cleared by p.grad = None")
def cleared_by_none():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            for p in model.parameters():
                p.grad = None
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(2, "cleared by p.grad.zero_()")
def cleared_by_zeros():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            for p in model.parameters():
                p.grad.zero_()
    return events


@legitimate(2, "set_to_none=False")
def cleared_to_zeros():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            optimizer.zero_grad(set_to_none=False)
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(3, "no clipping")
def no_clipping():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(25):
            optimizer.zero_grad()
            mse(model, batch).backward()
            optimizer.step()
    return events


@legitimate(35, "the first event is a step")
def from_the_step_on():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    first, *rest = batches(5)
    mse(model, first).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    with ledger.record(model, optimizer) as events:
        optimizer.step()
        for batch in rest:
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(35, "the first event is a clip")
def from_the_clip_on():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    first, *rest = batches(5)
    mse(model, first).backward()
    with ledger.record(model, optimizer) as events:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for batch in rest:
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(36, "a backward for a diagnostic")
def diagnostic():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            mse(model, batch).backward()
            float(model[0].weight.grad.norm())
            optimizer.zero_grad()
            mse(model, batch).backward()
            optimizer.step()
            optimizer.zero_grad()
    return events


@legitimate(37, "tied weights")
def tied_weights():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 2))
    model[2].weight = model[0].weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(37, "checkpointed blocks")
def checkpointed():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            hidden = checkpoint(model[:2], x, use_reentrant=False)
            nn.functional.mse_loss(model[2](hidden), y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events
