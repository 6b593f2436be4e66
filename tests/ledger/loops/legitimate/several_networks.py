"""Several networks or optimizers: PPO, target networks, one clip over two optimizers."""

import copy

import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net


@legitimate(22, "gradient penalty")
def gradient_penalty():
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            x.requires_grad_()
            prediction = model(x)
            slope, = torch.autograd.grad(prediction.sum(), x, create_graph=True)
            (nn.functional.mse_loss(prediction, y) + (slope.norm(dim=1) - 1).square().mean()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return events


@legitimate(26, "PPO: many steps for each rollout, a scheduler for each rollout")
def ppo():
    policy, value = net(0), nn.Linear(3, 1)
    both = nn.ModuleList([policy, value])
    optimizer = torch.optim.Adam(both.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=3)
    with ledger.record(both, optimizer, scheduler=scheduler) as events:
        for _ in range(3):
            rollout = batches(2)
            with torch.no_grad():
                old = [policy(x).log_softmax(1)[:, 0] for x, _ in rollout]
            for _ in range(2):
                for (x, y), before in zip(rollout, old, strict=True):
                    ratio = (policy(x).log_softmax(1)[:, 0] - before).exp()
                    gain = torch.min(ratio * y[:, 0], ratio.clamp(0.8, 1.2) * y[:, 0]).mean()
                    optimizer.zero_grad()
                    (0.5 * (value(x)[:, 0] - y[:, 1]).square().mean() - gain).backward()
                    nn.utils.clip_grad_norm_(both.parameters(), 0.5)
                    optimizer.step()
            scheduler.step()
    return events


@legitimate(27, "a moving average written after the step")
def moving_average():
    model = net()
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record([model, average], optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                    slow.lerp_(fast, 0.1)
    return events


@legitimate(27, "a target network and AveragedModel")
def target_network():
    model, target = net(0), net(0)
    average = torch.optim.swa_utils.AveragedModel(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with ledger.record([model, target], optimizer) as events:
        for i, (x, _) in enumerate(batches(6)):
            with torch.no_grad():
                goal = 1 + 0.9 * target(x)
            optimizer.zero_grad()
            mse(model, (x, goal)).backward()
            optimizer.step()
            average.update_parameters(model)
            if i % 2:
                target.load_state_dict(model.state_dict())
    return events


@legitimate(29, "one clip over two optimizers that step together")
def one_clip_two_optimizers():
    model = net()
    first = torch.optim.SGD(model[0].parameters(), lr=0.01)
    second = torch.optim.AdamW(model[2].parameters(), lr=0.01)
    with ledger.record(model, [first, second]) as events:
        for batch in batches(5):
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in (first, second):
                optimizer.step()
            for optimizer in (first, second):
                optimizer.zero_grad()
    return events


@legitimate(29, "two optimizers that take turns, one clip over both")
def taking_turns():
    model = net()
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.01) for part in (model[0], model[2])]
    with ledger.record(model, optimizers) as events:
        for i, batch in enumerate(batches(6)):
            model.zero_grad()
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers[i % 2].step()
    return events


@legitimate(29, "a loss with a parameter of its own, outside the model")
def parameter_of_the_loss():
    model, weight = net(), nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.SGD([*model.parameters(), weight], lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            optimizer.zero_grad()
            (mse(model, batch) * torch.exp(-weight) + weight).backward()
            nn.utils.clip_grad_norm_([*model.parameters(), weight], 1.0)
            optimizer.step()
    return events


@legitimate(29, "a probe on detached features with an optimizer of its own")
def probe():
    model, read = net(), nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    of_probe = torch.optim.SGD(read.parameters(), lr=0.01)
    with ledger.record([model, read], [optimizer, of_probe]) as events:
        for x, y in batches(4):
            optimizer.zero_grad()
            mse(model, (x, y)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            of_probe.zero_grad()
            nn.functional.mse_loss(read(model[:2](x).detach()), y).backward()
            of_probe.step()
    return events


@legitimate(29, "one optimizer has stepped when both networks' gradients are clipped")
def clipped_for_the_second():
    model = net()
    first, second = (torch.optim.SGD(part.parameters(), lr=0.01) for part in (model[0], model[2]))
    with ledger.record(model, [first, second]) as events:
        for batch in batches(4):
            model.zero_grad()
            mse(model, batch).backward()
            first.step()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            second.step()
    return events


@legitimate(29, "two optimizers that share a trunk")
def shared_trunk():
    model = net()
    whole = torch.optim.SGD(model.parameters(), lr=0.01)
    trunk = torch.optim.Adam(model[0].parameters(), lr=0.001)
    with ledger.record(model, [whole, trunk]) as events:
        for x, y in batches(4):
            model.zero_grad()
            mse(model, (x, y)).backward()
            whole.step()
            model[:2](x).square().mean().backward()
            trunk.step()
    return events


@legitimate(6, "two networks, each with too few updates to speak of always")
def few_updates_each():
    nets = [net(0), net(1)]
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.001) for model in nets]
    with ledger.record(nets, optimizers) as events:
        for batch in batches(12):
            for model, optimizer in zip(nets, optimizers, strict=True):
                optimizer.zero_grad()
                mse(model, batch).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 0.01)
                optimizer.step()
    return events
