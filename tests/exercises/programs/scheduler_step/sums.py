"""Answers to "scheduler-step" that make up their updates wrongly."""

from torch.nn.utils import clip_grad_norm_

from programs import wrong

NAME = "scheduler-step"


@wrong(NAME, "wrong-accumulation-divisor", "none")
def the_sum(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch)).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            if norm.isfinite():
                scheduler.step()
            optimizer.zero_grad()


@wrong(NAME, "wrong-accumulation-divisor", "none")
def the_sum_of_a_window(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        model.zero_grad()
        scaler.scale(sum(loss_fn(model, batch) for batch in micro_batches[start:start + k])).backward()
        scaler.unscale_(optimizer)
        norm = clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
        if norm.isfinite():
            scheduler.step()


@wrong(NAME, "missing-zero-grad")
def never_clears(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            if norm.isfinite():
                scheduler.step()


@wrong(NAME, "missing-zero-grad")
def clears_once_at_the_beginning(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    optimizer.zero_grad()
    for start in range(0, len(micro_batches), k):
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scale <= scaler.get_scale():
            scheduler.step()


@wrong(NAME, "zero-grad-before-step")
def clears_between_backward_and_step(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            norm = clip_grad_norm_(model.parameters(), max_norm)
            optimizer.zero_grad()
            scaler.step(optimizer)
            scaler.update()
            if norm.isfinite():
                scheduler.step()


@wrong(NAME, "zero-grad-before-step")
def clears_for_every_micro_batch(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        for batch in micro_batches[start:start + k]:
            model.zero_grad()
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scale == scaler.get_scale():
            scheduler.step()


@wrong(NAME, "unscale-twice")
def unscales_every_micro_batch(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        if i % k == 0:
            norm = clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if norm.isfinite():
                scheduler.step()


@wrong(NAME, "unscale-twice")
def unscales_to_look_and_to_clip(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        finite = all(p.grad.isfinite().all() for p in model.parameters())
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
        if finite:
            scheduler.step()
