"""The smallest model, and a training loop that makes each of the four usual events once a step."""

import torch
from torch import nn


def make():
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def train(model, sgd, steps=1):
    for _ in range(steps):
        sgd.zero_grad()
        model(torch.ones(4, 3)).square().mean().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        sgd.step()


KINDS = ["zero_grad", "backward", "clip", "step"]
