"""A mistake with one of two networks, beside another that is trained rightly."""

import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.nn.utils import clip_grad_norm_

import gradlab
from gradlab import ledger
from loops.loop import wrong
from loops.problem import batches, mse, net, norm, scaler


def pair(seeds=(0, 1)):
    """Two nets, and an optimizer for each."""
    nets = [net(seed) for seed in seeds]
    return *nets, *(torch.optim.SGD(model.parameters(), lr=0.001) for model in nets)


@wrong("clip-after-step", "the second of two networks")
def second_after_its_step():
    first, second, of_first, of_second = pair()
    norms = []
    with ledger.record([first, second], [of_first, of_second]) as events:
        for batch in batches(4):
            of_first.zero_grad()
            mse(first, batch).backward()
            nn.utils.clip_grad_norm_(first.parameters(), 1.0)
            of_first.step()
            of_second.zero_grad()
            mse(second, batch).backward()
            norms.append(norm(second.parameters()))
            of_second.step()
            nn.utils.clip_grad_norm_(second.parameters(), 1.0)
    return events, norms[0]


@wrong("clip-before-backward", "a function of its own, called before zero_grad", "none")
def clipped_in_front_by_a_function():
    first, second, of_first, of_second = pair()
    norms = []

    def clip():
        clip_grad_norm_(second.parameters(), 1.0)

    with ledger.record([first, second], [of_first, of_second]) as events:
        for batch in batches(4):
            of_first.zero_grad()
            mse(first, batch).backward()
            of_first.step()
            clip()
            of_second.zero_grad()
            mse(second, batch).backward()
            norms.append(norm(second.parameters()))
            of_second.step()
    return events, norms[0]


@wrong("missing-zero-grad", "the critic of a pair: the generator's backward reaches it, too")
def critic_never_cleared():
    torch.manual_seed(0)
    generator, critic = nn.Linear(3, 2), nn.Linear(2, 1)
    of_generator, of_critic = (torch.optim.SGD(model.parameters(), lr=0.001) for model in (generator, critic))
    with ledger.record([generator, critic], [of_generator, of_critic]) as events:
        for x, y in batches(4):
            (critic(y).square().mean() + critic(generator(x).detach()).square().mean()).backward()
            of_critic.step()
            of_generator.zero_grad()
            critic(generator(x)).square().mean().backward()
            of_generator.step()
    return events, 2


@wrong("zero-grad-before-step", "the first of two networks, by the second's zero_grad that means both", "nothing-left")
def cleared_by_the_other():
    first, second, of_first, of_second = pair()
    both = nn.ModuleList([first, second])
    with ledger.record([first, second], [of_first, of_second]) as events:
        for batch in batches(4):
            mse(first, batch).backward()
            both.zero_grad()
            mse(second, batch).backward()
            of_first.step()
            of_second.step()
    return events, 1


@wrong("clip-before-unscale", "the second of two networks")
def second_clipped_while_scaled():
    first, second, of_first, of_second = pair()
    scale, norms = scaler(2048.0), []
    with ledger.record([first, second], [of_first, of_second], scale) as events:
        for batch in batches(4):
            of_first.zero_grad()
            of_second.zero_grad()
            scale.scale(mse(first, batch) + mse(second, batch)).backward()
            scale.unscale_(of_first)
            gradlab.ClipByGlobalNorm(1.0)(first.parameters())
            norms.append(norm(second.parameters()))
            gradlab.ClipByGlobalNorm(1.0)(second.parameters())
            scale.step(of_first)
            scale.step(of_second)
            scale.update()
    return events, norms[0]


@wrong("scaler-bypassed", "the second optimizer of two", "scaled")
def second_past_the_scaler():
    first, second, of_first, of_second = pair()
    scale, norms = scaler(8.0), []
    with ledger.record([first, second], [of_first, of_second], scale) as events:
        for batch in batches(4):
            of_first.zero_grad()
            of_second.zero_grad()
            scale.scale(mse(first, batch) + mse(second, batch)).backward()
            norms.append(norm(second.parameters()))
            scale.step(of_first)
            of_second.step()
            scale.update()
    return events, norms[0]


@wrong("scheduler-wrong-clock", "the second of two networks is accumulated", "per-micro-batch")
def second_clock_too_fast():
    first, second, of_first, of_second = pair()
    schedulers = [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99) for optimizer in (of_first, of_second)]
    with ledger.record([first, second], [of_first, of_second], None, schedulers) as events:
        for i, (x, y) in enumerate(batches(9)):
            of_first.zero_grad()
            mse_loss(first(x), y).backward()
            of_first.step()
            (mse_loss(second(x), y) / 3).backward()
            if i % 3 == 2:
                of_second.step()
                of_second.zero_grad()
            for scheduler in schedulers:
                scheduler.step()
    return events, 9
