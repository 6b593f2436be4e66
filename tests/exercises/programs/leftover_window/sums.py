"""Answers to "leftover-window" that make up their updates wrongly."""

from torch.nn.utils import clip_grad_norm_

from programs import wrong

NAME = "leftover-window"


def update(model, optimizer, max_norm):
    clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    optimizer.zero_grad()


@wrong(NAME, "leftover-micro-batches", "window")
def just_steps_at_the_end(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for i, batch in enumerate(micro_batches):
        loss = loss_fn(model, batch) / accumulation_steps
        loss.backward()
        if (i + 1) % accumulation_steps == 0 or (i + 1) == len(micro_batches):
            update(model, optimizer, max_norm)


@wrong(NAME, "leftover-micro-batches", "window")
def flushes_after_the_loop(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    held = 0
    for batch in micro_batches:
        loss_fn(model, batch).mul(1 / accumulation_steps).backward()
        held = (held + 1) % accumulation_steps
        if not held:
            update(model, optimizer, max_norm)
    if held:
        update(model, optimizer, max_norm)


@wrong(NAME, "leftover-micro-batches", "window")
def never_divides_the_short_window(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        divisor = accumulation_steps if len(window) == accumulation_steps else 1
        for batch in window:
            (loss_fn(model, batch) / divisor).backward()
        update(model, optimizer, max_norm)


@wrong(NAME, "leftover-micro-batches", "carried")
def steps_when_a_window_is_full(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for i, batch in enumerate(micro_batches):
        (loss_fn(model, batch) / accumulation_steps).backward()
        if (i + 1) % accumulation_steps == 0:
            update(model, optimizer, max_norm)


@wrong(NAME, "leftover-micro-batches", "carried")
def clears_before_the_next_micro_batch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    stepped = False
    for number, batch in enumerate(micro_batches, start=1):
        if stepped:
            optimizer.zero_grad()
        (loss_fn(model, batch) / accumulation_steps).backward()
        if stepped := number % accumulation_steps == 0:
            clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
    if stepped:
        optimizer.zero_grad()


@wrong(NAME, "leftover-micro-batches", "never-used")
def clears_at_the_start_of_an_epoch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    optimizer.zero_grad()
    for i, batch in enumerate(micro_batches, 1):
        (loss_fn(model, batch) / accumulation_steps).backward()
        if i % accumulation_steps == 0:
            update(model, optimizer, max_norm)


@wrong(NAME, "leftover-micro-batches", "never-used")
def whole_windows_only(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for number in range(len(micro_batches) // accumulation_steps):
        optimizer.zero_grad()
        for batch in micro_batches[number * accumulation_steps:(number + 1) * accumulation_steps]:
            (loss_fn(model, batch) / accumulation_steps).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


def in_windows(share):
    """A program in which micro-batch `i` of a window of `r`, with `k` asked for and `n` in all, counts `share`."""
    def program(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
        for start in range(0, len(micro_batches), accumulation_steps):
            window = micro_batches[start:start + accumulation_steps]
            optimizer.zero_grad()
            for i, batch in enumerate(window):
                (loss_fn(model, batch) * share(i, len(window), len(micro_batches))).backward()
            clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
    return program


def named(name, program):
    program.__name__ = name
    return program


wrong(NAME, "wrong-accumulation-divisor", "none")(named("sums_up", in_windows(lambda i, r, n: 1)))
wrong(NAME, "wrong-accumulation-divisor")(named("divides_by_the_epoch", in_windows(lambda i, r, n: 1 / n)))
wrong(NAME, "wrong-accumulation-divisor")(named("divides_twice", in_windows(lambda i, r, n: 1 / r / r)))
wrong(NAME, "wrong-accumulation-divisor", "by-index")(named("running_index", in_windows(lambda i, r, n: 1 / (i + 1))))


@wrong(NAME, "wrong-accumulation-divisor", "none")
def one_sum_a_window(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        sum(loss_fn(model, batch) for batch in micro_batches[start:start + accumulation_steps]).backward()
        update(model, optimizer, max_norm)


@wrong(NAME, "wrong-accumulation-divisor", "in-loop")
def divides_the_gradients_each_time(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        for batch in window:
            loss_fn(model, batch).backward()
            for parameter in model.parameters():
                parameter.grad /= len(window)
        update(model, optimizer, max_norm)


@wrong(NAME, "zero-grad-before-step", "last-only")
def clears_for_every_micro_batch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for i, batch in enumerate(micro_batches):
        optimizer.zero_grad()
        left = len(micro_batches) - i // accumulation_steps * accumulation_steps
        (loss_fn(model, batch) / min(accumulation_steps, left)).backward()
        if (i + 1) % accumulation_steps == 0 or i + 1 == len(micro_batches):
            clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()


@wrong(NAME, "zero-grad-before-step", "last-only")
def forgets_by_hand(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        for batch in micro_batches[start:start + accumulation_steps]:
            for parameter in model.parameters():
                parameter.grad = None
            loss_fn(model, batch).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


@wrong(NAME, "missing-zero-grad")
def never_clears(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


@wrong(NAME, "missing-zero-grad")
def clears_once_an_epoch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    optimizer.zero_grad()
    never_clears(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm)


@wrong(NAME, "leftover-micro-batches", "window")
def divides_only_the_very_last_otherwise(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    n = len(micro_batches)
    for i, batch in enumerate(micro_batches, start=1):
        divisor = n % accumulation_steps if i == n and n % accumulation_steps else accumulation_steps
        (loss_fn(model, batch) / divisor).backward()
        if i % accumulation_steps == 0 or i == n:
            update(model, optimizer, max_norm)


@wrong(NAME, "leftover-micro-batches", "carried")
def divides_the_rest_and_does_not_step(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    rest = len(micro_batches) % accumulation_steps
    for i, batch in enumerate(micro_batches):
        divisor = rest if i >= len(micro_batches) - rest else accumulation_steps
        (loss_fn(model, batch) / divisor).backward()
        if (i + 1) % accumulation_steps == 0:
            update(model, optimizer, max_norm)


@wrong(NAME, "zero-grad-before-step", "nothing-left")
def clears_just_before_the_step(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start:start + accumulation_steps]
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
        clip_grad_norm_(model.parameters(), max_norm)
        optimizer.zero_grad()
        optimizer.step()
