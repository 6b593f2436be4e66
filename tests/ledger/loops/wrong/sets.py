"""The wrong parameters clipped, or held by the optimizer."""

import copy

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, mse, net, norm, scaler, windows


def sgd():
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=0.01)


@wrong("exhausted-parameters", "a generator bound before the optimizer was made")
def generator():
    model = net()
    parameters = model.parameters()
    optimizer = torch.optim.SGD(parameters, lr=0.01)
    norms = []
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            norms.append(norm(model.parameters()))
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
    return events, norms[0]


@wrong("exhausted-parameters", "a filter, accumulated; the first window is clipped")
def used_up_filter():
    model, optimizer = sgd()
    trainable = filter(lambda p: p.requires_grad, model.parameters())
    norms = []
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=2):
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / 2).backward()
            norms.append(norm(model.parameters()))
            clip_grad_norm_(trainable, 1.0)
            optimizer.step()
    return events, norms[1]


@wrong("exhausted-parameters", "a map, with a scaler")
def used_up_map():
    model, optimizer = sgd()
    scale, norms = scaler(1024.0), []
    parameters = map(lambda named: named[1], model.named_parameters())
    print("training", sum(p.numel() for p in parameters), "parameters")
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(3):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            norms.append(norm(model.parameters()))
            clip_grad_norm_(parameters, 1.0)
            scale.step(optimizer)
            scale.update()
    return events, norms[0]


@wrong("clip-set-mismatch", "only the head is clipped", "missing")
def head_clipped():
    model, optimizer = sgd()
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model[2].parameters(), 1.0)
            optimizer.step()
    return events, 2


@wrong("clip-set-mismatch", "gradlab's rule, weights but no biases, with a scaler", "missing")
def weights_clipped():
    model, optimizer = sgd()
    scale = scaler()
    weights = [p for p in model.parameters() if p.dim() > 1]
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=2):
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            scale.unscale_(optimizer)
            gradlab.ClipByGlobalNorm(1.0)(weights)
            scale.step(optimizer)
            scale.update()
            optimizer.zero_grad()
    return events, 2


@wrong("clip-set-mismatch", "a loop over layers that forgets one", "missing")
def layer_forgotten():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            for layer in model:
                if isinstance(layer, nn.Linear):
                    clip_grad_norm_(layer.parameters(), 1.0)
            optimizer.step()
    return events, 6


@wrong("clip-set-mismatch", "the whole model, the optimizer holds the head", "extra")
def backbone_counted():
    model = net()
    optimizer = torch.optim.SGD(model[2].parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events, 4


@wrong("clip-set-mismatch", "the same by gradlab's rule, all gradients cleared, accumulated", "extra")
def backbone_counted_and_cleared():
    model = net()
    optimizer = torch.optim.Adam([model[2].weight], lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(3, k=2):
            model.zero_grad()
            for batch in window:
                (mse(model, batch) / 2).backward()
            gradlab.ClipByGlobalNorm(1.0)(model.parameters())
            optimizer.step()
    return events, 3


@wrong("clip-set-mismatch", "the head listed twice", "duplicate")
def head_twice():
    model, optimizer = sgd()
    parameters = [*model.parameters(), *model[2].parameters()]
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            clip_grad_norm_(parameters, 1.0)
            optimizer.step()
    return events, 6


@wrong("optimizer-set-mismatch", "a head replaced after Adam was made")
def head_replaced():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model[2] = nn.Linear(4, 2)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events, 2


@wrong("optimizer-set-mismatch", "a copy of the model is trained")
def copy_trained():
    model, optimizer = sgd()
    model = copy.deepcopy(model)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            optimizer.step()
    return events, 4


@wrong("optimizer-set-mismatch", "a layer that the list forgets, accumulated, with a scaler")
def layer_not_held():
    model, scale = net(), scaler()
    optimizer = torch.optim.AdamW([model[0].weight, model[2].weight, model[2].bias], lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=2):
            model.zero_grad()
            for batch in window:
                scale.scale(mse(model, batch) / 2).backward()
            scale.step(optimizer)
            scale.update()
    return events, 1
