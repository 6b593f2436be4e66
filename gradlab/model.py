"""A small causal transformer, written to be read, with the knobs that decide whether its training is stable."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
NORMS = ("pre", "post", "none")
INITS = ("default", "xavier", "he", "gpt2")


class Attention(nn.Module):
    """Causal self-attention: every position mixes in what earlier positions offer.

    `qk_norm` normalises queries and keys, which bounds the attention logits however large the weights become.
    """

    def __init__(self, d_model: int, n_heads: int, qk_norm: bool):
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=False)
        self.out = nn.Linear(d_model, d_model, bias=False)
        self.q_norm = nn.LayerNorm(d_model // n_heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(d_model // n_heads) if qk_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        batch, length, d_model = x.shape
        heads = self.qkv(x).view(batch, length, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = heads.unbind()  # each (batch, heads, length, d_model / heads)
        mixed = F.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, d_model))


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, at every position alone."""

    def __init__(self, d_model: int, d_ff: int, activation: str):
        super().__init__()
        self.up = nn.Linear(d_model, d_ff)
        self.down = nn.Linear(d_ff, d_model)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))


class Block(nn.Module):
    """Attention, then feed-forward. `norm` says where the LayerNorm sits, `residual` whether x is carried past."""

    def __init__(self, d_model: int, n_heads: int, d_ff: int, norm: str, activation: str, residual: bool,
                 qk_norm: bool):
        super().__init__()
        self.norm, self.residual = norm, residual
        self.attention = Attention(d_model, n_heads, qk_norm)
        self.feed_forward = FeedForward(d_model, d_ff, activation)
        self.norm_1 = nn.Identity() if norm == "none" else nn.LayerNorm(d_model)
        self.norm_2 = nn.Identity() if norm == "none" else nn.LayerNorm(d_model)

    def forward(self, x: Tensor) -> Tensor:
        for layer, normalise in ((self.attention, self.norm_1), (self.feed_forward, self.norm_2)):
            update = layer(normalise(x)) if self.norm == "pre" else layer(x)
            x = x + update if self.residual else update
            x = normalise(x) if self.norm == "post" else x
        return x


class Transformer(nn.Module):
    """A causal language model: characters in, logits for the next character out.

    - `norm`: LayerNorm before each layer (`"pre"`, with one more before the head), after each addition (`"post"`,
      as in the first transformer) or nowhere (`"none"`)
    - `activation`: one of `ACTIVATIONS`; `init`: one of `INITS`, see `initialise`
    - `residual=False` removes the skip connections; `qk_norm=True` normalises queries and keys

    `forward(inputs)` takes int64 `(batch, length)` with `length <= max_length` and returns float `(batch, length,
    vocabulary)`. Padding on the right needs no mask: a causal model never looks to the right.
    """

    def __init__(self, vocabulary: int, max_length: int, *, d_model: int = 32, n_layers: int = 4, n_heads: int = 4,
                 d_ff: int | None = None, norm: str = "pre", activation: str = "gelu", init: str = "default",
                 residual: bool = True, qk_norm: bool = False, generator: torch.Generator | None = None):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model must be a multiple of n_heads, got d_model={d_model}, n_heads={n_heads}")
        self.token = nn.Embedding(vocabulary, d_model)
        self.position = nn.Embedding(max_length, d_model)
        self.blocks = nn.ModuleList(
            Block(d_model, n_heads, d_ff or 4 * d_model, norm, activation, residual, qk_norm) for _ in range(n_layers))
        self.final_norm = nn.LayerNorm(d_model) if norm == "pre" else nn.Identity()
        self.head = nn.Linear(d_model, vocabulary, bias=False)
        initialise(self, init, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        x = self.token(inputs) + self.position.weight[:inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.final_norm(x))

    def parameter_groups(self) -> list[dict]:
        """The parameters in the form of `torch.optim`, one group a place: embeddings, each block, head.

        Each group is `{"name": str, "params": list}`. Every parameter is in exactly one group.
        """
        places = {"embeddings": [self.token, self.position]}
        places |= {f"block {index}": [block] for index, block in enumerate(self.blocks)}
        places |= {"head": [self.final_norm, self.head]}
        return [{"name": name, "params": [p for module in modules for p in module.parameters()]}
                for name, modules in places.items()]


@torch.no_grad()
def initialise(model: Transformer, init: str, generator: torch.Generator | None = None) -> None:
    """Draw all weights of `model` anew from `generator`. Biases become 0 except under `"default"`.

    - `"default"`: what `nn.Linear` does by itself, uniform within ±1/√fan_in, biases too; embeddings N(0, 1)
    - `"xavier"`: Glorot uniform, keeps the variance of activations and gradients at about 1 where slopes are 1
    - `"he"`: Kaiming normal, variance 2/fan_in, made for ReLU without skip connections
    - `"gpt2"`: N(0, 0.02²), and maps back onto the residual path smaller by 1/√(2·layers), so that their sum is not
    """
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.weight.normal_(0, 0.02 if init == "gpt2" else 1.0, generator=generator)
        if isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            match init:
                case "default":
                    module.weight.uniform_(-bound, bound, generator=generator)
                case "xavier":
                    nn.init.xavier_uniform_(module.weight, generator=generator)
                case "he":
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                case "gpt2":
                    module.weight.normal_(0, 0.02, generator=generator)
                case _:
                    raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
            if module.bias is not None:
                if init == "default":
                    module.bias.uniform_(-bound, bound, generator=generator)
                else:
                    module.bias.zero_()
    if init == "gpt2":
        for block in model.blocks:
            for back in (block.attention.out, block.feed_forward.down):
                back.weight.div_(math.sqrt(2 * len(model.blocks)))


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats per target; targets equal to -100 (`gradlab.data.IGNORE`) do not count."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
