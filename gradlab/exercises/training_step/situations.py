"""The situations in which a training step is tried: two updates on a model whose gradients are known exactly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gradlab import ledger
from gradlab.exercises.trial import Fixture, Reading, Setup
from gradlab.pitfalls.pitfall import written

# The gradient that each micro-batch makes, for two updates. Every known mistake has an update of its own: the largest
# entry is negative, a limit of 0.6 lies below every micro-batch's share, and in the second update the other tensor is
# the longer one.
GRADIENTS = (((3.0, 4.0, 0.0, -12.0), (1.0, -2.0, 2.0, -2.0), (-2.0, 1.0, 4.0, -3.0)),
             ((-6.0, -1.0, 1.0, -2.0), (-4.0, 3.0, -2.0, -3.0), (-1.0, 2.0, 3.0, -4.0)))
# Left in .grad by the step before.
STALE = (5.0, 1.0, 1.0, 1.0)
# What each of the examples of a micro-batch adds to its mean; more examples than there are micro-batches.
SPREAD = ((1.0, -0.5, 0.25, 2.0), (-1.0, 1.5, 0.5, -1.0), (0.5, -2.0, -1.0, 0.5), (-0.5, 1.0, 0.25, -1.5))


class Toy(nn.Module):
    """A model that is linear in its weights: the gradient of the mean of its outputs is the mean of its inputs.

    `forward(batch)` takes `(examples, 4)` and returns `(examples,)`. `frozen` puts a layer without gradients in front;
    `float16` computes the outputs in half precision, and so small that their gradients vanish there without a scale.
    """

    def __init__(self, frozen: bool = False, float16: bool = False):
        super().__init__()
        self.float16 = float16
        if frozen:
            self.base = nn.Linear(4, 1, dtype=torch.float32).requires_grad_(False)
        self.trunk = nn.Linear(2, 1, bias=False, dtype=torch.float32)
        self.head = Shift()
        for parameter in (self.trunk.weight, self.head.bias):  # 0 where an update would be lost beside anything else
            nn.init.constant_(parameter, 0.0 if float16 else 0.25)

    def forward(self, batch: Tensor) -> Tensor:
        out = self.head(self.trunk(batch[:, :2]).squeeze(1), batch[:, 2:])
        if hasattr(self, "base"):
            out = out + self.base(batch).squeeze(1)
        if self.float16:
            out = (out.half() * 2**-13 * 2**-13).float()
        return out


class Shift(nn.Module):
    """Adds an amount of its own for each of two inputs."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.empty(2, dtype=torch.float32))

    def forward(self, out: Tensor, amounts: Tensor) -> Tensor:
        return out + amounts @ self.bias


def mean_output(model: nn.Module, batch: Tensor) -> Tensor:
    """The loss: the mean of the model's outputs over the examples of `batch`."""
    return model(batch).mean()


@dataclass(frozen=True, eq=False, kw_only=True)
class Situation(Fixture):
    """Two updates with `k` micro-batches each, at one `max_norm` and one loss `scale` (1.0: the scaler is off).

    A trial's result is `{"updates": [(4,), (4,)]}`: what each call subtracted from the weights. `gradients` are those
    of the micro-batches, `(2, k, 4)`, and `stale` what is in `.grad` before the first call, `(4,)`.
    """

    max_norm: float
    scale: float
    k: int
    gradients: Tensor = field(repr=False)
    stale: Tensor = field(repr=False)

    @property
    def over(self) -> bool:
        """Whether the gradient of an update is over the limit."""
        return self.gradients.mean(1).norm(dim=1).max().item() > self.max_norm


