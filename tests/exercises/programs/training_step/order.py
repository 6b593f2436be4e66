"""Training steps that do the right things in the wrong order, or leave one out."""

import torch
from torch.nn.utils import clip_grad_norm_, get_total_norm

from programs import wrong


@wrong("training-step", "clip-missing")
def never_clips(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-missing")
def only_measures(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    norm = get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    if norm > max_norm:
        print("too large:", norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-missing")
def clips_copies(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.cat([g.flatten() for g in grads]).norm()
    if norm > max_norm:
        grads = [g * max_norm / norm for g in grads]
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-after-step")
def clips_after_the_step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.step(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.update()


@wrong("training-step", "clip-after-step")
def clips_last_of_all(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad(set_to_none=True)
    total = sum(loss_fn(model, batch) for batch in micro_batches) / len(micro_batches)
    scaler.scale(total).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    clip_grad_norm_(model.parameters(), max_norm=max_norm)


@wrong("training-step", "clip-after-step")
def clips_by_hand_after_the_step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = sum(g.pow(2).sum() for g in grads) ** 0.5
    for g in grads:
        g *= min(1.0, max_norm / norm)


@wrong("training-step", "clip-before-backward")
def clips_cleared_gradients(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    clip_grad_norm_(model.parameters(), max_norm)
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-before-backward")
def clips_the_gradients_of_last_time(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-before-backward")
def clips_between_forward_and_backward(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad(set_to_none=False)
    loss = sum(loss_fn(model, batch) for batch in micro_batches) / len(micro_batches)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "missing-zero-grad")
def never_clears(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "missing-zero-grad")
def names_zero_grad_without_calling_it(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad  # noqa: B018
    loss = torch.stack([loss_fn(model, batch) for batch in micro_batches]).mean()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "missing-zero-grad")
def clears_only_at_the_end(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()


@wrong("training-step", "missing-zero-grad", "value")
def clears_by_hand_at_the_end(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    for p in model.parameters():
        p.grad = None


@wrong("training-step", "zero-grad-before-step")
def clears_just_before_the_step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.zero_grad()
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "zero-grad-before-step")
def clears_in_every_micro_batch(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        optimizer.zero_grad()
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "zero-grad-before-step")
def clears_with_zeros_after_the_loop(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    model.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    model.zero_grad(set_to_none=False)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
