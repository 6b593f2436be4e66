"""The situations in which an epoch is trained: two epochs on a model whose gradients are known and independent."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gradlab import ledger
from gradlab.exercises.trial import Fixture, Reading, Setup

PARAMETERS = (10, 14)  # together more than the micro-batches of both epochs, so that an update can be taken apart
LOOSE, TIGHT = 1000.0, 0.25  # limits that no gradient of a situation reaches, and that every one exceeds


class Toy(nn.Module):
    """A model that is linear in its weights: the gradient of its output is its input, `(24,)`."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Parameter(torch.zeros(size, dtype=torch.float32)) for size in PARAMETERS)

    def forward(self, batch: Tensor) -> Tensor:
        return self.first @ batch[:PARAMETERS[0]] + self.second @ batch[PARAMETERS[0]:]


def output(model: nn.Module, batch: Tensor) -> Tensor:
    """The loss: the model's output."""
    return model(batch)


@dataclass(frozen=True, eq=False, kw_only=True)
class Situation(Fixture):
    """Two epochs of `n` micro-batches each in windows of `k`, with one `max_norm`.

    A trial's result is `{"updates": [(24,), ...]}`, what each step subtracted from the weights, of both epochs in a
    row; its facts are `{"epochs": [0, 0, 1, ...], "rates": [1.0, ...]}`, the epoch of each and the learning rate it
    was made at. `gradients` are those of the micro-batches, `(2 * n, 24)`.
    """

    n: int
    k: int
    max_norm: float
    gradients: Tensor = field(repr=False)

    @property
    def tight(self) -> bool:
        """Whether every gradient is over the limit."""
        return self.max_norm == TIGHT

    @property
    def over(self) -> bool:
        """`tight`, under the name by which a rule of "training-step" asks for it."""
        return self.tight

    @property
    def windows(self) -> list[range]:
        """The places in `gradients` of the micro-batches of each window, both epochs in a row."""
        return [range(start, min(start + self.k, end)) for end in (self.n, 2 * self.n)
                for start in range(end - self.n, end, self.k)]


def two_epochs(train: Callable, setup: Setup) -> tuple[list[Tensor], list[int], list[float]]:
    """Call `train` for two epochs: what each step subtracted from the weights, its epoch and its learning rate."""
    model, optimizer, epochs, *rest = setup.arguments
    updates, of_epoch, rates, before = [], [], [], [_weights(model)]

    def stepping(*_) -> None:
        before[0] = _weights(model)

    def stepped(*_) -> None:
        # Without any gradient no optimizer does anything, and this is no update. Asked after the step, since with
        # `optimizer.step(closure)` the gradients are made inside it.
        if any(p.grad is not None for p in model.parameters()):
            updates.append(before[0] - _weights(model))
            of_epoch.append(number)
            rates.append(float(optimizer.param_groups[0]["lr"]))

    optimizer.register_step_pre_hook(stepping)
    optimizer.register_step_post_hook(stepped)
    for number, micro_batches in enumerate(epochs):  # noqa: B007
        train(model, optimizer, list(micro_batches), *rest)
    return updates, of_epoch, rates


def _weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach() for parameter in model.parameters()])


def situation(name: str, n: int, k: int, max_norm: float) -> Situation:
    gradients = torch.randn(2 * n, sum(PARAMETERS), generator=torch.Generator().manual_seed(100 * n + k))

    def build() -> Setup:
        model = Toy()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        return Setup((model, optimizer, [list(epoch.clone()) for epoch in gradients.chunk(2)], output, k, max_norm))

    def around(setup: Setup):
        model, optimizer, *_ = setup.arguments
        return ledger.record(model, optimizer)

    def read(setup: Setup, returned: tuple[list[Tensor], list[int], list[float]]) -> Reading:
        updates, epochs, rates = returned
        lr = setup.arguments[1].param_groups[0]["lr"]
        return Reading({"updates": updates}, {"epochs": epochs, "rates": rates}, "" if lr == 1 else
                       f"your function left the learning rate at {lr:g}, and it was 1; it is set elsewhere")

    of = f"{n} micro-batch{'es' * (n > 1)} an epoch and accumulation_steps {k}"
    limit = f"a max_norm of {max_norm:g}, which every gradient exceeds" if max_norm == TIGHT else "no limit in reach"
    return Situation(name, f"{of}, {limit}", build, read, two_epochs, around, n=n, k=k, max_norm=max_norm,
                     gradients=gradients)


# In the order in which they are tried: whole windows first, where no leftover can be wrong, then those that have one.
# The last one is shown where all is right, so it has everything: a window, a clip that acts, and a short window.
SITUATIONS = (
    situation("whole windows", 8, 4, LOOSE),
    situation("two left over", 10, 4, LOOSE),
    situation("over the limit", 6, 3, TIGHT),
    situation("less than a window", 3, 4, LOOSE),
    situation("one at a time", 5, 1, LOOSE),
    situation("left over and over the limit", 5, 3, TIGHT),
)