def two_updates(step: Callable, setup: Setup) -> list[tuple[Tensor, int]]:
    """Call a training step for each window: `(what it subtracted from the weights (4,), the steps it made)` of each."""
    model, optimizer, scaler, windows, loss_fn, max_norm = setup.arguments
    steps, calls = [], []
    optimizer.register_step_post_hook(lambda *_: steps.append(len(calls)))
    for micro_batches in windows:
        before = _weights(model)
        try:
            step(model, optimizer, scaler, list(micro_batches), loss_fn, max_norm)
        except (FloatingPointError, RuntimeError) as error:
            # Who refuses an infinite gradient leaves the update out, as the scaler would; the loop around goes on.
            if not _refuses_infinity(error, micro_batches):
                raise
            scaler.update()
        calls.append(before - _weights(model))
    return [(update, steps.count(call)) for call, update in enumerate(calls)]


def _refuses_infinity(error: Exception, micro_batches: Sequence[Tensor]) -> bool:
    return any(not batch.isfinite().all() for batch in micro_batches) and "finite" in str(error)


def _weights(model: nn.Module) -> Tensor:
    return torch.cat([model.trunk.weight.detach().flatten(), model.head.bias.detach()])


def situation(name: str, words: str, *, max_norm: float, scale: float = 1.0, k: int = 2, infinite: bool = False,
              frozen: bool = False, float16: bool = False) -> Situation:
    """A `Situation`; `infinite` puts an infinity into the last micro-batch of the first update."""
    gradients = torch.tensor([window[:k] for window in GRADIENTS], dtype=torch.float32)
    stale = torch.tensor(STALE, dtype=torch.float32)
    size = 2.0**-26 if float16 else 1.0  # of a gradient against the inputs it comes from

    def build() -> Setup:
        model = Toy(frozen, float16)
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale, enabled=scale != 1)
        model.trunk.weight.grad = scale * size * stale[None, :2]
        model.head.bias.grad = scale * size * stale[2:]
        windows = [[vector + torch.tensor(SPREAD) for vector in window] for window in gradients]
        if infinite:
            windows[0][-1][0, 3] = float("-inf")
        return Setup((model, optimizer, scaler, windows, mean_output, max_norm))

    def around(setup: Setup):
        model, optimizer, scaler, *_ = setup.arguments
        return ledger.record(model, optimizer, scaler=scaler, moved=True)

    def read(setup: Setup, calls: list[tuple[Tensor, int]]) -> Reading:
        updates, steps = zip(*calls, strict=True)
        # Who puts a number in place of an infinity may end with an update of 0 all the same; the scaler did not see it.
        unseen = infinite and steps[0] > 0 and setup.arguments[2].get_scale() >= scale
        return Reading({"updates": updates, "infinity unseen": unseen}, {"steps": steps})

    return Situation(name, words, build, read, two_updates, around, max_norm=max_norm, scale=scale, k=k,
                     gradients=size * gradients, stale=size * stale)


SCALE = 8192.0
OFF = "the scaler off"
ON = f"a loss scale of {written(SCALE)}"

# In the order in which they are tried. A mistake is told in the first one that shows it, so the plainest comes first; a
# right step is drawn in the last one.
SITUATIONS = (
    situation("under the limit", f"two micro-batches, a gradient under the limit of 50, {OFF}", max_norm=50.0),
    situation("over the limit", f"two micro-batches, a gradient over the limit of 0.6, {OFF}", max_norm=0.6),
    situation("three micro-batches", f"three micro-batches, a limit of 50, {OFF}", max_norm=50.0, k=3),
    situation("a frozen layer", f"a model with a frozen layer, a limit of 0.6, {OFF}", max_norm=0.6, frozen=True),
    situation("a loss scale", f"two micro-batches, a limit of 50, {ON}", max_norm=50.0, scale=SCALE),
    situation("an infinite gradient", f"an infinite gradient in the first update, a limit of 0.6, {ON}", max_norm=0.6,
              scale=SCALE, infinite=True),
    situation("float16", f"a model that computes in float16, a limit of 50, {ON}", max_norm=50.0, scale=SCALE,
              float16=True),
    situation("all together", f"three micro-batches, a limit of 0.6, {ON}", max_norm=0.6, scale=SCALE, k=3),
)
