"""Several backward passes for one update, all of them meant."""

import torch
from torch import nn

import gradlab
from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, limit, mse, net, squares, windows


@legitimate(8, "loss / k, clipped at the end of the window")
def accumulated():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=3):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / 3).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(8, "a counter over micro-batches, loss * 0.25, zero_grad after the step")
def accumulated_by_a_counter():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(16)):
            loss = mse(model, batch) * 0.25
            loss.backward()
            if (i + 1) % 4 == 0:
                gradlab.ClipByGlobalNorm(1.0)(model.parameters())
                optimizer.step()
                optimizer.zero_grad(set_to_none=False)
    return events


@legitimate(9, "a short last window with its own divisor")
def short_window():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for _ in range(2):
            micro_batches = batches(10)
            for start in range(0, 10, 4):
                window = micro_batches[start:start + 4]
                optimizer.zero_grad()
                for batch in window:
                    (mse(model, batch) / len(window)).backward()
                limit(model.parameters(), 1.0)
                optimizer.step()
    return events


@legitimate(9, "a loader that drops the short window")
def dropped_window():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for _ in range(2):
            for i, batch in enumerate(batches(8)):
                (mse(model, batch) / 4).backward()
                if i % 4 == 3:
                    optimizer.step()
                    optimizer.zero_grad()
    return events


@legitimate(9, "the tail of an epoch cleared at the start of the next")
def cleared_tail():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for _ in range(2):
            optimizer.zero_grad()
            for i, batch in enumerate(batches(10)):
                (mse(model, batch) / 4).backward()
                if i % 4 == 3:
                    optimizer.step()
                    optimizer.zero_grad()
    return events


@legitimate(9, "a window carried on over the end of an epoch, on purpose")
def carried_window():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    seen = 0
    with ledger.record(model, optimizer) as events:
        for _ in range(4):
            for batch in batches(6):
                (mse(model, batch) / 4).backward()
                seen += 1
                if seen % 4 == 0:
                    optimizer.step()
                    optimizer.zero_grad()
    return events


@legitimate(10, "summed losses, gradients divided once by the count of targets")
def divided_once():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=3):
            optimizer.zero_grad()
            targets = 0
            for batch in window:
                squares(model, batch).backward()
                targets += batch[1].numel()
            for p in model.parameters():
                p.grad /= targets
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(10, "gradients divided once by k, all at a time")
def divided_once_by_k():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=4):
            optimizer.zero_grad()
            for batch in window:
                mse(model, batch).backward()
            torch._foreach_div_([p.grad for p in model.parameters()], 4)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(10, "summed losses, each divided by the window's count of targets")
def divided_by_all_targets():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=3):
            targets = sum(batch[1].numel() for batch in window)
            optimizer.zero_grad()
            for batch in window:
                loss = squares(model, batch) / targets
                loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(10, "uneven micro-batches, weighted by their share of the targets")
def weighted_by_targets():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    window = [batch for rows in (2, 6) for batch in batches(1, rows)]
    with ledger.record(model, optimizer) as events:
        for _ in range(4):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) * (len(batch[0]) / 8)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(35, "recorded from the middle of a window on")
def from_the_middle_of_a_window():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recording = ledger.record(model, optimizer)
    for i, batch in enumerate(batches(16)):
        if i == 2:
            events = recording.__enter__()
        (mse(model, batch) / 4).backward()
        if i % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
    recording.__exit__(None, None, None)
    return events


@legitimate(10, "half of the division in the loss, half in the gradients")
def divided_in_halves():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=4):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / 2).backward()
            for p in model.parameters():
                p.grad /= 2
            optimizer.step()
    return events
