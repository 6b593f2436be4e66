"""Recipe: everything that determines a run, in one frozen value."""

import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

from gradlab.clip import RULES
from gradlab.model import ACTIVATIONS, INITS, NORMS
from gradlab.schedule import SCHEDULES, lr_at

AVERAGINGS = ("tokens", "micro_batches", "sum")
ALLOWED = {
    "optimizer": ("sgd", "adamw"), "schedule": SCHEDULES, "clip": tuple(RULES), "averaging": AVERAGINGS,
    "precision": ("fp32", "bf16", "fp16"), "loss_scaling": ("none", "static", "dynamic"), "unscale": (True, False),
    "norm": NORMS, "activation": tuple(ACTIVATIONS), "init": INITS, "residual": (True, False), "qk_norm": (True, False),
}
AT_LEAST = {"seed": 0, "steps": 1, "batch_size": 1, "digits": 1, "warmup_steps": 0, "accumulation_steps": 1,
            "growth_interval": 1, "d_model": 1, "n_layers": 1, "n_heads": 1}
# torch's CPU generator tells no more seeds apart; the rest keeps a slip of the finger from filling the memory.
AT_MOST = {"seed": 2**32 - 1, "batch_size": 4096, "digits": 1000, "accumulation_steps": 4096, "d_model": 4096,
           "n_layers": 256, "n_heads": 4096, "loss_scale": 2.0**126, "growth_interval": 2**31 - 1}
ABOVE_ZERO = ("lr", "max_norm", "loss_scale", "loss_weight")
OPTIONAL = ("max_norm",)
VERSION = "g1"  # of the share string: the defaults below belong to it


