"""Answers to "leftover-window" whose sums are right and whose clip is not."""

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from programs import wrong

NAME = "leftover-window"


def windows(micro_batches, accumulation_steps):
    for start in range(0, len(micro_batches), accumulation_steps):
        yield micro_batches[start:start + accumulation_steps]


def add_up(model, optimizer, window, loss_fn):
    optimizer.zero_grad()
    for batch in window:
        (loss_fn(model, batch) / len(window)).backward()


@wrong(NAME, "clip-missing")
def never_clips(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        optimizer.step()


@wrong(NAME, "clip-missing")
def only_measures(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
        norm.clamp_(max=max_norm)
        optimizer.step()


@wrong(NAME, "clip-after-step")
def clips_too_late(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        optimizer.step()
        clip_grad_norm_(model.parameters(), max_norm)


@wrong(NAME, "clip-after-step")
def clips_too_late_in_one_loop(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    n = len(micro_batches)
    for i, batch in enumerate(micro_batches):
        first = i // accumulation_steps * accumulation_steps
        (loss_fn(model, batch) / min(accumulation_steps, n - first)).backward()
        if (i + 1) % accumulation_steps == 0 or i + 1 == n:
            optimizer.step()
            clip_grad_norm_(model.parameters(), max_norm)
            optimizer.zero_grad()


@wrong(NAME, "clip-before-backward")
def clips_what_is_not_there(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        optimizer.zero_grad()
        clip_grad_norm_(model.parameters(), max_norm)
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
        optimizer.step()


@wrong(NAME, "clip-before-backward")
def clips_zeros(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        optimizer.zero_grad(set_to_none=False)
        losses = [loss_fn(model, batch) for batch in window]
        clip_grad_norm_(model.parameters(), max_norm)
        (sum(losses) / len(losses)).backward()
        optimizer.step()


@wrong(NAME, "exhausted-parameters")
def hands_out_the_parameters_once(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    parameters = model.parameters()
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        clip_grad_norm_(parameters, max_norm)
        optimizer.step()


@wrong(NAME, "exhausted-parameters")
def counts_the_parameters_first(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        parameters = (p for p in model.parameters() if p.grad is not None)
        print(sum(1 for _ in parameters))
        clip_grad_norm_(parameters, max_norm)
        optimizer.step()


@wrong(NAME, "clip-set-mismatch")
def clips_the_first_parameter(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        clip_grad_norm_(next(model.parameters()), max_norm)
        optimizer.step()


@wrong(NAME, "clip-set-mismatch")
def clips_the_last_parameter(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        clip_grad_norm_(list(model.parameters())[-1:], max_norm)
        optimizer.step()


@wrong(NAME, "per-tensor-norm")
def clips_each_parameter(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        for parameter in model.parameters():
            clip_grad_norm_(parameter, max_norm)
        optimizer.step()


@wrong(NAME, "per-tensor-norm")
def clips_each_parameter_in_a_list(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        [clip_grad_norm_([parameter], max_norm) for parameter in model.parameters() if parameter.grad is not None]
        optimizer.step()


@wrong(NAME, "value-clip-for-norm-clip")
def clips_by_value(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        clip_grad_value_(model.parameters(), max_norm)
        optimizer.step()


@wrong(NAME, "value-clip-for-norm-clip")
def clamps(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        for parameter in model.parameters():
            parameter.grad.clamp_(-max_norm, max_norm)
        optimizer.step()


@wrong(NAME, "clip-each-micro-batch")
def clips_the_running_sum(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    n = len(micro_batches)
    for i, batch in enumerate(micro_batches):
        first = i // accumulation_steps * accumulation_steps
        (loss_fn(model, batch) / min(accumulation_steps, n - first)).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        if (i + 1) % accumulation_steps == 0 or i + 1 == n:
            optimizer.step()
            optimizer.zero_grad()


@wrong(NAME, "clip-each-micro-batch")
def clips_each_alone(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    parameters = list(model.parameters())
    for window in windows(micro_batches, accumulation_steps):
        sums = [torch.zeros_like(p) for p in parameters]
        for batch in window:
            grads = torch.autograd.grad(loss_fn(model, batch) / len(window), parameters)
            norm = torch.sqrt(sum((g**2).sum() for g in grads))
            for total, g in zip(sums, grads, strict=True):
                total += g * torch.clamp(max_norm / norm, max=1.0)
        for parameter, total in zip(parameters, sums, strict=True):
            parameter.grad = total
        optimizer.step()


@wrong(NAME, "leftover-micro-batches", "unclipped")
def clips_whole_windows(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        if len(window) == accumulation_steps:
            clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


@wrong(NAME, "leftover-micro-batches", "unclipped")
def flushes_without_a_clip(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    held = 0
    for batch in micro_batches:
        loss_fn(model, batch).backward()
        held += 1
        if held == accumulation_steps:
            for parameter in model.parameters():
                parameter.grad /= held
            clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
            optimizer.zero_grad()
            held = 0
    if held:
        for parameter in model.parameters():
            parameter.grad /= held
        optimizer.step()
        optimizer.zero_grad()


@wrong(NAME, "clip-missing", "line-of-gradients")
def clips_the_gradients_themselves(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        clip_grad_norm_([parameter.grad for parameter in model.parameters()], max_norm)
        optimizer.step()


@wrong(NAME, "always-normalise")
def always_stretches_to_the_limit(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        add_up(model, optimizer, window, loss_fn)
        norm = torch.cat([parameter.grad for parameter in model.parameters()]).norm()
        for parameter in model.parameters():
            parameter.grad *= max_norm / norm
        optimizer.step()


@wrong(NAME, "always-normalise")
def makes_the_norm_the_limit(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    parameters = list(model.parameters())
    for window in windows(micro_batches, accumulation_steps):
        grads = torch.autograd.grad(sum(loss_fn(model, batch) for batch in window) / len(window), parameters)
        norm = sum((grad**2).sum() for grad in grads).sqrt()
        for parameter, grad in zip(parameters, grads, strict=True):
            parameter.grad = grad / norm * max_norm
        optimizer.step()


@wrong(NAME, "leftover-micro-batches", "unclipped")
def corrects_the_short_window_after_its_clip(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in windows(micro_batches, accumulation_steps):
        optimizer.zero_grad()
        for batch in window:
            (loss_fn(model, batch) / accumulation_steps).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        for parameter in model.parameters():
            parameter.grad *= accumulation_steps / len(window)
        optimizer.step()
