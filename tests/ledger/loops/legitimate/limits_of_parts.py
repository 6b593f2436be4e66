"""Clips of parts of the model, each for its own reason."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, limit, mse, net, norm


def sgd():
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


@legitimate(5, "a limit for each tensor that none reaches")
def tensors_below_their_limit():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for p in model.parameters():
                clip_grad_norm_(p, 1e4)
            optimizer.step()
    return events


@legitimate(5, "a value that no entry reaches")
def entries_below_their_limit():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            clip_grad_value_(model.parameters(), 1e4)
            optimizer.step()
    return events


@legitimate(7, "clipping begins late, when it is first needed")
def late_but_in_time():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for i, (x, y) in enumerate(batches(8)):
            optimizer.zero_grad()
            mse(model, (x, y * (0.01 if i < 4 else 1.0))).backward()
            if i >= 4:
                nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
    return events


@legitimate(7, "a limit taken from the norms so far, from the third update on")
def limit_from_the_norms():
    model, optimizer = sgd()
    seen = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(8):
            optimizer.zero_grad()
            mse(model, batch).backward()
            seen.append(norm(model.parameters()))
            if len(seen) > 2:
                nn.utils.clip_grad_norm_(model.parameters(), min(seen))
            optimizer.step()
    return events


@legitimate(7, "only an oversized norm is clipped")
def clipped_where_needed():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(8):
            optimizer.zero_grad()
            mse(model, batch).backward()
            if norm(model.parameters()) > 12:
                nn.utils.clip_grad_norm_(model.parameters(), 12.0)
            optimizer.step()
    return events


@legitimate(30, "each tensor limited by hand, some below their limit")
def tensors_limited_by_hand():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for p in model.parameters():
                limit([p], 5.0)
            optimizer.step()
    return events


@legitimate(30, "an empty group beside a full one")
def empty_group():
    model, optimizer = sgd()
    groups = [list(model.parameters()), []]
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for group in groups:
                nn.utils.clip_grad_norm_(group, 1.0)
            optimizer.step()
    return events


@legitimate(30, "each task's gradient limited to a share of its own, in one loop")
def limited_shares():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            prediction = model(x)
            for column, max_norm in ((0, 0.1), (1, 1.0)):
                nn.functional.mse_loss(prediction[:, column], y[:, column]).backward(retain_graph=True)
                nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
    return events


@legitimate(28, "a backbone frozen for good, its gradients left as zeros, outside the optimizer")
def zeros_left():
    model = net()
    mse(model, batches(1)[0]).backward()
    model.zero_grad(set_to_none=False)
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            model.zero_grad(set_to_none=False)
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(28, "a backbone measured once, then frozen, outside the optimizer")
def measured_once():
    model = net()
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(5)):
            model.zero_grad()
            mse(model, batch).backward()
            if i == 0:
                norm(model[0].parameters())
                model[0].requires_grad_(False)
            optimizer.step()
    return events


@legitimate(7, "the first update is left unclipped")
def first_unclipped():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(6)):
            optimizer.zero_grad()
            mse(model, batch).backward()
            if i:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events