class RecipeError(ValueError):
    """Raised for a recipe that cannot be run; the message names the field, its value and what is allowed."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a run: data, model, optimizer, schedule, clipping, precision. Frozen and comparable.

    The same recipe gives the same numbers to the bit on the same machine with the same number of threads.
    """

    seed: int = 0
    """Decides the model's first weights and every batch."""
    steps: int = 150
    """Optimizer updates."""
    batch_size: int = 16
    """Examples in a micro-batch."""
    digits: int = 3
    """Numbers have up to so many digits."""
    optimizer: str = "sgd"
    """`"sgd"` with momentum 0.9, or `"adamw"` with torch's defaults."""
    lr: float = 0.3
    """The learning rate after the warmup, before the schedule takes it down."""
    warmup_steps: int = 0
    """Updates over which the learning rate rises from `warmup_init_lr` to `lr`."""
    warmup_init_lr: float = 0.0
    """Where the ramp comes from; the first update is already one stride above it."""
    schedule: str = "constant"
    """What the learning rate does after the warmup: `"constant"`, `"cosine"`, `"linear"`, `"noam"` or `"wsd"`; see
    `gradlab.schedule`."""
    clip: str = "global_norm"
    """The clipping rule: `"global_norm"`, `"value"` or `"per_group"`, with `max_norm` as its threshold."""
    max_norm: float | None = 1.0
    """The threshold of the clipping rule; None for no clipping."""
    accumulation_steps: int = 1
    """Micro-batches whose gradients make one update."""
    averaging: str = "tokens"
    """How: `"tokens"` weights each micro-batch by its share of all targets, which is the gradient of one large batch;
    `"micro_batches"` divides each mean loss by their number; `"sum"` divides by nothing."""
    precision: str = "fp32"
    """The dtype of the forward pass: `"fp32"`, or `"bf16"` or `"fp16"` by autocast. Weights stay float32."""
    loss_scaling: str = "none"
    """What is done against gradients too small for the dtype: `"none"`, `"static"` or `"dynamic"`."""
    loss_scale: float = 65536.0
    """What the loss is multiplied by if it is scaled; the dynamic scale begins there."""
    growth_interval: int = 2000
    """Updates without overflow after which the dynamic scale doubles."""
    unscale: bool = True
    """Whether gradients are divided by the scale before they are clipped, or only by the optimizer's step."""
    loss_weight: float = 1.0
    """A factor of the loss, and so of every gradient."""
    d_model: int = 32
    """Width of the residual stream."""
    n_layers: int = 4
    """Transformer blocks."""
    n_heads: int = 4
    """Attention heads in a block; divides `d_model`."""
    norm: str = "pre"
    """Where the LayerNorms sit: `"pre"`, `"post"` or `"none"`."""
    activation: str = "gelu"
    """Of the feed-forward layers."""
    init: str = "default"
    """How the first weights are drawn; see `gradlab.model.initialise`."""
    residual: bool = True
    """Whether blocks add to their input or replace it."""
    qk_norm: bool = False
    """Whether queries and keys are normalised, which bounds the attention logits."""

    LIVE: ClassVar = ("lr", "max_norm", "clip", "batch_size", "accumulation_steps", "averaging", "loss_scale")
    """The fields that may change while a run trains."""

    def __post_init__(self):
        for field in fields(self):
            value = _validated(field.name, getattr(self, field.name), type(field.default))
            object.__setattr__(self, field.name, value)
        if self.d_model % self.n_heads:
            raise RecipeError("d_model must be a multiple of n_heads, "
                              f"got d_model={self.d_model}, n_heads={self.n_heads}")

    @staticmethod
    def allowed(name: str) -> tuple | None:
        """The values that a field of choice may take; None for a field that takes numbers."""
        return ALLOWED.get(name)

    def replace(self, **changes) -> Self:
        """A copy with other values for some fields, validated like any recipe."""
        names = [field.name for field in fields(self)]
        for name in changes:
            if name not in names:
                raise RecipeError(f"a recipe has no field {name!r}; its fields are {', '.join(names)}")
        return replace(self, **changes)

    def steer(self, changes: Mapping) -> Self:
        """A copy with other values for some of `Recipe.LIVE`. Errors: RecipeError for any other field."""
        for name in changes:
            if name not in self.LIVE:
                raise RecipeError(f"{name} cannot change while a run trains, only {', '.join(self.LIVE)} can; "
                                  f"start a new run with recipe.replace({name}={changes[name]!r})")
        return self.replace(**changes)

    def lr_at(self, step: int) -> float:
        """The learning rate of update number `step`, counted from 0; see `gradlab.schedule.lr_at`."""
        return lr_at(step, lr=self.lr, steps=self.steps, warmup_steps=self.warmup_steps,
                     warmup_init_lr=self.warmup_init_lr, schedule=self.schedule)

    def differences(self) -> dict:
        """The fields whose values are not the default ones, in order."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}

    def share(self) -> str:
        """A short string from which `Recipe.from_share` makes this recipe again: `"g1,lr=1.0,max_norm=none"`."""
        return ",".join([VERSION, *(f"{name}={str(value).lower()}" for name, value in self.differences().items())])

    @classmethod
    def from_share(cls, text: str) -> Self:
        """The recipe of a share string. Errors: RecipeError naming the part that does not fit."""
        if not isinstance(text, str):
            raise RecipeError(f"a share string is text such as {cls().share()!r}, got {text!r}")
        version, *parts = text.strip().split(",")
        if version != VERSION:
            raise RecipeError(f"a share string of this gradlab begins with {VERSION!r}, got {text!r:.80}")
        types = {field.name: type(field.default) for field in fields(cls)}
        changes = {}
        for part in parts:
            name, equals, value = part.strip().partition("=")
            if not equals or name not in types:
                raise RecipeError(f"a share string holds field=value with a recipe's field, got {part!r:.80}")
            if name in changes:
                raise RecipeError(f"{name} stands twice in the share string {text!r:.80}")
            changes[name] = _read(name, value, types[name])
        return cls(**changes)


def _validated(name: str, value, kind: type):
    """The value of one field in its canonical type (a learning rate of 1 is 1.0, so that equal recipes are equal)."""
    if value is None and name in OPTIONAL:
        return None
    if name in ALLOWED:
        # Not `in`: 1 == True, but 1 is no answer to a question of yes or no.
        if any(type(value) is type(choice) and value == choice for choice in ALLOWED[name]):
            return value
        raise RecipeError(f"{name} must be one of {', '.join(map(repr, ALLOWED[name]))}, got {value!r}")
    if isinstance(value, bool) or not isinstance(value, numbers.Integral if kind is int else numbers.Real):
        raise RecipeError(f"{name} must be {'a whole number' if kind is int else 'a number'}"
                          f"{' or None' if name in OPTIONAL else ''}, got {value!r}")
    try:
        value = kind(value)
    except OverflowError:
        raise RecipeError(f"{name} must be a number that a float can hold, got {str(value)[:20]}…") from None
    if kind is float and not math.isfinite(value):
        raise RecipeError(f"{name} must be finite, got {value!r}" + ("; None means no clipping" * (name in OPTIONAL)))
    if name in ABOVE_ZERO and value <= 0:
        raise RecipeError(f"{name} must be above 0, got {value!r}" + ("; None means no clipping" * (name in OPTIONAL)))
    if value < AT_LEAST.get(name, 0):
        raise RecipeError(f"{name} must be at least {AT_LEAST.get(name, 0)}, got {value!r}")
    if value > AT_MOST.get(name, math.inf):
        raise RecipeError(f"{name} must be at most {AT_MOST[name]}, got {value!r}")
    return value


def _read(name: str, text: str, kind: type):
    words = {"true": True, "false": False} if kind is bool else {"none": None} if name in OPTIONAL else {}
    if text in words:
        return words[text]
    if kind in (int, float) and not re.fullmatch(r"[0-9.eE+-]+", text):  # int("1_0") and int("١") would pass
        raise RecipeError(f"{name} in a share string must read as {kind.__name__}, got {text!r:.80}")
    try:
        return text if kind is bool else kind(text)
    except ValueError:
        raise RecipeError(f"{name} in a share string must read as {kind.__name__}, got {text!r:.80}") from None
