"""What measuring costs: steps per second of `train()` over those of a bare PyTorch loop that makes the same updates.

    python -m pytest tests/bench/test_train_overhead.py -s

Both loops live in one process and take turns, a few steps each, so that both see the same machine. Goal: 0.93 or more.
"""

import statistics
import time
from itertools import islice

import pytest
import torch

from gradlab import Recipe, train
from gradlab.data import NumberWords
from gradlab.model import cross_entropy
from gradlab.run import one_thread
from gradlab.train import DATA_STREAM, MOMENTUM, make_model

TURNS, STEPS = 60, 10


def bare_loop(recipe):
    """The updates of `train(recipe)` with torch alone and nothing measured but the loss."""
    model, data = make_model(recipe), NumberWords(recipe.seed ^ DATA_STREAM, recipe.digits, recipe.batch_size)
    optimizer = (torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=MOMENTUM, fused=True)
                 if recipe.optimizer == "sgd" else torch.optim.AdamW(model.parameters(), lr=recipe.lr, fused=True))
    while True:
        batch = next(data)
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_norm)
        optimizer.step()
        yield loss.item()


def seconds(steps):
    began = time.perf_counter()
    assert len(list(islice(steps, STEPS))) == STEPS
    return time.perf_counter() - began


@pytest.mark.parametrize("recipe", [Recipe(steps=10**6), Recipe(steps=10**6, max_norm=0.05),
                                    Recipe(steps=10**6, optimizer="adamw", lr=0.003)],
                         ids=["sgd", "sgd, every step clipped", "adamw"])
def test_measuring_costs_little(recipe):
    with one_thread():
        ours, bare = train(recipe), bare_loop(recipe)
        seconds(ours), seconds(bare)
        ratios = [seconds(bare) / seconds(ours) for _ in range(TURNS)]
        again = [seconds(bare) for _ in range(TURNS // 4)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"\ntrain() runs at {middle:.3f} of the bare loop's steps per second (quartiles {low:.3f} to {high:.3f}, "
          f"{TURNS} turns of {STEPS} steps; bare step {statistics.median(again) / STEPS * 1e3:.2f} ms)")
