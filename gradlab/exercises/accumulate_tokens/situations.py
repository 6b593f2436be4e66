"""The situations in which gradients are accumulated: micro-batches of a small language model, with targets left out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradlab import ledger
from gradlab.data import IGNORE
from gradlab.exercises.trial import Fixture, Reading, Setup

VOCABULARY = 7


class TinyModel(nn.Module):
    """An embedding and a linear layer: `(batch, length)` tokens in, `(batch, length, vocabulary)` logits out."""

    def __init__(self):
        super().__init__()
        draw = torch.Generator().manual_seed(11)
        self.embedding = nn.Embedding(VOCABULARY, 5, dtype=torch.float32)
        self.head = nn.Linear(5, VOCABULARY, dtype=torch.float32)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=draw)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.embedding(inputs))


@dataclass(frozen=True, eq=False, kw_only=True)
class Situation(Fixture):
    """Micro-batches of `(batch, length)` inputs and targets, of which `counts` count.

    A trial's result is `{"gradient": (parameters,)}`, all gradients in one row. `stale` is what is in `.grad` before.
    """

    counts: tuple[int, ...]
    micro_batches: Sequence[tuple[Tensor, Tensor]] = field(repr=False)
    stale: Tensor = field(repr=False)

    @cached_property
    def sums(self) -> Tensor:
        """The gradient of each micro-batch's summed loss, `(micro-batches, parameters)`; 0 where nothing counts."""
        model = TinyModel()
        losses = [F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
                  for inputs, targets in self.micro_batches]
        return torch.stack([row(torch.autograd.grad(loss, list(model.parameters()))) for loss in losses])


def row(gradients: Sequence[Tensor]) -> Tensor:
    return torch.cat([gradient.detach().flatten() for gradient in gradients])


def situation(name: str, words: str, *micro_batches: tuple[int, int, int]) -> Situation:
    """Micro-batches of `(batch, length, count)`: the last targets of each are left out, so that `count` count."""
    draw = torch.Generator().manual_seed(3)
    made = [_micro_batch(*shape, draw) for shape in micro_batches]
    stale = [torch.randn(parameter.shape, generator=draw) for parameter in TinyModel().parameters()]

    def build() -> Setup:
        model = TinyModel()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for parameter, gradient in zip(model.parameters(), stale, strict=True):
            parameter.grad = gradient.clone()
        return Setup((model, optimizer, [(inputs.clone(), targets.clone()) for inputs, targets in made]))

    def around(setup: Setup):
        model, optimizer, _ = setup.arguments
        return ledger.record(model, optimizer)

    def read(setup: Setup, returned) -> Reading:
        model, _, given = setup.arguments
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
        return Reading({"gradient": row(gradients)}, changed=_changed(model, given, made))

    return Situation(name, words, build, read, around=around, counts=tuple(count for *_, count in micro_batches),
                     micro_batches=made, stale=row(stale))


def _micro_batch(batch: int, length: int, count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    inputs, targets = torch.randint(VOCABULARY, (2, batch, length), generator=draw)
    targets.view(-1)[count:] = IGNORE
    return inputs, targets


def _changed(model: nn.Module, given, made) -> str:
    """A sentence for what was edited and must stay as it was."""
    moved = math.dist(row(model.parameters()).tolist(), row(TinyModel().parameters()).tolist())
    if moved:
        return (f"your function moved the weights by {moved:.4g}; it is asked for the gradient only, and the step is "
                "left to whoever calls it")
    same = all(torch.equal(mine, theirs) for pair in zip(given, made, strict=False)
               for mine, theirs in zip(*pair, strict=True))
    return "" if same else "your function edited the tokens it was given; they are needed again in the next epoch"


# In the order in which they are tried: equal counts first, where a mean of means is right.
SITUATIONS = (
    situation("equal counts", "two micro-batches with 3 targets each", (2, 4, 3), (2, 4, 3)),
    situation("one and three", "two micro-batches with 1 and 3 targets", (2, 4, 1), (2, 4, 3)),
    situation("one micro-batch", "one micro-batch with 5 targets", (2, 4, 5)),
    situation("nothing to learn", "three micro-batches with 4, 0 and 2 targets", (2, 4, 4), (2, 4, 0), (2, 4, 2)),
    situation("ten and a hundred", "two micro-batches with 10 and 100 targets", (2, 10, 10), (10, 10, 100)),
)
