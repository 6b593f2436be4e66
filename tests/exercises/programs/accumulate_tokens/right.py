"""Right ways to accumulate over tokens."""

import torch
import torch.nn.functional as F

from gradlab.model import cross_entropy
from programs import right

NAME = "accumulate-tokens"


@right(NAME)
def sums_over_the_total(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        (loss / total).backward()


@right(NAME)
def weighs_each_mean(model, optimizer, micro_batches):
    counts = [int((targets >= 0).sum()) for _, targets in micro_batches]
    model.zero_grad()
    for count, (inputs, targets) in zip(counts, micro_batches, strict=True):
        if count:
            mean = cross_entropy(model(inputs), targets)
            (mean * count / sum(counts)).backward()


@right(NAME)
def weighs_a_mean_of_nothing_by_zero(model, optimizer, micro_batches):
    optimizer.zero_grad()
    counts = [(targets != -100).sum() for _, targets in micro_batches]
    for count, (inputs, targets) in zip(counts, micro_batches, strict=True):
        # The mean of nothing is NaN, but its gradient is 0: torch gives none to targets that do not count.
        (cross_entropy(model(inputs), targets) * count / sum(counts)).backward()


@right(NAME)
def divides_gradients_at_the_end(model, optimizer, micro_batches):
    optimizer.zero_grad(set_to_none=False)
    total = 0
    for inputs, targets in micro_batches:
        F.cross_entropy(model(inputs).transpose(1, 2), targets, reduction="sum").backward()
        total += targets.ne(-100).sum().item()
    for p in model.parameters():
        p.grad /= total


@right(NAME)
def asks_autograd(model, optimizer, micro_batches):
    params = list(model.parameters())
    total = sum(int((targets != -100).sum()) for _, targets in micro_batches)
    for p in params:
        p.grad = torch.zeros_like(p)
    for inputs, targets in micro_batches:
        logits = model(inputs)
        loss = F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1), reduction="sum")
        for p, g in zip(params, torch.autograd.grad(loss, params), strict=True):
            p.grad += g / total


@right(NAME)
def one_forward_over_all(model, optimizer, micro_batches):
    optimizer.zero_grad()
    inputs = torch.cat([inputs for inputs, _ in micro_batches])
    targets = torch.cat([targets for _, targets in micro_batches])
    cross_entropy(model(inputs), targets).backward()


@right(NAME)
def one_backward_over_a_sum(model, optimizer, micro_batches):
    optimizer.zero_grad()
    losses, count = [], 0
    for inputs, targets in micro_batches:
        logits = model(inputs).flatten(0, 1)
        losses.append(F.cross_entropy(logits, targets.flatten(), reduction="sum", ignore_index=-100))
        count += (targets != -100).sum()
    (torch.stack(losses).sum() / count).backward()


@right(NAME)
def keeps_the_tokens_that_count(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum(len(targets[targets != -100]) for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        keep = targets != -100
        log_probabilities = model(inputs)[keep].log_softmax(-1)
        loss = -log_probabilities.gather(1, targets[keep][:, None]).sum()
        loss.div(total).backward()


@right(NAME)
def clears_between_forward_and_backward(model, optimizer, micro_batches):
    per_token = [F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="none")
                 for inputs, targets in micro_batches]
    valid = torch.cat([targets.flatten() for _, targets in micro_batches]) != -100
    for p in model.parameters():
        p.grad = None
    torch.cat(per_token)[valid].mean().backward()
