"""The sentences of the panel: what it says about recipes and runs."""

from __future__ import annotations

from .fields import WORDS

NAMED = ("clip", "averaging", "loss_scaling")  # their values say little without the field's name
OPTIMIZERS = {"sgd": "SGD", "adamw": "AdamW"}


def threshold(max_norm):
    """'no clip' or 'clip 0.5'."""
    return "no clip" if max_norm is None else f"clip {max_norm:g}"


def plain(recipe):
    """The constant text form of a panel, for text/plain and for picture descriptions."""
    optimizer = OPTIMIZERS.get(recipe.optimizer, recipe.optimizer)
    clipping = "no clipping" if recipe.max_norm is None else f"max_norm {recipe.max_norm:g}"
    return f"gradlab panel: {optimizer}, lr {recipe.lr:g}, {clipping} (run this cell to steer it)"


def label(recipe, base, steered=()):
    """A pinned run's name: its rate and threshold, and what else differs from the recipe the panel began with.

    steered: the fields moved while the run trained; they are marked, because the run is no longer what a fresh
        start with these settings gives.
    """
    def mark(field):
        return "*" if field in steered else ""

    parts = [f"lr {recipe.lr:g}{mark('lr')}", f"{threshold(recipe.max_norm)}{mark('max_norm')}"]
    for field in WORDS:
        value = getattr(recipe, field, None)
        if field in ("lr", "max_norm") or (value == getattr(base, field, None) and field not in steered):
            continue
        shown = value if isinstance(value, str) and field not in NAMED else f"{WORDS[field]} {_say(value)}"
        parts.append(f"{shown}{mark(field)}")
    return ", ".join(parts)


def status(worker, limit):
    """One sentence on how a run stands. limit: the number of steps after which it ends by itself."""
    made, state = len(worker.steps), worker.status
    if state == "idle":
        return "idle"
    if state == "diverged":
        return f"diverged at step {worker.steps[-1].step}"
    if state == "failed":
        return f"failed: {worker.describe_error()}"
    if state == "running":
        return f"running, step {made} of {limit}"
    if state == "finished":
        return f"finished after {made} steps"
    return f"{state} after {made} step{'s' if made != 1 else ''}" + (f": {worker.note}" if worker.note else "")


def _say(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
