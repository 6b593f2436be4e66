"""Training steps that hand the gradients to torch's clip, which wants the parameters."""

import torch
from torch.nn.utils import clip_grad_norm_

from programs import wrong


@wrong("training-step", "clip-missing", "line-of-gradients")
def clips_a_list_of_gradients(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_([p.grad for p in model.parameters() if p.grad is not None], max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-missing", "line-of-gradients")
def clips_gradients_that_have_a_name(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = clip_grad_norm_(
        grads, max_norm)
    if norm > max_norm:
        print("clipped", norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-missing", "line-of-gradients")
def forgets_the_frozen_layer_as_well(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_([p.grad for p in model.parameters()], max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-missing", "line-of-gradients")
def clips_a_list_of_gradients_by_value(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_value_([p.grad for p in model.parameters() if p.grad is not None], max_norm)
    scaler.step(optimizer)
    scaler.update()
