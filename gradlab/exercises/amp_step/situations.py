"""The situations of the mixed-precision step: two updates under a loss scale, with a schedule that must count them."""

from collections.abc import Callable

import torch
from torch import Tensor

from gradlab import ledger
from gradlab.exercises.training_step.situations import GRADIENTS, SPREAD, STALE, Situation, Toy, mean_output
from gradlab.exercises.trial import Reading, Setup
from gradlab.pitfalls.pitfall import written

FACTORS = (1.0, 0.5, 0.25)  # of the learning rate, for the first, second and third update


class Loss:
    """`loss_fn(model, batch)`, the mean output, which writes down in which dtype autocast ran when it was called."""

    def __init__(self):
        self.dtypes: list[str] = []

    def __call__(self, model, batch) -> Tensor:
        on = torch.is_autocast_enabled("cpu")
        self.dtypes.append(str(torch.get_autocast_dtype("cpu")).removeprefix("torch.") if on else "off")
        return mean_output(model, batch)


def two_calls(step: Callable, setup: Setup) -> list[tuple[Tensor, list[float], int]]:
    """For each of two calls: what it subtracted from the weights over the learning rate that was due `(4,)`, the
    learning rates of the steps it made, and how often the scheduler has moved by then."""
    model, optimizer, scaler, scheduler, windows, loss_fn, max_norm = setup.arguments
    rates, calls = [], []
    optimizer.register_step_post_hook(lambda optimizer, *_: rates[-1].append(optimizer.param_groups[0]["lr"]))
    for micro_batches in windows:
        before, made = _weights(model), sum(map(bool, rates))  # updates so far: so often has the schedule to have moved
        rates.append([])
        step(model, optimizer, scaler, scheduler, list(micro_batches), loss_fn, max_norm)
        calls.append(((before - _weights(model)) / FACTORS[min(made, 2)], rates[-1], scheduler.last_epoch))
    return calls


def _weights(model) -> Tensor:
    return torch.cat([model.trunk.weight.detach().flatten(), model.head.bias.detach()])


def situation(name: str, words: str, *, max_norm: float, scale: float, k: int = 2, infinite: int = -1,
              growth_interval: int = 2000) -> Situation:
    """A `Situation`; `infinite` is the update, 0 or 1, whose last micro-batch has a finite loss and a
    gradient beyond float16, or -1. The scale doubles after `growth_interval` updates."""
    gradients = torch.tensor([window[:k] for window in GRADIENTS], dtype=torch.float32)
    stale = torch.tensor(STALE, dtype=torch.float32)

    def build() -> Setup:
        model = Toy()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=growth_interval)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: FACTORS[min(update, 2)])
        model.trunk.weight.grad = scale * stale[None, :2]
        model.head.bias.grad = scale * stale[2:]
        windows = [[vector + torch.tensor(SPREAD) for vector in window] for window in gradients]
        if infinite >= 0:
            windows[infinite][-1][0, 3] = TOO_LARGE
        loss_fn = Loss()
        return Setup((model, optimizer, scaler, scheduler, windows, loss_fn, max_norm), loss_fn)

    def around(setup: Setup):
        model, optimizer, scaler, *_ = setup.arguments
        return ledger.record(model, optimizer, scaler=scaler, moved=True)

    def read(setup: Setup, calls: list[tuple[Tensor, list[float], int]]) -> Reading:
        updates, rates, moved = zip(*calls, strict=True)
        steps = [len(part) for part in rates]
        dtypes = setup.seen.dtypes
        unseen = infinite >= 0 and steps[infinite] > 0 and setup.arguments[2].get_scale() >= scale
        odd = sorted({dtype for dtype in dtypes if dtype != "float16"})
        return Reading({"updates": updates, "infinity unseen": unseen, "schedule": list(moved), "autocast": odd},
                       {"steps": steps, "rates": sum(rates, []), "moved": moved, "dtypes": dtypes})

    return Situation(name, words, build, read, two_calls, around, rtol=2e-3, max_norm=max_norm, scale=scale, k=k,
                     gradients=gradients, stale=stale)


SCALE = 512.0
# For one of four examples, in one of two micro-batches: an eighth of it times the scale is beyond float16, and the
# output is not.
TOO_LARGE = -2 * 8 * 65504 / SCALE
WORDS = "{} micro-batches, a limit of {:g} and a loss scale of " + written(SCALE)
INFINITE = "an infinite gradient of a finite loss in the {} update, " + WORDS.format("two", 0.6)

# In the order in which they are tried; a right step is drawn in the last one.
SITUATIONS = (
    situation("under the limit", WORDS.format("two", 50), max_norm=50.0, scale=SCALE),
    situation("over the limit", WORDS.format("two", 0.6), max_norm=0.6, scale=SCALE),
    situation("three micro-batches", WORDS.format("three", 50), max_norm=50.0, scale=SCALE, k=3),
    situation("a larger scale", "a loss scale that doubles after the second update, " + WORDS.format("two", 50),
              max_norm=50.0, scale=SCALE, growth_interval=2),
    situation("a second overflow", INFINITE.format("second"), max_norm=0.6, scale=SCALE, infinite=1),
    situation("an overflow", INFINITE.format("first"), max_norm=0.6, scale=SCALE, infinite=0),
)
