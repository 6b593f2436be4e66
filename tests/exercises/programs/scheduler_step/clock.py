"""Answers to "scheduler-step" whose scheduler counts something else than updates."""

from torch.nn.utils import clip_grad_norm_

from programs import wrong

NAME = "scheduler-step"


@wrong(NAME, "scheduler-wrong-clock", "per-micro-batch")
def indented_too_little(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        scheduler.step()


@wrong(NAME, "scheduler-wrong-clock", "per-micro-batch")
def with_every_backward(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
            scheduler.step()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()


@wrong(NAME, "scheduler-wrong-clock", "on-skipped-step")
def whatever_the_scaler_did(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
            optimizer.zero_grad()


@wrong(NAME, "scheduler-wrong-clock", "on-skipped-step")
def asks_the_loss_and_not_the_gradient(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scale = scaler.get_scale()
        scaler.step(optimizer)
        if scaler.get_scale() >= scale:  # before update, it is always the same
            scheduler.step()
        scaler.update()


@wrong(NAME, "scheduler-off-by-one", "skipped-first")
def scheduler_before_optimizer(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    for i, batch in enumerate(micro_batches, 1):
        scaler.scale(loss_fn(model, batch) / k).backward()
        if i % k == 0:
            scaler.unscale_(optimizer)
            clip_grad_norm_(model.parameters(), max_norm)
            scheduler.step()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()


@wrong(NAME, "scheduler-off-by-one", "skipped-first")
def scheduler_at_the_beginning_of_the_window(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    scheduler.step()
    for start in range(0, len(micro_batches), k):
        optimizer.zero_grad()
        for batch in micro_batches[start:start + k]:
            scaler.scale(loss_fn(model, batch) / k).backward()
        scaler.unscale_(optimizer)
        norm = clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
        if norm.isfinite():
            scheduler.step()
