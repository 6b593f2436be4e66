"""Right answers to "leftover-window"."""

import itertools

import torch
from torch.nn.utils import clip_grad_norm_

from programs import right

NAME = "leftover-window"


@right(NAME)
def divisor_of_the_window(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    n = len(micro_batches)
    whole = n - n % accumulation_steps
    for i, batch in enumerate(micro_batches):
        divisor = accumulation_steps if i < whole else n - whole
        (loss_fn(model, batch) / divisor).backward()
        if (i + 1) % accumulation_steps == 0 or i + 1 == n:
            clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            optimizer.zero_grad()


@right(NAME)
def scales_the_gradients_once(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    held = 0
    for number, batch in enumerate(micro_batches, start=1):
        loss_fn(model, batch).backward()
        held += 1
        if held == accumulation_steps or number == len(micro_batches):
            for parameter in model.parameters():
                parameter.grad /= held
            clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
            held = 0


@right(NAME)
def one_loss_a_window(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    rest = iter(micro_batches)
    while window := list(itertools.islice(rest, accumulation_steps)):
        optimizer.zero_grad()
        torch.stack([loss_fn(model, batch) for batch in window]).mean().backward()
        clip_grad_norm_(list(model.parameters()), max_norm, foreach=False)
        optimizer.step()


@right(NAME)
def corrects_the_short_window(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    def update():
        clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()

    for i, batch in enumerate(micro_batches):
        (loss_fn(model, batch) / accumulation_steps).backward()
        if i % accumulation_steps == accumulation_steps - 1:
            update()
    left = len(micro_batches) % accumulation_steps
    if left:
        for parameter in model.parameters():
            parameter.grad *= accumulation_steps / left
        update()


@right(NAME)
def steps_once_more_without_gradients(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches) + 1, accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        for batch in window:
            loss_fn(model, batch).div(len(window)).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()  # where no gradient is left, this changes nothing
        optimizer.zero_grad()


@right(NAME)
def clips_by_hand(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    parameters = list(model.parameters())
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        parts = [torch.autograd.grad(loss_fn(model, batch), parameters) for batch in window]
        means = [sum(of_one) / len(window) for of_one in zip(*parts, strict=True)]
        norm = torch.sqrt(sum((mean**2).sum() for mean in means))
        for parameter, mean in zip(parameters, means, strict=True):
            parameter.grad = mean * min(1.0, max_norm / norm.item())
        optimizer.step()


@right(NAME)
def inside_a_closure(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]

        def closure(window=window):
            optimizer.zero_grad()
            loss = sum(loss_fn(model, batch) for batch in window) / len(window)
            loss.backward()
            clip_grad_norm_(model.parameters(), max_norm)
            return loss

        optimizer.step(closure)


@right(NAME)
def clips_the_sum_at_as_many_times_the_limit(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        optimizer.zero_grad()
        for batch in window:
            loss_fn(model, batch).backward()
        clip_grad_norm_(model.parameters(), max_norm * len(window))
        for parameter in model.parameters():
            parameter.grad /= len(window)
        optimizer.step()
