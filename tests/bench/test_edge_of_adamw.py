"""What clipping alone does for AdamW with post-norm at lr 0.03, on enough seeds to say something.

    python -m pytest tests/bench/test_edge_of_adamw.py -s

Prints failures and medians with and without clipping, the wins seed by seed, and how likely such counts are by luck.
"""

import math
import statistics

from gradlab import Recipe, run_seeds

SEEDS = 20


def by_luck(wins, of):
    """Chance of at least so many heads, one-sided."""
    return sum(math.comb(of, n) for n in range(wins, of + 1)) / 2**of


def fisher(failed, others, of):
    """Chance of a difference in failures at least as large, two-sided, when both arms fail alike."""
    def chance(n):
        return math.comb(of, n) * math.comb(of, failed + others - n) / math.comb(2 * of, failed + others)
    observed = chance(failed)
    return sum(p for n in range(max(0, failed + others - of), min(of, failed + others) + 1)
               if (p := chance(n)) <= observed * (1 + 1e-9))


def test_clipping_at_the_edge():
    edge = Recipe(optimizer="adamw", lr=0.03, norm="post")
    for label, schedule in {"constant": {}, "warmup": {"warmup_steps": 30},
                            "warmup and cosine": {"warmup_steps": 30, "schedule": "cosine"}}.items():
        free, clipped = ([history.final_loss for history in run_seeds(edge.replace(max_norm=value, **schedule), SEEDS)]
                         for value in (None, 1.0))
        failed = [sum(not loss <= 2 for loss in losses) for losses in (free, clipped)]
        wins = sum(ours < theirs for ours, theirs in zip(clipped, free, strict=True))
        print(f"\n{label}: without clipping {failed[0]} of {SEEDS} fail, median {statistics.median(free):.3f}; "
              f"with max_norm 1 {failed[1]} fail, median {statistics.median(clipped):.3f} "
              f"(Fisher p {fisher(*failed, SEEDS):.3f}); clipped ends lower on {wins} of {SEEDS} seeds "
              f"(sign test p {by_luck(wins, SEEDS):.2g})")
