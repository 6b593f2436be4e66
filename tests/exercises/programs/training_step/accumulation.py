"""Training steps that add up their micro-batches wrongly."""

import torch
from torch.nn.utils import clip_grad_norm_

from programs import wrong


@wrong("training-step", "clip-each-micro-batch")
def clips_the_running_sum(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-each-micro-batch")
def clips_the_running_sum_by_hand(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    limit = max_norm * scaler.get_scale()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.cat([g.view(-1) for g in grads]).norm()
        if norm > limit:
            for g in grads:
                g.mul_(limit / norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-each-micro-batch")
def clips_each_alone(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    params = [p for p in model.parameters() if p.requires_grad]
    sums = [torch.zeros_like(p) for p in params]
    for batch in micro_batches:
        optimizer.zero_grad()
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        clip_grad_norm_(params, max_norm * scaler.get_scale())
        for total, p in zip(sums, params, strict=True):
            total += p.grad
    for total, p in zip(sums, params, strict=True):
        p.grad = total
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "clip-each-micro-batch")
def clips_each_alone_with_autograd(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    params = [p for p in model.parameters() if p.requires_grad]
    for batch in micro_batches:
        grads = torch.autograd.grad(scaler.scale(loss_fn(model, batch) / len(micro_batches)), params)
        norm = torch.cat([g.flatten() for g in grads]).norm() / scaler.get_scale()
        for p, g in zip(params, grads, strict=True):
            g = g * torch.clamp(max_norm / norm, max=1)
            p.grad = g if p.grad is None else p.grad + g
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor")
def never_divides(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor")
def sums_the_losses(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    scaler.scale(sum(loss_fn(model, batch) for batch in micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor")
def divides_by_the_index(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for i, batch in enumerate(micro_batches, start=1):
        scaler.scale(loss_fn(model, batch) / i).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor")
def divides_gradients_in_the_loop(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch)).backward()
        for p in model.parameters():
            if p.grad is not None:
                p.grad /= len(micro_batches)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor", "by-index")
def divides_by_a_count_that_grows(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    seen = []
    for batch in micro_batches:
        seen.append(batch)
        scaler.scale(loss_fn(model, batch)).div(len(seen)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor", "in-loop")
def scales_gradients_in_the_loop(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch)).backward()
        torch._foreach_mul_([p.grad for p in model.parameters() if p.grad is not None], 1 / len(micro_batches))
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor")
def divides_by_the_examples(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(batch)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor")
def always_divides_by_two(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(0.5 * loss_fn(model, batch)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@wrong("training-step", "wrong-accumulation-divisor")
def divides_loss_and_gradients(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    for p in model.parameters():
        if p.grad is not None:
            p.grad.div_(len(micro_batches))
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
