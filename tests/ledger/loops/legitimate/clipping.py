"""Clips that are right: those that only measure, never act, always act, or act on parts; and no clip without need."""

import math
import statistics

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

import gradlab
from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, limit, mse, net, norm


@legitimate(4, "norm read before and after the clip and after the step")
def norms_read():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            nn.utils.clip_grad_norm_(model.parameters(), math.inf)
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), math.inf)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            nn.utils.clip_grad_norm_(model.parameters(), math.inf)
            optimizer.step()
            nn.utils.clip_grad_norm_(model.parameters(), math.inf)
    return events


@legitimate(4, "get_total_norm and a rule that only measures")
def total_norms_read():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    measure = gradlab.ClipByGlobalNorm(math.inf)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            measure(model.parameters())
            gradlab.ClipByGlobalNorm(1.0)(model.parameters())
            if hasattr(nn.utils, "get_total_norm"):
                nn.utils.get_total_norm([p.grad for p in model.parameters()])
            optimizer.step()
            norm(model.parameters())
            measure(model.parameters())
    return events


@legitimate(5, "a limit never reached")
def never_acts():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(25):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1e4)
            optimizer.step()
    return events


@legitimate(6, "always clipped under Adam", "always-clipped")
def always_acts():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    with ledger.record(model, optimizer) as events:
        for batch in batches(25):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
    return events


@legitimate(7, "a limit that falls on a schedule")
def scheduled_limit():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(25)):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5 * 0.9**i)
            optimizer.step()
    return events


@legitimate(7, "a running median as the limit, from the fifth update on")
def running_limit():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    seen = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(25):
            optimizer.zero_grad()
            mse(model, batch).backward()
            seen.append(norm(model.parameters()))
            if len(seen) >= 5:
                limit(model.parameters(), 0.9 * statistics.median(seen))
            optimizer.step()
    return events


@legitimate(28, "frozen backbone")
def frozen_backbone():
    model = net()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(28, "frozen backbone that the optimizer holds all the same")
def frozen_but_held():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model[0].requires_grad_(False)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            clip_grad_norm_(model[2].parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(30, "separate limits for each group")
def separate_limits():
    model = net()
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.1}],
                                lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model[0].parameters(), 0.5)
            nn.utils.clip_grad_norm_(model[2].parameters(), 2.0)
            optimizer.step()
    return events


@legitimate(30, "gradlab's rule by group")
def by_group():
    model = net()
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters()}], lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            gradlab.ClipByGroupNorm(1.0)(optimizer.param_groups)
            optimizer.step()
    return events


@legitimate(30, "unit-wise, by hand (AGC)")
def unit_wise_by_hand():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            with torch.no_grad():
                for p in model[0].parameters():  # the head is left alone, as its authors do
                    across = tuple(range(1, p.dim())) or (0,)
                    size = p.norm(dim=across, keepdim=True).clamp(min=1e-3)
                    of_gradient = p.grad.norm(dim=across, keepdim=True).clamp(min=1e-6)
                    p.grad.mul_((0.1 * size / of_gradient).clamp(max=1.0))
            optimizer.step()
    return events


@legitimate(30, "unit-wise, with the library's clip (AGC)")
def unit_wise():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for p in model[0].parameters():
                nn.utils.clip_grad_norm_(p, 0.1 * p.norm().item())
            optimizer.step()
    return events


@legitimate(31, "value clip by choice", "value-clip-for-norm-clip")
def value_clip():
    model = net()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(25):
            optimizer.zero_grad()
            mse(model, batch).backward()
            clip_grad_value_(model.parameters(), 0.1)
            optimizer.step()
    return events


@legitimate(31, "value, then norm", "value-clip-for-norm-clip")
def value_then_norm():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_value_(model.parameters(), 1.0)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(31, "clamped by hand")
def clamped_by_hand():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for p in model.parameters():
                p.grad.clamp_(-1.0, 1.0)
            optimizer.step()
    return events
