"""Truncated backpropagation through time."""

import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import windows


@legitimate(25, "truncated backpropagation through time, a step for each chunk")
def step_per_chunk():
    cell, head = nn.RNNCell(3, 4), nn.Linear(4, 2)
    optimizer = torch.optim.SGD([*cell.parameters(), *head.parameters()], lr=0.01)
    with ledger.record([cell, head], optimizer) as events:
        hidden = torch.zeros(5, 4)
        for chunk in windows(4, k=2):
            optimizer.zero_grad()
            loss, hidden = 0.0, hidden.detach()
            for x, y in chunk:
                hidden = cell(x, hidden)
                loss = loss + nn.functional.mse_loss(head(hidden), y)
            loss.backward()
            nn.utils.clip_grad_norm_([*cell.parameters(), *head.parameters()], 1.0)
            optimizer.step()
    return events


@legitimate(25, "truncated backpropagation through time, one step for all chunks")
def step_for_all_chunks():
    cell, head = nn.RNNCell(3, 4), nn.Linear(4, 2)
    both = nn.ModuleList([cell, head])
    optimizer = torch.optim.SGD(both.parameters(), lr=0.01)
    with ledger.record(both, optimizer) as events:
        for sequence in windows(3, k=4):
            hidden = torch.zeros(5, 4)
            for x, y in sequence:
                hidden = cell(x, hidden.detach())
                nn.functional.mse_loss(head(hidden), y).backward()
            nn.utils.clip_grad_norm_(both.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return events
