"""Loops with one mistake each, every one that the ledger judges written in at least two ways."""

from loops.loop import WRONG
from loops.wrong import (
    accumulation,
    limits,
    mixed_precision,
    order,
    schedules,
    sets,
    several_networks,
    unscale,
    worth_knowing,
    zero_grad,
)

__all__ = ["WRONG", "accumulation", "limits", "mixed_precision", "order", "schedules", "sets", "several_networks",
           "unscale", "worth_knowing", "zero_grad"]
