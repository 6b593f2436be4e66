"""What comes before the clip and what comes after it, as it should be."""


def gradients(model, optimizer, scaler, micro_batches, loss_fn):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)


def update(optimizer, scaler):
    scaler.step(optimizer)
    scaler.update()
