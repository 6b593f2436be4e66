"""What recording costs: seconds of a step of the lab's model recorded over those of the same step alone.

    python -m pytest tests/bench/test_ledger_overhead.py -s

The loop is torch's own, with a library clip at each step. Recorded and bare stretches take turns in one process, so
that both see the same machine, and what is counted is the processor's time; while nobody records nothing is patched.
Goal: 1.05 or less.
"""

import statistics
import time

import pytest
import torch

from gradlab import Recipe
from gradlab.data import NumberWords
from gradlab.ledger import record
from gradlab.ledger.observe.recorder import CLOSELY
from gradlab.model import cross_entropy
from gradlab.run import one_thread
from gradlab.train import DATA_STREAM, make_model, make_optimizer

TURNS, STEPS = 15, 30


class Loop:
    """Training with a library clip, any number of steps at a time."""

    def __init__(self, recipe):
        self.data = NumberWords(recipe.seed ^ DATA_STREAM, recipe.digits, recipe.batch_size)
        self.model, self.max_norm = make_model(recipe), recipe.max_norm
        self.optimizer = make_optimizer(recipe, self.model)

    def seconds(self, steps=STEPS):
        """Per step."""
        began = time.thread_time()
        for _ in range(steps):
            batch = next(self.data)
            self.optimizer.zero_grad()
            cross_entropy(self.model(batch.inputs), batch.targets).backward()
            if self.max_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
            self.optimizer.step()
        return (time.thread_time() - began) / steps


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(optimizer="adamw", lr=0.003), Recipe(max_norm=None)],
                         ids=["sgd", "adamw", "sgd without a clip"])
def test_recording_costs_little(recipe):
    with one_thread():
        loop, first, later, bare, entering = Loop(recipe), [], [], [], []
        loop.seconds()
        for _ in range(TURNS):
            before, began = loop.seconds(), time.thread_time()
            with record(loop.model, loop.optimizer) as events:
                entered = time.thread_time()
                first.append(loop.seconds(CLOSELY))
                later.append(loop.seconds())
            entering.append(entered - began)
            bare.append(statistics.mean([before, loop.seconds()]))
    assert len(events.of("step")) == CLOSELY + STEPS
    for name, times in ("every norm checked", first), ("later on", later):
        low, middle, high = statistics.quantiles([mine / alone for mine, alone in zip(times, bare, strict=True)], n=4)
        print(f"\na recorded step takes {middle:.3f} of a bare one, {name} (quartiles {low:.3f} to {high:.3f})", end="")
    print(f"\nbare step {statistics.median(bare) * 1e3:.2f} ms, "
          f"beginning to record {statistics.median(entering) * 1e3:.2f} ms")
