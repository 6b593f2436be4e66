"""How each field of a Recipe is shown: its words, its kind of control, and the values that a slider offers."""

from __future__ import annotations

import dataclasses
import math

from gradlab.recipe import Recipe

FIELDS = tuple(field.name for field in dataclasses.fields(Recipe))

WORDS = {
    "lr": "learning rate", "max_norm": "clipping threshold", "clip": "clipping rule", "batch_size": "batch size",
    "accumulation_steps": "accumulation", "warmup_steps": "warmup", "warmup_init_lr": "warmup starts at",
    "steps": "steps", "seed": "seed", "digits": "digits", "optimizer": "optimizer", "schedule": "schedule",
    "averaging": "averaging", "precision": "precision", "loss_scaling": "loss scaling", "loss_scale": "loss scale",
    "growth_interval": "scale doubles after", "unscale": "unscale before clip", "loss_weight": "loss weight",
    "d_model": "width", "n_layers": "layers", "n_heads": "heads", "norm": "norm placement",
    "activation": "activation", "init": "initialisation", "residual": "residual", "qk_norm": "query-key norm",
}

# A decade in twenty steps of about a tenth, made of numbers that people say. Each arrow key moves by one.
DECADE = (1, 1.1, 1.25, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3, 3.5, 4, 4.5, 5, 5.6, 6.3, 7, 8, 9)

TICKS = {
    "batch_size": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "accumulation_steps": (1, 2, 4, 8, 16, 32),
    "warmup_steps": (0, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500),
    "steps": (25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000),
    "seed": tuple(range(10)),
    "loss_scale": tuple(2.0**power for power in range(25)),
    "growth_interval": (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
    "loss_weight": tuple(10.0**power for power in range(-9, 4)),
    "digits": (1, 2, 3, 4, 5, 6),
    "d_model": (16, 32, 48, 64, 96, 128),
    "n_layers": (1, 2, 3, 4, 6, 8, 12, 16, 24),
    "n_heads": (1, 2, 4, 8),
}
SPANS = {"lr": (1e-4, 10.0), "max_norm": (0.01, 100.0)}
ADAM_SPAN = (1e-5, 1.0)  # Adam's useful rates lie one or two decades below those of SGD


def control(recipe, field, span=None):
    """The description of one control, as a JSON-ready dict.

    field, label, live (acts while the run trains), kind ("slider", "select" or "check"), then for a slider
    `ticks` (ascending values, one a slider position) and `integer`, for a select `options`; `off` says that the
    value may be None.

    Raises TypeError for a span on a control that is no slider.
    """
    value, allowed = getattr(recipe, field), recipe.allowed(field)
    made = {"field": field, "label": WORDS.get(field, field.replace("_", " ")), "live": field in recipe.LIVE,
            "off": field == "max_norm"}
    if allowed is not None:
        if span is not None:
            raise TypeError(f"ranges[{field!r}]: {field} is chosen from {list(allowed)} and has no slider; "
                            "leave it out")
        if set(allowed) == {True, False} or isinstance(value, bool):
            return made | {"kind": "check"}
        return made | {"kind": "select", "options": list(allowed)}
    integer = isinstance(value, int)
    return made | {"kind": "slider", "integer": integer, "ticks": _ticks(recipe, field, value, integer, span)}


def _ticks(recipe, field, value, integer, span):
    if span is not None:
        ticks = _between(field, *_checked(field, span, integer), integer)
    elif field in TICKS:
        ticks = list(TICKS[field])
    elif field == "lr" and recipe.optimizer == "adamw":
        ticks = _between(field, *ADAM_SPAN, integer)
    elif field in SPANS:
        ticks = _between(field, *SPANS[field], integer)
    elif field == "warmup_init_lr":
        ticks = [0.0, *_between(field, 1e-6, 1.0, integer)]
    else:  # a field that this page has no opinion on: two decades around its value
        middle = value or 1
        ticks = _between(field, max(1, middle // 10) if integer else middle / 10, middle * 10, integer)
    if value is None:
        return ticks
    if ticks[0] <= value <= ticks[-1]:
        return ticks
    return sorted({*ticks, value})  # the recipe's own value is always within reach


def _checked(field, span, integer):
    try:
        low, high = span
        good = math.isfinite(low) and math.isfinite(high) and low < high and (low >= 0 if integer else low > 0)
    except (TypeError, ValueError):
        good = False
    if not good:
        least = "0 <= low" if integer else "0 < low"
        raise ValueError(f"ranges[{field!r}] = {span!r}: give a pair (low, high) of numbers with {least} < high, "
                         f"for example {(0, 10) if integer else (1e-3, 10.0)}")
    return low, high


def _between(field, low, high, integer):
    if integer:
        low, high = math.ceil(low), math.floor(high)
        if high - low <= 50:
            return list(range(low, high + 1))
        return sorted({low, high, *(round(tick) for tick in _between(field, max(low, 1), high, False))})
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high))
    ticks = [float(f"{digit:g}e{decade}") for decade in range(first, last + 1) for digit in DECADE]
    return sorted({low, high, *(tick for tick in ticks if low <= tick <= high)})
