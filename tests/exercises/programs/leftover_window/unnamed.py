"""Answers to "leftover-window" that are wrong in ways without an id."""

from torch.nn.utils import clip_grad_norm_

from programs import unnamed

NAME = "leftover-window"


def update(model, optimizer, max_norm):
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    optimizer.zero_grad()


@unnamed(NAME, "updates of your first epoch were made of 1 and 4 micro-batches; asked for are 4 and 4")
def counts_from_zero(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    optimizer.zero_grad()
    for i, batch in enumerate(micro_batches):
        (loss_fn(model, batch) / accumulation_steps).backward()
        if i % accumulation_steps == 0:
            update(model, optimizer, max_norm)


@unnamed(NAME, "Every micro-batch made an update of its own, 8 in an epoch")
def steps_for_every_micro_batch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for batch in micro_batches:
        optimizer.zero_grad()
        loss_fn(model, batch).backward()
        update(model, optimizer, max_norm)


@unnamed(NAME, "were made of 8 micro-batches; asked for are 4 and 4")
def one_update_an_epoch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for batch in micro_batches:
        (loss_fn(model, batch) / len(micro_batches)).backward()
    update(model, optimizer, max_norm)


@unnamed(NAME, "were made of 6 and 4 micro-batches; asked for are 4, 4 and 2")
def leaves_the_rest_to_the_first_window(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    left = len(micro_batches) % accumulation_steps
    ends = range(left + accumulation_steps, len(micro_batches) + 1, accumulation_steps) or [len(micro_batches)]
    start = 0
    for end in ends:
        window, start = micro_batches[start:end], end
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
        update(model, optimizer, max_norm)


@unnamed(NAME, "Update 3 of the first epoch was made with gradients of 0")
def steps_on_zeros(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches) + 1, accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        optimizer.zero_grad(set_to_none=False)
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


@unnamed(NAME, "16 backward passes ran in two epochs and no update was made")
def never_steps(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for batch in micro_batches:
        (loss_fn(model, batch) / accumulation_steps).backward()


@unnamed(NAME, "No backward pass reached the model's parameters, and no update was made")
def only_looks_at_the_loss(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    return sum(float(loss_fn(model, batch)) for batch in micro_batches)


@unnamed(NAME, "the limit is 0.25")
def clips_at_twice_the_limit(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
        update(model, optimizer, 2 * max_norm)


@unnamed(NAME, "Micro-batches 1 and 2 of an epoch went into update 3 after another update had used them already")
def fills_the_last_window_up(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    missing = -len(micro_batches) % accumulation_steps
    micro_batches = micro_batches + micro_batches[:missing]
    for start in range(0, len(micro_batches), accumulation_steps):
        for batch in micro_batches[start:start + accumulation_steps]:
            (loss_fn(model, batch) / accumulation_steps).backward()
        update(model, optimizer, max_norm)


@unnamed(NAME, "the limit over 3: the gradient was divided after it had been clipped")
def clips_the_sum_and_divides_then(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        for batch in window:
            loss_fn(model, batch).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        for parameter in model.parameters():
            parameter.grad /= len(window)
        optimizer.step()
        optimizer.zero_grad()


@unnamed(NAME, "Your function left the learning rate at 0.0625, and it was 1")
def divides_the_learning_rate(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for group in optimizer.param_groups:
        group["lr"] /= accumulation_steps
    for start in range(0, len(micro_batches), accumulation_steps):
        for batch in micro_batches[start:start + accumulation_steps]:
            loss_fn(model, batch).backward()
        update(model, optimizer, max_norm)


@unnamed(NAME, "Update 2 came in the middle of a window")
def steps_without_clearing_inside_a_window(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
            clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
        optimizer.zero_grad()


@unnamed(NAME, "as if each backward() ran on the sum of all losses so far")
def runs_backward_on_the_total_each_time(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window, total = micro_batches[start:start + accumulation_steps], 0.0
        for batch in window:
            total = total + loss_fn(model, batch) / len(window)
            total.backward(retain_graph=True)
        update(model, optimizer, max_norm)


@unnamed(NAME, "You made update 2 at a learning rate of 1.5")
def stretches_the_step_of_the_short_window(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    group = optimizer.param_groups[0]
    for start in range(0, len(micro_batches), accumulation_steps):
        window, lr = micro_batches[start:start + accumulation_steps], group["lr"]
        for batch in window:
            (loss_fn(model, batch) / accumulation_steps).backward()
        group["lr"] = lr * accumulation_steps / len(window)
        update(model, optimizer, max_norm)
        group["lr"] = lr


@unnamed(NAME, "Update 1 holds NaN or inf")
def divides_by_the_rest(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for i, batch in enumerate(micro_batches, start=1):
        (loss_fn(model, batch) / (len(micro_batches) % accumulation_steps)).backward()
        if i % accumulation_steps == 0:
            update(model, optimizer, max_norm)
