"""Two networks against each other, with an optimizer each."""

import warnings

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches


def pair():
    """A generator and a discriminator, with an optimizer each."""
    generator, discriminator = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    return (generator, discriminator, torch.optim.Adam(generator.parameters(), lr=0.01),
            torch.optim.Adam(discriminator.parameters(), lr=0.01))


@legitimate(21, "GAN: the generator's backward reaches the discriminator, cleared later")
def gan():
    generator, discriminator, of_generator, of_discriminator = pair()
    real, fake = torch.ones(5, 1), torch.zeros(5, 1)
    with ledger.record([generator, discriminator], [of_generator, of_discriminator]) as events:
        for x, y in batches(5):
            made = generator(x)
            of_discriminator.zero_grad()
            loss = cross_entropy(discriminator(y), real) + cross_entropy(discriminator(made.detach()), fake)
            loss.backward()
            nn.utils.clip_grad_norm_(discriminator.parameters(), 0.1)
            of_discriminator.step()
            of_generator.zero_grad()
            cross_entropy(discriminator(made), real).backward()
            of_generator.step()
    return events


@legitimate(21, "GAN: two backwards for the discriminator, clear by the module, generator clipped")
def gan_two_backwards():
    generator, discriminator, of_generator, of_discriminator = pair()
    real, fake = torch.ones(5, 1), torch.zeros(5, 1)
    with ledger.record([generator, discriminator], [of_generator, of_discriminator]) as events:
        for x, y in batches(5):
            discriminator.zero_grad()
            cross_entropy(discriminator(y), real).backward()
            cross_entropy(discriminator(generator(x).detach()), fake).backward()
            of_discriminator.step()
            generator.zero_grad()
            cross_entropy(discriminator(generator(x)), real).backward()
            nn.utils.clip_grad_norm_(generator.parameters(), 0.1)
            of_generator.step()
    return events


@legitimate(21, "WGAN: five steps of the critic for one of the generator, a scheduler each")
def wgan():
    generator, critic, of_generator, of_critic = pair()
    schedulers = [torch.optim.lr_scheduler.ExponentialLR(o, 0.9) for o in (of_generator, of_critic)]
    with ledger.record([generator, critic], [of_generator, of_critic], None, schedulers) as events:
        for i, (x, y) in enumerate(batches(15)):
            of_critic.zero_grad()
            (critic(generator(x)).mean() - critic(y).mean()).backward()
            nn.utils.clip_grad_norm_(critic.parameters(), 1.0)
            of_critic.step()
            for p in critic.parameters():
                p.data.clamp_(-0.5, 0.5)
            if i % 5 == 4:
                of_generator.zero_grad()
                (-critic(generator(x)).mean()).backward()
                of_generator.step()
                for scheduler in schedulers:
                    scheduler.step()
    return events


@legitimate(21, "WGAN: both schedulers move in each turn, the generator steps in every third")
def clock_of_turns():
    generator, critic, of_generator, of_critic = pair()
    schedulers = [torch.optim.lr_scheduler.ExponentialLR(o, 0.9) for o in (of_generator, of_critic)]
    with ledger.record([generator, critic], [of_generator, of_critic], None, schedulers) as events, \
            warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own warning, for the first turns have no step of the generator
        for i, (x, y) in enumerate(batches(9)):
            of_critic.zero_grad()
            (critic(generator(x)).mean() - critic(y).mean()).backward()
            of_critic.step()
            if i % 3 == 2:
                of_generator.zero_grad()
                (-critic(generator(x)).mean()).backward()
                of_generator.step()
            for scheduler in schedulers:
                scheduler.step()
    return events


@legitimate(21, "LSGAN: half of each loss")
def halved_losses():
    generator, discriminator, of_generator, of_discriminator = pair()
    with ledger.record([generator, discriminator], [of_generator, of_discriminator]) as events:
        for x, y in batches(5):
            made = generator(x)
            of_generator.zero_grad()
            (0.5 * (discriminator(made) - 1).square().mean()).backward()
            of_generator.step()
            of_generator.zero_grad()
            of_discriminator.zero_grad()
            (0.5 * ((discriminator(y) - 1).square().mean() + discriminator(made.detach()).square().mean())).backward()
            of_discriminator.step()
    return events
