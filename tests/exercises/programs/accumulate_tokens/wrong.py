"""Wrong ways to accumulate over tokens that have a name."""

import torch
import torch.nn.functional as F

from gradlab.model import cross_entropy
from programs import wrong

NAME = "accumulate-tokens"


@wrong(NAME, "mean-of-means")
def divides_by_the_number_of_micro_batches(model, optimizer, micro_batches):
    optimizer.zero_grad()
    for inputs, targets in micro_batches:
        loss = cross_entropy(model(inputs), targets) / len(micro_batches)
        loss.backward()


@wrong(NAME, "mean-of-means")
def takes_the_mean_of_the_losses(model, optimizer, micro_batches):
    optimizer.zero_grad()
    losses = [F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()) for inputs, targets in micro_batches]
    torch.stack(losses).mean().backward()


@wrong(NAME, "mean-of-means")
def skips_the_empty_and_averages_the_rest(model, optimizer, micro_batches):
    model.zero_grad()
    full = [(inputs, targets) for inputs, targets in micro_batches if (targets != -100).any()]
    for inputs, targets in full:
        cross_entropy(model(inputs), targets).div(len(full)).backward()


@wrong(NAME, "wrong-accumulation-divisor", "none")
def adds_up_means(model, optimizer, micro_batches):
    optimizer.zero_grad()
    for inputs, targets in micro_batches:
        cross_entropy(model(inputs), targets).backward()


@wrong(NAME, "wrong-accumulation-divisor", "none")
def adds_up_sums(model, optimizer, micro_batches):
    optimizer.zero_grad()
    for inputs, targets in micro_batches:
        F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum").backward()


@wrong(NAME, "wrong-accumulation-divisor")
def divides_by_all_positions(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum(targets.numel() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / total).backward()


@wrong(NAME, "wrong-accumulation-divisor")
def averages_over_the_padding_too(model, optimizer, micro_batches):
    optimizer.zero_grad()
    for inputs, targets in micro_batches:
        per_token = F.cross_entropy(model(inputs).transpose(1, 2), targets, reduction="none")
        (per_token.mean() / len(micro_batches)).backward()


@wrong(NAME, "wrong-accumulation-divisor")
def divides_sums_by_micro_batches(model, optimizer, micro_batches):
    optimizer.zero_grad()
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / len(micro_batches)).backward()


@wrong(NAME, "wrong-accumulation-divisor")
def divides_sums_by_sequences(model, optimizer, micro_batches):
    optimizer.zero_grad()
    sequences = sum(len(inputs) for inputs, _ in micro_batches)
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / sequences).backward()


@wrong(NAME, "wrong-accumulation-divisor")
def weighs_and_divides(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        count = (targets != -100).sum()
        if count:
            (cross_entropy(model(inputs), targets) * count / total / len(micro_batches)).backward()


@wrong(NAME, "wrong-accumulation-divisor")
def does_not_count_token_zero(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets > 0).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / total).backward()


@wrong(NAME, "wrong-accumulation-divisor", "by-index")
def divides_by_the_index(model, optimizer, micro_batches):
    optimizer.zero_grad()
    for i, (inputs, targets) in enumerate(micro_batches):
        (cross_entropy(model(inputs), targets) / (i + 1)).backward()


@wrong(NAME, "wrong-accumulation-divisor", "by-index")
def divides_by_the_tokens_so_far(model, optimizer, micro_batches):
    optimizer.zero_grad()
    seen = 0
    for inputs, targets in micro_batches:
        seen += (targets != -100).sum()
        (F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum") / seen).backward()


@wrong(NAME, "wrong-accumulation-divisor", "in-loop")
def divides_gradients_in_the_loop(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum").backward()
        for p in model.parameters():
            p.grad /= total


@wrong(NAME, "wrong-accumulation-divisor", "in-loop")
def divides_mean_gradients_in_the_loop(model, optimizer, micro_batches):
    optimizer.zero_grad()
    for inputs, targets in micro_batches:
        cross_entropy(model(inputs), targets).backward()
        for p in model.parameters():
            p.grad.div_(len(micro_batches))


@wrong(NAME, "missing-zero-grad")
def never_clears(model, optimizer, micro_batches):
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / total).backward()


@wrong(NAME, "missing-zero-grad")
def never_clears_before_one_backward(model, optimizer, micro_batches):
    optimizer.zero_grad  # noqa: B018
    inputs = torch.cat([inputs for inputs, _ in micro_batches])
    targets = torch.cat([targets for _, targets in micro_batches])
    cross_entropy(model(inputs), targets).backward()


@wrong(NAME, "missing-zero-grad")
def divides_what_was_there_too(model, optimizer, micro_batches):
    total = 0
    for inputs, targets in micro_batches:
        F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum").backward()
        total += (targets != -100).sum()
    for p in model.parameters():
        p.grad /= total


@wrong(NAME, "zero-grad-before-step")
def clears_for_every_micro_batch(model, optimizer, micro_batches):
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / total).backward()


@wrong(NAME, "zero-grad-before-step")
def clears_after_every_forward(model, optimizer, micro_batches):
    for inputs, targets in micro_batches:
        loss = cross_entropy(model(inputs), targets) / len(micro_batches)
        model.zero_grad(set_to_none=False)
        loss.backward()


@wrong(NAME, "zero-grad-before-step")
def clears_at_both_ends(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / total).backward()
    optimizer.zero_grad()


@wrong(NAME, "clip-each-micro-batch")
def clips_after_every_backward(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / total).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)


@wrong(NAME, "clip-each-micro-batch")
def clips_by_hand_in_the_loop(model, optimizer, micro_batches):
    model.zero_grad()
    total = sum(int((targets != -100).sum()) for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        (F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum") / total).backward()
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        for p in model.parameters():
            p.grad.mul_((0.5 / norm).clamp(max=1))
