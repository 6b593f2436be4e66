"""PlainNet: a stack of equal layers with nothing to help the gradient through, unless it is asked for."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gradlab.depth import given
from gradlab.depth.profile import Profile, weight_norms
from gradlab.model import ACTIVATIONS
from gradlab.threads import one_thread

INITS = ("default", "xavier", "he", "he_uniform")
NORMS = ("none", "layer", "batch")
CLASSES = 10


class PlainNet(nn.Module):
    """`depth` times a linear map, a norm and an activation, then a linear map to the logits of 10 classes.

    - `activation`: one of `gradlab.model.ACTIVATIONS`; `norm`: one of `NORMS`, between the map and the activation
    - `init`: one of `INITS`, see `draw`
    - `residual=True` adds each layer's input to its output

    `forward(x)` takes float `(samples, width)` and returns logits, `(samples, 10)`.
    """

    def __init__(self, depth: int, *, activation: str = "relu", init: str = "he", norm: str = "none",
                 residual: bool = False, width: int = 64, generator: torch.Generator | None = None):
        super().__init__()
        given.choice("activation", activation, tuple(ACTIVATIONS))
        given.choice("init", init, INITS)
        given.choice("norm", norm, NORMS)
        given.choice("residual", residual, (True, False))
        given.whole("width", width)
        kinds = {"none": nn.Identity, "layer": nn.LayerNorm, "batch": nn.BatchNorm1d}
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(given.whole("depth", depth, most=1000)))
        self.norms = nn.ModuleList(kinds[norm](width) for _ in self.layers)
        self.head = nn.Linear(width, CLASSES)
        self.activation, self.residual = ACTIVATIONS[activation], residual
        for layer in (*self.layers, self.head):
            draw(layer, init, generator)

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            out = self.activation(norm(layer(x)))
            x = x + out if self.residual else out
        return self.head(x)


@torch.no_grad()
def draw(layer: nn.Linear, init: str, generator: torch.Generator | None = None) -> None:
    """Draw the weights of a linear layer anew. Biases become 0 except under `"default"`.

    - `"default"`: what `nn.Linear` does by itself, uniform within ±1/√fan_in, so a variance of 1/(3 fan_in)
    - `"xavier"`: normal with variance 2/(fan_in + fan_out) (Glorot and Bengio 2010)
    - `"he"`, `"he_uniform"`: normal or uniform with variance 2/fan_in (He et al. 2015)
    """
    bound = 1 / math.sqrt(layer.in_features)
    match init:
        case "default":
            layer.weight.uniform_(-bound, bound, generator=generator)
        case "xavier":
            nn.init.xavier_normal_(layer.weight, generator=generator)
        case "he":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        case "he_uniform":
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
        case _:
            given.choice("init", init, INITS)
    if layer.bias is not None:
        layer.bias.uniform_(-bound, bound, generator=generator) if init == "default" else layer.bias.zero_()


@one_thread()
def plain_profile(depth: int = 20, *, activation: str = "relu", init: str = "he", norm: str = "none",
                  residual: bool = False, width: int = 64, samples: int = 128, seed: int = 0) -> Profile:
    """The weight gradients' norms of a fresh `PlainNet`, layer by layer, on random inputs with random classes."""
    generator = torch.Generator().manual_seed(given.whole("seed", seed, 0, 2**32 - 1))
    net = PlainNet(depth, activation=activation, init=init, norm=norm, residual=residual, width=width,
                   generator=generator)
    inputs = torch.randn(given.whole("samples", samples, 2, 2**16), width, generator=generator)
    F.cross_entropy(net(inputs), torch.randint(CLASSES, (samples,), generator=generator)).backward()
    return Profile(weight_norms(net.layers))
