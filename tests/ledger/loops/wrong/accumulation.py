"""Windows of several micro-batches, clipped or divided wrongly."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, limit, mse, net, norm, scaler, windows


def sgd():
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


@wrong("clip-each-micro-batch", "library")
def clipped_each_time():
    model, optimizer = sgd()
    weights = []
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=3):
            optimizer.zero_grad()
            weights.append(1.0)
            for batch in window:
                (mse(model, batch) / 3).backward()
                weights[-1] *= min(1.0, 1.0 / clip_grad_norm_(model.parameters(), 1.0).item())
            optimizer.step()
    return events, weights[0]


@wrong("clip-each-micro-batch", "gradlab's rule, Adam, a counter")
def clipped_each_time_by_a_rule():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    clip, last = gradlab.ClipByGlobalNorm(0.5), []
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(8)):
            (mse(model, batch) / 4).backward()
            last.append(clip(model.parameters()).coefficient)
            if i % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
    return events, last[3]


@wrong("clip-each-micro-batch", "by hand")
def clipped_each_time_by_hand():
    model, optimizer = sgd()
    last = []
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=2):
            optimizer.zero_grad()
            for batch in window:
                mse(model, batch).backward()
                last.append(1.0 / limit(list(model.parameters()), 1.0))
            optimizer.step()
    return events, last[1]


@wrong("clip-each-micro-batch", "scaled gradients at max_norm * scale, no divisor")
def clipped_each_time_while_scaled():
    model, optimizer = sgd()
    scale, last = scaler(1024.0), []
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=3):
            optimizer.zero_grad()
            for batch in window:
                scale.scale(mse(model, batch)).backward()
                last.append(1024.0 / nn.utils.clip_grad_norm_(model.parameters(), 1024.0).item())
            scale.step(optimizer)
            scale.update()
    return events, last[2]


@wrong("clip-each-micro-batch", "by value", "counted")
def clamped_each_time():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=3):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / 3).backward()
                clip_grad_value_(model.parameters(), 0.5)
            optimizer.step()
    return events, 3


@wrong("wrong-accumulation-divisor", "one less than there are")
def one_too_few():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=4):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / (len(window) - 1)).backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events, 4 / 3


@wrong("wrong-accumulation-divisor", "a factor too large, Adam with a scaler")
def factor_too_large():
    model, scale = net(), scaler()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for i, batch in enumerate(batches(12)):
            loss = mse(model, batch) * 0.5
            scale.scale(loss).backward()
            if i % 4 == 3:
                scale.step(optimizer)
                scale.update()
                optimizer.zero_grad()
    return events, 2


@wrong("wrong-accumulation-divisor", "the index of the micro-batch", "by-index")
def by_index():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=4):
            optimizer.zero_grad()
            for i, batch in enumerate(window):
                (mse(model, batch) / (i + 1)).backward()
            gradlab.ClipByGlobalNorm(1.0)(model.parameters())
            optimizer.step()
    return events, 0.25


@wrong("wrong-accumulation-divisor", "the gradient, inside the loop", "in-loop")
def divided_in_the_loop():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=4):
            optimizer.zero_grad()
            for batch in window:
                mse(model, batch).backward()
                for p in model.parameters():
                    p.grad /= 4
            optimizer.step()
    return events, 1 / 256


@wrong("wrong-accumulation-divisor", "the gradient, inside the loop, all at a time, before a clip", "in-loop")
def divided_in_the_loop_and_clipped():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=3):
            optimizer.zero_grad()
            for batch in window:
                mse(model, batch).backward()
                torch._foreach_mul_([p.grad for p in model.parameters()], 1 / 3)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events, 1 / 27


@wrong("leftover-micro-batches", "the tail stepped with the full divisor", "window")
def tail_stepped():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for _ in range(2):
            micro_batches = batches(10)
            for i, batch in enumerate(micro_batches):
                (mse(model, batch) / 4).backward()
                if i % 4 == 3 or i + 1 == len(micro_batches):
                    clip_grad_norm_(model.parameters(), 1.0)
                    optimizer.step()
                    optimizer.zero_grad()
    return events, 0.5


@wrong("leftover-micro-batches", "the tail leaks into the next epoch, with a scaler", "carried")
def tail_carried():
    model, scale = net(), scaler()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for _ in range(2):
            for i, batch in enumerate(batches(10)):
                scale.scale(mse(model, batch) / 4).backward()
                if i % 4 == 3:
                    scale.step(optimizer)
                    scale.update()
                    optimizer.zero_grad()
    return events, 6


@wrong("leftover-micro-batches", "the first window holds one", "window")
def first_window_short():
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(13)):
            loss = mse(model, batch) * 0.25
            loss.backward()
            if i % 4 == 0:
                norms.append(norm(model.parameters()))
                optimizer.step()
                optimizer.zero_grad()
    return events, 0.25
