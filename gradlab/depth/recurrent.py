"""VanillaRNN: one layer applied again and again, so that its depth is the length of the sequence."""

import torch
from torch import Tensor, nn

from gradlab.depth import given
from gradlab.depth.profile import Profile
from gradlab.norms import global_norm
from gradlab.threads import one_thread

STATES = {"tanh": torch.tanh, "relu": torch.relu, "linear": lambda state: state}


class VanillaRNN(nn.Module):
    """h(t) = activation(W h(t-1) + U x(t)), and a number read from the last state.

    - `gain`: W is an orthogonal matrix times this number. Without activation each step back multiplies the length of
      the gradient by exactly it
    - `activation`: one of `STATES`

    `forward(inputs)` takes float `(samples, steps, 2)` and returns `(outputs (samples,), states)`, with one tensor
    `(samples, width)` for each step.
    """

    def __init__(self, gain: float = 1.0, activation: str = "tanh", *, width: int = 32,
                 generator: torch.Generator | None = None):
        super().__init__()
        given.choice("activation", activation, tuple(STATES))
        self.activation = STATES[activation]
        self.inner, self.outer = (nn.Linear(n, given.whole("width", width), bias=False) for n in (width, 2))
        self.read = nn.Linear(width, 1)
        nn.init.orthogonal_(self.inner.weight, gain=given.size("gain", gain), generator=generator)
        for layer in (self.outer, self.read):
            nn.init.xavier_normal_(layer.weight, generator=generator)
        nn.init.zeros_(self.read.bias)

    def forward(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        state, states = inputs.new_zeros(len(inputs), self.inner.in_features), []
        for given_now in inputs.unbind(1):
            state = self.activation(self.inner(state) + self.outer(given_now))
            states.append(state)
        return self.read(state).squeeze(1), states


@one_thread()
def recurrent_profile(steps: int = 50, *, gain: float = 1.0, activation: str = "tanh", width: int = 32,
                      samples: int = 64, seed: int = 0) -> Profile:
    """How long the gradient of the loss is at the state of each time step of a fresh `VanillaRNN`.

    The loss compares the number read after the last step with a random one, squared, on random inputs.
    """
    generator = torch.Generator().manual_seed(given.whole("seed", seed, 0, 2**32 - 1))
    rnn = VanillaRNN(gain, activation, width=width, generator=generator)
    shape = given.whole("samples", samples, 1, 2**16), given.whole("steps", steps, most=2000), 2
    outputs, states = rnn(torch.randn(shape, generator=generator))
    loss = (outputs - torch.randn(samples, generator=generator)).square().mean()
    return Profile([global_norm([gradient]) for gradient in torch.autograd.grad(loss, states)], "time step")
