"""The situations of a guarded step: a few batches in a row, of which one has a gradient that is not finite."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from gradlab.exercises.trial import Fixture, Reading, Setup, Unfit, described


class Weights(nn.Module):
    """Two parameters, `first` `(3,)` and `second` `(2,)`, and a frozen layer if asked for."""

    def __init__(self, frozen: bool):
        super().__init__()
        self.first = nn.Parameter(torch.tensor([0.5, -0.25, 1.0]))
        self.second = nn.Parameter(torch.tensor([-0.75, 0.5]))
        if frozen:
            self.base = nn.Linear(2, 2).requires_grad_(False)

    def loss(self, gradient: Sequence[float], fate: str) -> Tensor:
        """A loss with that gradient, `(5,)`. `fate` spoils it: what is not finite, and in which parameter.

        The root of 0 is 0 and its slope infinite; that slope times 0 is NaN.
        """
        one, two = torch.tensor(gradient).split([3, 2])
        loss = self.first @ one + self.second @ two
        match fate:
            case "inf":
                loss = loss + torch.sqrt(self.second[1] - self.second[1].detach())
            case "nan":
                loss = loss + torch.sqrt((self.second[0] - self.second[0].detach()) ** 2)
            case "loss":
                loss = loss * math.nan
        return loss


GRADIENTS = ((3.0, -4.0, 1.0, 2.0, -5.0), (0.2, 0.5, -0.4, 0.3, 0.1), (-2.0, 1.0, 6.0, -1.0, 3.0),
             (0.6, -0.1, 0.2, -0.7, 0.4))
MAX_NORM = 2.0


def situation(name: str, words: str, fates: Sequence[str], *, frozen: bool = False, adam: bool = False) -> Fixture:
    """One call for each of `fates`: "" for a batch in order."""

    def build() -> Setup:
        model = Weights(frozen)
        optimizer = (torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1) if adam else
                     torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9, weight_decay=0.1))
        return Setup((model, optimizer))

    def call(function: Callable, setup: Setup) -> list:
        model, optimizer = setup.arguments
        rows = []
        for gradient, fate in zip(GRADIENTS, fates, strict=False):
            before, loss = weights(model), model.loss(gradient, fate)
            answer = function(model, optimizer, loss, MAX_NORM)
            rows.append((weights(model) - before, answer, loss.item(), _finite(model)))
        return rows

    def read(setup: Setup, rows: list) -> Reading:
        answers = [answer for _, answer, *_ in rows]
        for answer in answers:
            if answer is None:
                raise Unfit("your function returned None; did you forget `return True` or `return False`?")
            if not isinstance(answer, bool) and not (isinstance(answer, Tensor) and answer.dtype == torch.bool
                                                     and answer.numel() == 1):
                raise Unfit(f"your function returned {described(answer)}; True or False is asked for")
        model, optimizer = setup.arguments
        counts = [int(state["step"]) for state in optimizer.state.values() if "step" in state]
        calls = [[update, str(bool(answer))] for update, answer, *_ in rows]
        # One part: a mistake is known by all that it does, and not by its answers alone.
        facts = {"fates": list(fates), "losses": [row[2] for row in rows], "calls": calls, "counts": counts,
                 "finite": [row[3] for row in rows]}
        return Reading({"calls and steps counted": [calls, counts]}, facts)

    return Fixture(name, words, build, read, call)


def _finite(model: Weights) -> bool:
    """Whether what a call leaves in `.grad` is finite."""
    return all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def weights(model: Weights) -> Tensor:
    return torch.cat([model.first.detach(), model.second.detach()])


SITUATIONS = (
    situation("all in order", "three batches in order, the first and third over the limit of 2", ("", "", "")),
    situation("a NaN", "a NaN in the gradient of the second of three batches, whose loss is finite", ("", "nan", "")),
    situation("an infinity", "an infinity in the gradient of the second of three batches, whose loss is finite",
              ("", "inf", "")),
    situation("a NaN loss", "a loss of NaN in the second of four batches", ("", "loss", "", "")),
    situation("the first batch", "a NaN in the gradient of the first batch, and a frozen layer", ("nan", "", ""),
              frozen=True),
    situation("AdamW", "AdamW, and a NaN in the gradient of the second of four batches", ("", "nan", "", ""),
              adam=True),
)
