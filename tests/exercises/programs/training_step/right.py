"""Right training steps, in some of the many ways there are to clear and to add up."""

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from programs import right


@right("training-step")
def canonical(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clears_at_both_ends(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()


@right("training-step")
def clears_by_hand(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    for p in model.parameters():
        p.grad = None
    k = len(micro_batches)
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch)).div(k).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clears_with_zeros(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad(set_to_none=False)
    for i, batch in enumerate(micro_batches):
        loss = loss_fn(model, batch) * (1 / len(micro_batches))
        scaler.scale(loss).backward()
        if i + 1 == len(micro_batches):
            scaler.unscale_(optimizer)
            clip_grad_norm_(list(model.parameters()), max_norm)
            scaler.step(optimizer)
            scaler.update()


@right("training-step")
def clears_after_the_first_forward(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    batches = iter(micro_batches)
    loss = loss_fn(model, next(batches))
    model.zero_grad()
    scaler.scale(loss / len(micro_batches)).backward()
    for batch in batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def one_backward_over_the_mean(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    scaler.scale(torch.stack([loss_fn(model, batch) for batch in micro_batches]).mean()).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def one_batch_of_all_examples(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    scaler.scale(loss_fn(model, torch.cat(micro_batches))).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def divides_gradients_once_at_the_end(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch)).backward()
    scaler.unscale_(optimizer)
    for p in model.parameters():
        if p.grad is not None:
            p.grad /= len(micro_batches)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def asks_autograd_for_the_gradients(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    params = [p for p in model.parameters() if p.requires_grad]
    sums = [torch.zeros_like(p) for p in params]
    for batch in micro_batches:
        grads = torch.autograd.grad(scaler.scale(loss_fn(model, batch)), params)
        sums = [total + g / len(micro_batches) for total, g in zip(sums, grads, strict=True)]
    for p, total in zip(params, sums, strict=True):
        p.grad = total
    scaler.unscale_(optimizer)
    clip_grad_norm_(params, max_norm)
    scaler.step(optimizer)
    scaler.update()
