"""Training steps that misuse the scaler."""

import torch
from torch.nn.utils import clip_grad_norm_

import gradlab
from programs import wrong


@wrong("training-step", "clip-before-unscale")
def clips_before_unscaling(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-before-unscale")
def leaves_unscaling_to_step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    gradlab.ClipByGlobalNorm(max_norm, nonfinite="torch")(model.parameters())
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-before-unscale")
def clips_scaled_gradients_by_hand(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.cat([g.flatten() for g in grads]).norm()
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "unscale-twice")
def unscales_twice(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "unscale-twice")
def unscales_in_every_micro_batch(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "unscale-twice")
def unscales_once_more_by_hand(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    for p in model.parameters():
        if p.grad is not None:
            p.grad /= scaler.get_scale()
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "unscale-twice")
def unscales_by_hand_before_step_does(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    for p in model.parameters():
        if p.grad is not None:
            p.grad.mul_(1 / scaler.get_scale())
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "unscale-twice", "update-missing")
def never_updates_the_scaler(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)


@wrong("training-step", "backward-after-unscale")
def unscales_after_the_first(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for i, batch in enumerate(micro_batches):
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        if i == 0:
            scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "backward-after-unscale")
def unscales_before_the_last(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    *first, last = micro_batches
    for batch in first:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    scaler.scale(loss_fn(model, last) / len(micro_batches)).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "scaler-bypassed")
def steps_on_scaled_gradients(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


@wrong("training-step", "scaler-bypassed")
def steps_on_scaled_gradients_then_updates(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    scaler.update()


@wrong("training-step", "scaler-bypassed")
def unscales_but_steps_past_the_scaler(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    scaler.update()


@wrong("training-step", "scaler-bypassed")
def unscales_by_hand_and_steps(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    for p in model.parameters():
        if p.grad is not None:
            p.grad /= scaler.get_scale()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
