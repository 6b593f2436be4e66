"""Ways to accumulate that are known to be wrong, in the order in which they are looked for."""

from collections.abc import Callable

import torch.nn.functional as F

from gradlab.data import IGNORE
from gradlab.exercises.accumulate_tokens.shares import shares
from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Trial


def counting(share: Callable, clear: bool = True, reduction: str = "sum") -> Callable:
    """A program in which the loss of micro-batch number i counts `share(i, counts, micro_batches)`."""
    def program(model, optimizer, micro_batches):
        if clear:
            optimizer.zero_grad()
        counts = [int((targets != IGNORE).sum()) for _, targets in micro_batches]
        for place, (inputs, targets) in enumerate(micro_batches):
            loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction=reduction)
            (loss * share(place, counts, micro_batches)).backward()
    return program


def divided_in_the_loop(reduction: str, divisor: Callable) -> Callable:
    """A program that divides what is summed so far by `divisor(counts)`, once for each micro-batch."""
    def program(model, optimizer, micro_batches):
        optimizer.zero_grad()
        counts = [int((targets != IGNORE).sum()) for _, targets in micro_batches]
        for inputs, targets in micro_batches:
            F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction=reduction).backward()
            for parameter in model.parameters():
                parameter.grad /= divisor(counts)
    return program


def norms(mine: Trial, right: Trial) -> dict:
    return {"norm": mine.result["gradient"].norm(), "norm_true": right.result["gradient"].norm(),
            "norm_before": mine.fixture.stale.norm(), "n_backward": len(mine.fixture.counts)}


def counts(mine: Trial, right: Trial) -> dict:
    """The target counts of the shortest and of the longest micro-batch that have any."""
    given = sorted(count for count in mine.fixture.counts if count)
    return norms(mine, right) | {"n_1": given[0], "n_2": given[-1], "ratio": given[-1] / given[0]}


def first_and_last(mine: Trial, right: Trial) -> dict:
    """How much the first and the last micro-batch count; on equal counts they should count 1 / micro-batches."""
    found = shares(mine)
    whole = [share * count for share, count in zip(found.of_target, found.counts, strict=True)]
    return norms(mine, right) | {"w_first": whole[0], "w_last": whole[-1]}


def divisor(mine: Trial, right: Trial) -> dict:
    found, targets = shares(mine), sum(mine.fixture.counts)
    return norms(mine, right) | {"divisor": found.divisor, "targets": targets, "ratio": targets / found.divisor}


DIVIDED = ("Your gradient is the sum over {targets} targets divided by {divisor}: it is {ratio} times that of their "
           "mean.")
LOST = "Of {n_backward} micro-batches only the {which} is in your gradient."


def _one(place: int) -> Callable:
    return lambda number, counts, _: (number == place % len(counts)) / sum(counts)


WRONG = (
    Wrong("missing-zero-grad", "value", counting(lambda place, counts, _: 1 / sum(counts), clear=False), norms),
    Wrong("mean-of-means", "", counting(lambda place, counts, _: 1 / len(counts), reduction="mean"), counts),
    Wrong("mean-of-means", "", counting(
        lambda place, counts, _: 1 / max(counts[place], 1) / sum(map(bool, counts))), counts),
    Wrong("wrong-accumulation-divisor", "none", counting(lambda *_: 1.0, reduction="mean"), norms),
    Wrong("wrong-accumulation-divisor", "none", counting(lambda *_: 1.0), divisor,
          "You summed the losses of {targets} targets and divided by nothing: your gradient is {ratio} times that of "
          "their mean."),
    Wrong("wrong-accumulation-divisor", "by-index", counting(lambda place, *_: 1 / (place + 1), reduction="mean"),
          first_and_last),
    Wrong("wrong-accumulation-divisor", "in-loop", divided_in_the_loop("mean", len), first_and_last),
    Wrong("wrong-accumulation-divisor", "in-loop", divided_in_the_loop("sum", sum), first_and_last),
    Wrong("wrong-accumulation-divisor", "", counting(
        lambda place, counts, micro_batches: 1 / sum(targets.numel() for _, targets in micro_batches)), divisor,
        "You divided by {divisor}, the number of all positions; only {targets} of them hold a target that counts, so "
        "your gradient is {ratio} times that of their mean."),
    Wrong("wrong-accumulation-divisor", "", counting(lambda place, counts, _: 1 / len(counts)), divisor, DIVIDED),
    Wrong("wrong-accumulation-divisor", "", counting(
        lambda place, counts, micro_batches: 1 / sum(len(inputs) for inputs, _ in micro_batches)), divisor, DIVIDED),
    Wrong("wrong-accumulation-divisor", "", counting(lambda place, counts, _: 1 / sum(counts) / len(counts)), divisor,
          DIVIDED),
    Wrong(None, "lost", counting(_one(0)), lambda mine, right: norms(mine, right) | {"which": "first"}, LOST,
          "Count the backward passes."),
    Wrong(None, "lost", counting(_one(-1)), lambda mine, right: norms(mine, right) | {"which": "last"}, LOST,
          "Count the backward passes."),
)
