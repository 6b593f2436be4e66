"""Learning rates that change: for each update, each epoch, on a plateau, by hand, from the middle on."""

import torch
from torch import nn
from torch.optim import lr_scheduler

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net, scaler, windows


def of(kind, **options):
    """A net, its optimizer and a scheduler."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return model, optimizer, kind(optimizer, **options)


def update(model, optimizer, batch):
    optimizer.zero_grad()
    mse(model, batch).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


@legitimate(34, "a scheduler for each update")
def each_update():
    model, optimizer, scheduler = of(lr_scheduler.CosineAnnealingLR, T_max=10)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for batch in batches(5):
            update(model, optimizer, batch)
            scheduler.step()
    return events


@legitimate(34, "a scheduler for each window of micro-batches")
def each_window():
    model, optimizer, scheduler = of(lr_scheduler.LinearLR, total_iters=4)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for window in windows(4, k=3):
            for batch in window:
                (mse(model, batch) / 3).backward()
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    return events


@legitimate(34, "a scheduler for each epoch")
def each_epoch():
    model, optimizer, scheduler = of(lr_scheduler.StepLR, step_size=1)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for _ in range(3):
            for batch in batches(4):
                update(model, optimizer, batch)
            scheduler.step()
    return events


@legitimate(34, "ReduceLROnPlateau")
def plateau():
    model, optimizer, scheduler = of(lr_scheduler.ReduceLROnPlateau, patience=0)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for epoch in range(4):
            for batch in batches(3):
                update(model, optimizer, batch)
            scheduler.step(1.0 + epoch)
    return events


@legitimate(34, "warmup, then cosine, in one SequentialLR made inside the recording")
def sequential():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        warmup = lr_scheduler.LinearLR(optimizer, start_factor=0.2, total_iters=3)
        cosine = lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
        scheduler = lr_scheduler.SequentialLR(optimizer, [warmup, cosine], milestones=[3])
        for batch in batches(7):
            update(model, optimizer, batch)
            scheduler.step()
    return events


@legitimate(34, "two schedulers chained by hand")
def two_schedulers():
    model, optimizer, first = of(lr_scheduler.ConstantLR, total_iters=2)
    second = lr_scheduler.ExponentialLR(optimizer, 0.9)
    with ledger.record(model, optimizer, scheduler=[first, second]) as events:
        for batch in batches(6):
            update(model, optimizer, batch)
            first.step()
            second.step()
    return events


@legitimate(34, "the rate written into param_groups before each update, (t+1)/(w+1)")
def written_by_hand():
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(6)):
            for group in optimizer.param_groups:
                group["lr"] = 0.01 * min(1.0, (i + 1) / 4)
            update(model, optimizer, batch)
    return events


@legitimate(34, "a group with rate 0")
def resting_group():
    model = net()
    optimizer = torch.optim.SGD([{"params": model[0].parameters(), "lr": 0.0}, {"params": model[2].parameters()}],
                                lr=0.01)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.9)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for batch in batches(4):
            update(model, optimizer, batch)
            scheduler.step()
    return events


@legitimate(34, "warmup (t+1)/(w+1) as a LambdaLR")
def warmup():
    model, optimizer, scheduler = of(lr_scheduler.LambdaLR, lr_lambda=lambda t: min(1.0, (t + 1) / 4))
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for batch in batches(6):
            update(model, optimizer, batch)
            scheduler.step()
    return events


@legitimate(34, "a warmup from 0, on purpose", "scheduler-off-by-one")
def warmup_from_zero():
    model, optimizer, scheduler = of(lr_scheduler.LambdaLR, lr_lambda=lambda t: min(1.0, t / 4))
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for batch in batches(6):
            update(model, optimizer, batch)
            scheduler.step()
    return events


@legitimate(35, "the first event is the scheduler of the update before")
def from_the_scheduler_on():
    model, optimizer, scheduler = of(lr_scheduler.ExponentialLR, gamma=0.9)
    first, *rest = batches(5)
    update(model, optimizer, first)
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        scheduler.step()
        for batch in rest:
            update(model, optimizer, batch)
            scheduler.step()
    return events


@legitimate(35, "one loop body, recorded from its scheduler on")
def from_the_middle_of_the_body():
    model, optimizer, scheduler = of(lr_scheduler.ExponentialLR, gamma=0.9)
    recording = ledger.record(model, optimizer, scheduler=scheduler)
    for i, batch in enumerate(batches(5)):
        mse(model, batch).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if i == 0:
            events = recording.__enter__()
        scheduler.step()
        optimizer.zero_grad()
    recording.__exit__(None, None, None)
    return events


@legitimate(35, "a schedule wound forward to where the run stopped")
def wound_forward():
    model, optimizer, scheduler = of(lr_scheduler.ExponentialLR, gamma=0.9)
    optimizer.step()  # quiets torch's own warning
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for _ in range(3):
            scheduler.step()
        for batch in batches(4):
            update(model, optimizer, batch)
            scheduler.step()
    return events


@legitimate(35, "loaded from a checkpoint, in mid-schedule, with a scaler")
def resumed():
    model, optimizer, scheduler = of(lr_scheduler.CosineAnnealingLR, T_max=20)
    for batch in batches(3):
        update(model, optimizer, batch)
        scheduler.step()
    saved = [part.state_dict() for part in (model, optimizer, scheduler)]
    model, optimizer, scheduler = of(lr_scheduler.CosineAnnealingLR, T_max=20)
    scale = scaler()
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for part, state in zip((model, optimizer, scheduler), saved, strict=True):
            part.load_state_dict(state)
        for batch in batches(4):
            optimizer.zero_grad()
            scale.scale(mse(model, batch)).backward()
            scale.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale.step(optimizer)
            scale.update()
            scheduler.step()
    return events


@legitimate(34, "warm restarts, told the fraction of the epoch with each micro-batch")
def fraction_of_the_epoch():
    model, optimizer, scheduler = of(lr_scheduler.CosineAnnealingWarmRestarts, T_0=2)
    optimizer.step()  # quiets torch's own warning
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        for epoch in range(3):
            for i, batch in enumerate(batches(8)):
                (mse(model, batch) / 2).backward()
                if i % 2:
                    optimizer.step()
                    optimizer.zero_grad()
                scheduler.step(epoch + i / 8)
    return events


@legitimate(35, "a schedule wound forward in the function that trains")
def wound_forward_in_place():
    model, optimizer, scheduler = of(lr_scheduler.ExponentialLR, gamma=0.9)
    optimizer.step()  # quiets torch's own warning
    with ledger.record(model, optimizer, scheduler=scheduler) as events:
        scheduler.step()
        for batch in batches(4):
            optimizer.zero_grad()
            mse(model, batch).backward()
            optimizer.step()
            scheduler.step()
    return events
