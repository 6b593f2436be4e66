"""A small model, its loss and its gradient norm, to be recorded."""

import math

import torch
from torch import nn
from torch.nn import functional


def make(kind=torch.optim.SGD, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    return model, kind(model.parameters(), lr=0.1, **options)


X, Y = torch.linspace(-1, 1, 24).reshape(8, 3), torch.linspace(2, -1, 8).reshape(8, 1)


def loss(model):
    return functional.mse_loss(model(X), Y)


def kinds(events):
    return [event.kind for event in events]


def norm(model):
    return math.sqrt(sum(p.grad.double().square().sum().item() for p in model.parameters() if p.grad is not None))
