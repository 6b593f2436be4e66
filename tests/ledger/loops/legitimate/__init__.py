"""Loops that must raise nothing: section 4 of the catalogue, each entry with its variants.

Not here: 38, accumulation under DistributedDataParallel, which needs several processes.
"""

from loops.legitimate import (
    accumulation,
    adversarial,
    buffers,
    by_hand,
    clipping,
    closures,
    elsewhere,
    guarded,
    halves,
    limits_of_parts,
    mixed_precision,
    non_finite,
    plain,
    recurrent,
    schedules,
    several_networks,
    sharpness,
    weights,
)
from loops.loop import LEGITIMATE

__all__ = ["LEGITIMATE", "accumulation", "adversarial", "buffers", "by_hand", "clipping", "closures", "elsewhere",
           "guarded", "halves", "limits_of_parts", "mixed_precision", "non_finite", "plain", "recurrent",
           "schedules", "several_networks", "sharpness", "weights"]
