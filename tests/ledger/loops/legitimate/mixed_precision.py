"""Loss scaling in its right orders, and without need."""


import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

import gradlab
from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, limit, mse, net, scaler, windows


@legitimate(13, "scale, backward, unscale, clip, step, update")
def full_order():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(13, "the same, accumulated, with a rule of gradlab")
def full_order_accumulated():
    model, scale = net(), scaler(1024.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for window in windows(3, k=4):
            for batch in window:
                scale.scale(mse(model, batch) / 4).backward()
            scale.unscale_(optimizer)
            gradlab.ClipByGlobalNorm(1.0)(model.parameters())
            scale.step(optimizer)
            scale.update()
            optimizer.zero_grad()
    return events


@legitimate(13, "float16 autocast with a scaler")
def half_precision():
    model, scale = net(), scaler(1024.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.float16):
                loss = mse(model, batch)
            scale.scale(loss).backward()
            scale.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(14, "no clip, no unscale_")
def unscaled_by_step():
    model, scale = net(), scaler()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(15, "scaled gradients clipped at max_norm * scale")
def scaled_limit():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5 * scale.get_scale())
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(15, "the same by hand")
def scaled_limit_by_hand():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            limit(list(model.parameters()), 0.5 * scale.get_scale())
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(16, "a disabled scaler")
def disabled_scaler():
    model, scale = net(), torch.amp.GradScaler("cpu", enabled=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scale.update()
    return events


@legitimate(16, "bfloat16 without a scaler")
def bfloat16():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = mse(model, batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(20, "one scaler, two optimizers, one loss")
def one_scaler_two_optimizers():
    model, scale = net(), scaler()
    first = torch.optim.SGD(model[0].parameters(), lr=0.01)
    second = torch.optim.Adam(model[2].parameters(), lr=0.01)
    with ledger.record(model, [first, second], scale) as events:
        for batch in batches(5):
            first.zero_grad()
            second.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(first)
            scale.unscale_(second)
            nn.utils.clip_grad_norm_(model[0].parameters(), 1.0)
            nn.utils.clip_grad_norm_(model[2].parameters(), 1.0)
            scale.step(first)
            scale.step(second)
            scale.update()
    return events


@legitimate(20, "one scaler, two networks in turn, only one of them clipped")
def one_scaler_two_networks():
    first_net, second_net, scale = net(0), net(1), scaler()
    first = torch.optim.SGD(first_net.parameters(), lr=0.01)
    second = torch.optim.SGD(second_net.parameters(), lr=0.01)
    with ledger.record([first_net, second_net], [first, second], scale) as events:
        for batch in batches(5):
            first.zero_grad()
            scale.scale(mse(first_net, batch)).backward()
            scale.unscale_(first)
            nn.utils.clip_grad_norm_(first_net.parameters(), 1.0)
            scale.step(first)
            second.zero_grad()
            scale.scale(mse(second_net, batch)).backward()
            scale.step(second)
            scale.update()
    return events


@legitimate(20, "a second optimizer whose loss was never scaled")
def one_of_two_scaled():
    first_net, second_net, scale = net(0), net(1), scaler()
    first = torch.optim.SGD(first_net.parameters(), lr=0.01)
    second = torch.optim.SGD(second_net.parameters(), lr=0.01)
    with ledger.record([first_net, second_net], [first, second], scale) as events:
        for batch in batches(5):
            first.zero_grad()
            second.zero_grad()
            scale.scale(mse(first_net, batch)).backward()
            scale.step(first)
            mse(second_net, batch).backward()
            clip_grad_norm_(second_net.parameters(), 1.0)
            second.step()
            scale.update()
    return events


@legitimate(33, "noise between unscale_ and step")
def noise_with_a_scaler():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            for p in model.parameters():
                p.grad.add_(0.01 * torch.randn_like(p.grad))
            for p in model[0].parameters():
                p.grad.mul_(0.5)
            scale.step(optimizer)
            scale.update()
    return events


@legitimate(20, "float16 autocast, one of two losses scaled")
def one_of_two_half_losses_scaled():
    first_net, second_net, scale = net(0), net(1), scaler(64.0)
    first = torch.optim.SGD(first_net.parameters(), lr=0.01)
    second = torch.optim.SGD(second_net.parameters(), lr=0.01)
    with ledger.record([first_net, second_net], [first, second], scale) as events:
        for batch in batches(4):
            first.zero_grad()
            second.zero_grad()
            with torch.autocast("cpu", torch.float16):
                scaled, plain = mse(first_net, batch), mse(second_net, batch)
            plain.backward()
            scale.scale(scaled).backward()
            scale.step(first)
            second.step()
            scale.update()
    return events


@legitimate(13, "a penalty without scale, after unscale_")
def unscaled_penalty():
    model, scale = net(), scaler()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer, scale) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            sum(p.square().sum() for p in model.parameters()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
    return events
