"""The situations in which a loop with a scheduler is tried: six updates on a model whose gradients are known."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gradlab import ledger
from gradlab.exercises.training_step.situations import Toy, mean_output
from gradlab.exercises.trial import Fixture, Reading, Setup
from gradlab.pitfalls.pitfall import written
from gradlab.schedulers import WarmupLR

# The gradient that each micro-batch makes; three for each of six updates, no two alike and none near zero.
GRADIENTS = (
    ((3.0, 4.0, 0.0, -12.0), (1.0, -2.0, 2.0, -2.0), (-2.0, 1.0, 4.0, -3.0)),
    ((-6.0, -1.0, 1.0, -2.0), (-4.0, 3.0, -2.0, -3.0), (-1.0, 2.0, 3.0, -4.0)),
    ((2.0, -5.0, 1.0, 3.0), (4.0, -1.0, -3.0, 1.0), (1.0, -2.0, 5.0, 2.0)),
    ((1.0, 2.0, -7.0, 1.0), (-2.0, 6.0, -1.0, 4.0), (3.0, 1.0, -2.0, -5.0)),
    ((-3.0, 2.0, 2.0, 5.0), (5.0, 1.0, -2.0, 1.0), (-1.0, -4.0, 1.0, 2.0)),
    ((4.0, 4.0, -1.0, 2.0), (-1.0, 3.0, 6.0, -2.0), (2.0, -3.0, -1.0, 1.0)),
)
SPREAD = ((1.0, -0.5, 0.25, 2.0), (-1.0, 1.5, 0.5, -1.0), (0.5, -2.0, -1.0, 0.5), (-0.5, 1.0, 0.25, -1.5))
PEAK, WARMUP = 0.8, 4  # the rates 0.2, 0.4, 0.6, 0.8 and then 0.8


@dataclass(frozen=True, eq=False, kw_only=True)
class Loop(Fixture):
    """One call of a loop: `k` micro-batches for each of six updates, at one `max_norm` and one loss `scale`.

    A trial's result is the rate of each update that was made, `{"rates": [...]}`, the gradients that they used,
    `{"gradients": [(4,), ...]}`, the rate that is set for the next, how often the scheduler moved, and whether the loss
    was scaled where the scaler is on. `skipped` are the numbers of the updates whose gradient is infinite, from 0;
    `means` the mean gradient of each update, `(6, 4)`.
    """

    max_norm: float
    scale: float
    k: int
    skipped: tuple[int, ...]
    means: Tensor = field(repr=False)


class WatchedScaler(torch.amp.GradScaler):
    """torch's scaler, which also notes whether a loss ever went through it."""

    scaled = False

    def scale(self, outputs):
        self.scaled = True
        return super().scale(outputs)


@dataclass
class Seen:
    """What is watched while the loop runs: the rate at each step, and the weights before and after it, `(4,)` each."""

    rates: list[float]
    weights: list[Tensor]


def weights_of(model: Toy) -> Tensor:
    return torch.cat([model.trunk.weight.detach().flatten(), model.head.bias.detach()])


def situation(name: str, words: str, *, max_norm: float = 50.0, scale: float = 1.0, k: int = 1,
              skipped: tuple[int, ...] = ()) -> Loop:
    """A `Loop`; an infinity stands in the last micro-batch of each update in `skipped`."""
    gradients = torch.tensor(GRADIENTS)[:, :k]

    def build() -> Setup:
        model = Toy()
        optimizer = torch.optim.SGD(model.parameters(), lr=PEAK)
        scheduler = WarmupLR(optimizer, warmup_steps=WARMUP, steps=100)
        scaler = WatchedScaler("cpu", init_scale=scale, enabled=scale != 1)
        batches = [vector + torch.tensor(SPREAD) for window in gradients for vector in window]
        for update in skipped:
            batches[update * k + k - 1][0, 3] = float("-inf")
        seen = Seen([], [weights_of(model)])
        optimizer.register_step_pre_hook(lambda *_: seen.rates.append(float(optimizer.param_groups[0]["lr"])))
        optimizer.register_step_post_hook(lambda *_: seen.weights.append(weights_of(model)))
        return Setup((model, optimizer, scheduler, scaler, batches, mean_output, max_norm, k), seen)

    def around(setup: Setup):
        model, optimizer, scheduler, scaler, *_ = setup.arguments
        return ledger.record(model, optimizer, scaler, scheduler, moved=True)

    def read(setup: Setup, returned) -> Reading:
        scheduler, scaler, seen = setup.arguments[2], setup.arguments[3], setup.seen
        moved = [(before - after).double() for before, after in zip(seen.weights, seen.weights[1:], strict=False)]
        used = [step / rate if rate else step for step, rate in zip(moved, seen.rates, strict=False)]
        lost = float((weights_of(setup.arguments[0]) - seen.weights[-1]).abs().max())
        result = {"rates": seen.rates, "gradients": used, "next rate": float(scheduler.get_last_lr()[0]),
                  "moved outside steps": lost, "moves": float(scheduler.last_epoch),
                  "scaled": float(scaler.scaled or scale == 1)}
        return Reading(result, {"moves": scheduler.last_epoch, "updates": len(seen.rates)})

    return Loop(name, words, build, read, around=around, max_norm=max_norm, scale=scale, k=k, skipped=skipped,
                means=gradients.mean(1))


SCALE = 8192.0
OFF = "the scaler off"
ON = f"a loss scale of {written(SCALE)}"

# In the order in which they are tried: the first one already tells a micro-batch from an update.
SITUATIONS = (
    situation("two micro-batches", f"two micro-batches an update, a limit of 50, {OFF}", k=2),
    situation("one micro-batch", f"one micro-batch an update, a limit of 50, {OFF}"),
    situation("over the limit", f"two micro-batches an update, a limit of 0.6, {OFF}", k=2, max_norm=0.6),
    situation("a loss scale", f"one micro-batch an update, a limit of 0.6, {ON}", scale=SCALE, max_norm=0.6),
    situation("a skipped step", f"one micro-batch an update, a limit of 50, {ON}, the third gradient infinite",
              scale=SCALE, skipped=(2,)),
    situation("all together", f"three micro-batches an update, a limit of 0.6, {ON}, the first two gradients infinite",
              k=3, max_norm=0.6, scale=SCALE, skipped=(0, 1)),
)
