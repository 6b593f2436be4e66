"""The wrong training steps whose order, sum or scale is wrong; those that clip wrongly are in `clips`."""

from torch.nn.utils import clip_grad_norm_

from gradlab.exercises.training_step.parts import adding_up, finishing, gradients_of, scale_by


def never_cleared(model, optimizer, scaler, micro_batches, loss_fn):
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()


def cleared_at_the_end(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    adding_up(never_cleared)(model, optimizer, scaler, micro_batches, loss_fn, max_norm)
    optimizer.zero_grad()


def divided_in_the_loop(model, optimizer, scaler, micro_batches, loss_fn):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch)).backward()
        scale_by(1 / len(micro_batches), gradients_of(model))


def running_total(model, optimizer, scaler, micro_batches, loss_fn):
    optimizer.zero_grad()
    total = 0
    for batch in micro_batches:
        total = total + loss_fn(model, batch) / len(micro_batches)
        scaler.scale(total).backward(retain_graph=True)


def clipped_running_sum(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
    scaler.step(optimizer)
    scaler.update()


def clipped_each_alone(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    sums = {}
    for batch in micro_batches:
        optimizer.zero_grad()
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
        clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
        sums = {p: sums.get(p, 0) + p.grad for p in model.parameters() if p.grad is not None}
    for p, total in sums.items():
        p.grad = total
    scaler.step(optimizer)
    scaler.update()


def clipped_before_unscaling(model, optimizer, scaler, max_norm):
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


def unscaled_twice(model, optimizer, scaler, max_norm):
    scaler.unscale_(optimizer)
    scale_by(1 / scaler.get_scale(), gradients_of(model))
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


def unscaled_before_step_does(model, optimizer, scaler, max_norm):
    scale_by(1 / scaler.get_scale(), gradients_of(model))
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


def never_unscaled(model, optimizer, scaler, max_norm):
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


def stepped_past_the_scaler(model, optimizer, scaler, max_norm):
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    scaler.update()


def unscaled_by_hand(model, optimizer, scaler, max_norm):
    scale_by(1 / scaler.get_scale(), gradients_of(model))
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


def without_the_scaler(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        (loss_fn(model, batch) / len(micro_batches)).backward()
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


def infinities_replaced(replace):
    """A step that puts `replace(gradient)` into each gradient before the scaler has looked."""
    def finish(model, optimizer, scaler, max_norm):
        for gradient in gradients_of(model):
            replace(gradient)
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
    return finishing(finish)


def unscaled_after(place: int):
    """A step that unscales after the micro-batch in that place (-2: the last but one) and not after the last."""
    def step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        optimizer.zero_grad()
        for number, batch in enumerate(micro_batches):
            scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
            if number == place % len(micro_batches):
                scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
    return step


def stepped_twice(model, optimizer, scaler, max_norm):
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.step()
