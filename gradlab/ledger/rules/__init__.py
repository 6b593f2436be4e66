"""The rules that judge a ledger: each looks for one pitfall and tells what it found in the loop's own numbers.

A rule is a generator `rule(ledger) -> Iterator[Finding]`. It is sure or it is silent: where a loop may be meant as it
is, or an event could not be seen, nothing is told.

What a ledger cannot show, so what no rule here judges:

- `mean-of-means`: how many targets each micro-batch had
- `batch-statistics-differ`: what happens in the forward pass
- `rank-local-norm`, `ddp-sync-scope`: what the other processes do
- `wrong-norm`, `always-normalise`: by what formula a limit was computed by hand
- a missing division by the number of micro-batches, for a sum may be meant; nor a divisor above that number, which
  may be a count of targets; nor a divisor of 2 that may be the loss's own half
- `reported-norm-is-pre-clip`, `adam-needs-no-clip`: what the reader makes of the numbers
- `clip-missing`: clipping is a choice
"""

from collections.abc import Callable, Iterator

from gradlab.ledger.finding import Finding
from gradlab.ledger.rules import accumulation, limit, mixed_precision, order, schedules, sets, window

LEVELS = ("error", "warn", "info")

# By importance: which parameters, in what order, at what scale, to what limit, on what clock.
RULES: tuple[Callable[..., Iterator[Finding]], ...] = (
    sets.exhausted_parameters,
    sets.clip_set_mismatch,
    sets.optimizer_set_mismatch,
    order.clip_after_step,
    order.clip_before_backward,
    order.missing_zero_grad,
    order.zero_grad_before_step,
    accumulation.clip_each_micro_batch,
    accumulation.wrong_accumulation_divisor,
    accumulation.leftover_micro_batches,
    mixed_precision.unscale_twice,
    mixed_precision.backward_after_unscale,
    mixed_precision.clip_before_unscale,
    mixed_precision.scaler_bypassed,
    mixed_precision.scaler_dtype_mismatch,
    limit.max_norm_not_positive,
    limit.clip_cures_nonfinite,
    limit.low_precision_norm,
    schedules.scheduler_wrong_clock,
    schedules.scheduler_off_by_one,
    limit.value_clip_for_norm_clip,
    limit.per_tensor_norm,
    limit.clip_after_warmup_only,
    limit.always_clipped,
)

# What follows from another pitfall is not told beside it, unless it weighs more.
FOLLOWS_FROM: dict[str, tuple[str, ...]] = {
    "optimizer-set-mismatch": ("clip-set-mismatch",),
    "backward-after-unscale": ("unscale-twice",),
    "scheduler-off-by-one": ("scheduler-wrong-clock",),
    "value-clip-for-norm-clip": ("max-norm-not-positive",),
    "always-clipped": ("clip-before-unscale", "max-norm-not-positive", "missing-zero-grad"),
}


def findings(ledger, level: str = "warn") -> list[Finding]:
    """What is wrong in a recorded loop, the most important first, one for each pitfall and variant.

    `level` lets through itself and what is above it: "error", "warn", "info". What is only worth knowing comes last.
    The evidence is that of the first time it happened.

    Errors: ValueError for another level.
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    first: dict[tuple[str, str], Finding] = {}
    try:
        for rule in RULES:
            for finding in rule(ledger):
                first.setdefault((finding.pitfall, finding.variant), finding)
    finally:
        window.forget()
    kept = [finding for finding in first.values() if _weight(finding.level) <= _weight(level)
            and not any(root.pitfall in FOLLOWS_FROM.get(finding.pitfall, ())
                        and _weight(root.level) <= _weight(finding.level) for root in first.values())]
    return sorted(kept, key=lambda finding: finding.level == "info")


def _weight(level: str) -> int:
    """0 for the gravest."""
    return LEVELS.index(level)
