"""Parameters that the recorded optimizer does not hold and that are updated all the same."""

import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net, norm, scaler


@legitimate(29, "a second optimizer, which was not given to record")
def optimizer_not_given():
    model = net()
    trunk = torch.optim.SGD(model[0].parameters(), lr=0.01)
    head = torch.optim.Adam(model[2].parameters(), lr=0.01)
    with ledger.record(model, trunk) as events:
        for batch in batches(4):
            trunk.zero_grad()
            head.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            trunk.step()
            head.step()
    return events


@legitimate(29, "a second optimizer, not given, that has not stepped yet")
def optimizer_not_given_that_waits():
    model = net()
    trunk = torch.optim.SGD(model[0].parameters(), lr=0.01)
    head = torch.optim.SGD(model[2].parameters(), lr=0.01)
    with ledger.record(model, trunk) as events:
        for batch in batches(4):
            trunk.zero_grad()
            mse(model, batch).backward()
            trunk.step()
        head.zero_grad()
    return events


@legitimate(29, "some weights moved by hand")
def moved_by_hand():
    model = net()
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            model.zero_grad()
            mse(model, batch).backward()
            optimizer.step()
            with torch.no_grad():
                for p in model[2].parameters():
                    p -= 0.01 * p.grad
    return events


@legitimate(16, "master copies in float32, copied back by .data")
def master_copies():
    model = net().bfloat16()
    masters = [nn.Parameter(p.detach().float()) for p in model.parameters()]
    optimizer = torch.optim.AdamW(masters, lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(5):
            model.zero_grad()
            mse(model, (x.bfloat16(), y.bfloat16())).backward()
            for master, p in zip(masters, model.parameters(), strict=True):
                master.grad = p.grad.float()
            nn.utils.clip_grad_norm_(masters, 1.0)
            optimizer.step()
            for master, p in zip(masters, model.parameters(), strict=True):
                p.data.copy_(master.data)
    return events


@legitimate(13, "master copies in float32 with a scaler, copied back under no_grad")
def scaled_master_copies():
    model, scale = net().half(), scaler(64.0)
    masters = [p.detach().float().requires_grad_() for p in model.parameters()]
    optimizer = torch.optim.SGD(masters, lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            model.zero_grad()
            scale.scale(mse(model, (x.half(), y.half())).float()).backward()
            for master, p in zip(masters, model.parameters(), strict=True):
                master.grad = p.grad.float()
            scale.unscale_(optimizer)
            norm(masters)
            nn.utils.clip_grad_norm_(masters, 1.0)
            scale.step(optimizer)
            scale.update()
            with torch.no_grad():
                for master, p in zip(masters, model.parameters(), strict=True):
                    p.copy_(master)
    return events
