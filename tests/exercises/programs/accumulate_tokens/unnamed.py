"""Wrong ways to accumulate over tokens that the catalogue has no name for."""

import torch
import torch.nn.functional as F

from gradlab.model import cross_entropy
from programs import unnamed

NAME = "accumulate-tokens"


@unnamed(NAME, "moved the weights")
def steps_as_well(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        (F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum") / total).backward()
    optimizer.step()


@unnamed(NAME, "NaN")
def takes_masked_means_by_hand(model, optimizer, micro_batches):
    optimizer.zero_grad()
    masks = [targets != -100 for _, targets in micro_batches]
    total = sum(mask.sum() for mask in masks)
    for mask, (inputs, targets) in zip(masks, micro_batches, strict=True):
        log_probabilities = model(inputs).log_softmax(-1)
        per_token = -log_probabilities.gather(2, targets.clamp(min=0)[..., None]).squeeze(-1)
        mean = (per_token * mask).sum() / mask.sum()
        (mean * mask.sum() / total).backward()


@unnamed(NAME, "NaN")
def divides_gradients_by_a_count_of_zero(model, optimizer, micro_batches):
    sums = [torch.zeros_like(p) for p in model.parameters()]
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        optimizer.zero_grad()
        count = (targets != -100).sum()
        F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum").backward()
        sums = [s + p.grad / count * (count / total) for s, p in zip(sums, model.parameters(), strict=True)]
    for p, s in zip(model.parameters(), sums, strict=True):
        p.grad = s


@unnamed(NAME, "only the last")
def calls_backward_after_the_loop(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum") / total
    loss.backward()


def sum_over_the_total(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        (F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum") / total).backward()


@unnamed(NAME, "was clipped on line")
def clips_the_sum(model, optimizer, micro_batches):
    sum_over_the_total(model, optimizer, micro_batches)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)


@unnamed(NAME, "was clipped on line")
def clips_the_sum_by_value(model, optimizer, micro_batches):
    sum_over_the_total(model, optimizer, micro_batches)
    torch.nn.utils.clip_grad_value_(model.parameters(), 0.05)


@unnamed(NAME, "was clipped on line")
def clips_before_the_division(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = 0
    for inputs, targets in micro_batches:
        F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum").backward()
        total += (targets != -100).sum()
    torch.nn.utils.clip_grad_norm_(list(model.parameters()), max_norm=1)
    for p in model.parameters():
        p.grad /= total


@unnamed(NAME, "was clipped on line")
def clips_each_gradient(model, optimizer, micro_batches):
    sum_over_the_total(model, optimizer, micro_batches)
    for p in model.parameters():
        torch.nn.utils.clip_grad_norm_(p, 0.1)


@unnamed(NAME, "only the last")
def keeps_only_the_last_in_tensors_of_its_own(model, optimizer, micro_batches):
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        optimizer.zero_grad()
        (F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum") / total).backward()
        sums = [p.grad.clone() for p in model.parameters()]
        optimizer.zero_grad()
    for p, s in zip(model.parameters(), sums, strict=True):
        p.grad = s


@unnamed(NAME, "no backward pass")
def computes_losses_only(model, optimizer, micro_batches):
    optimizer.zero_grad()
    return sum(cross_entropy(model(inputs), targets) for inputs, targets in micro_batches)


@unnamed(NAME, "63° apart")
def shuffles_logits(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        logits = model(inputs)
        loss = F.cross_entropy(logits.reshape(7, -1).T, targets.flatten(), reduction="sum")
        (loss / total).backward()


@unnamed(NAME, "edited the tokens")
def replaces_what_is_ignored(model, optimizer, micro_batches):
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        targets[targets == -100] = 0
        (F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum") / total).backward()
