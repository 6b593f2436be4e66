"""Training steps that are wrong in a way that the catalogue has no name for."""

from torch.nn.utils import clip_grad_norm_

from programs import unnamed


@unnamed("training-step", "without a step")
def never_steps(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    clip_grad_norm_(model.parameters(), max_norm)


@unnamed("training-step", "without a step")
def names_step_without_calling_it(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        (loss_fn(model, batch) / len(micro_batches)).backward()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step  # noqa: B018


@unnamed("training-step", "2 steps in one call")
def steps_in_every_micro_batch(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    for batch in micro_batches:
        optimizer.zero_grad()
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()


@unnamed("training-step", "ran with max_norm 1")
def always_clips_at_one(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()


@unnamed("training-step", "only the first")
def uses_the_first_micro_batch_only(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    scaler.scale(loss_fn(model, micro_batches[0])).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@unnamed("training-step", "only the last")
def calls_backward_after_the_loop(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = loss_fn(model, batch) / len(micro_batches)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@unnamed("training-step", "17.17")
def has_a_loss_of_its_own(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(model(batch).pow(2).mean() / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@unnamed("training-step", "no `scaler.update()`")
def never_updates_the_scaler_nor_unscales(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
    scaler.step(optimizer)


@unnamed("training-step", "no loss went through")
def never_scales(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        (loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@unnamed("training-step", "saw neither your loss")
def never_touches_the_scaler(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = loss_fn(model, batch) / len(micro_batches)
        loss.backward()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


@unnamed("training-step", "2 steps in one call")
def steps_twice(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.step()


@unnamed("training-step", "the first one's loss is in every loss")
def calls_backward_on_a_running_total(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    total = 0
    for batch in micro_batches:
        total = total + loss_fn(model, batch) / len(micro_batches)
        scaler.scale(total).backward(retain_graph=True)
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@unnamed("training-step", "the scaler divides once")
def scales_twice(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = scaler.scale(loss_fn(model, batch) / len(micro_batches))
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


@unnamed("training-step", "on gradients without a loss scale")
def scales_the_limit_but_not_the_gradients(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
    scaler.step(optimizer)
    scaler.update()
