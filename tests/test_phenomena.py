"""What the course shows is real: each test trains, on several seeds, what a lab says about clipping and its cures.

4 layers, d_model 32, batch 16, 150 steps. A run fails when something turns non-finite or its final loss, the mean of
the last ten, is above 2.0. `tests/bench/test_edge_of_adamw.py` asks the hardest of these questions with more seeds.
"""

import statistics

import pytest

from gradlab import Recipe, run_seeds

SGD = Recipe(optimizer="sgd", lr=1.0, norm="pre", n_layers=4, d_model=32, batch_size=16, steps=150)
EDGE = SGD.replace(optimizer="adamw", lr=0.03, norm="post")
ARMS = {
    "sgd, no clipping": SGD.replace(max_norm=None),
    "sgd, clipped": SGD,
    "sgd, lower lr": SGD.replace(lr=0.3, max_norm=None),
    "adamw, clipped": EDGE,
    "adamw, warmup": EDGE.replace(warmup_steps=30),
    "adamw, warmup and cosine": EDGE.replace(warmup_steps=30, schedule="cosine"),
    "adamw, lower lr": EDGE.replace(lr=0.01, max_norm=None),
}


@pytest.fixture(scope="module")
def losses():
    made = {}

    def of(arm):
        if arm not in made:
            made[arm] = [history.final_loss for history in run_seeds(ARMS[arm], 5)]
            print(f"{arm}: {failures(made[arm])} of 5 fail, median final loss {statistics.median(made[arm]):.3f}")
        return made[arm]
    return of


def failures(losses):
    return sum(not loss <= 2.0 for loss in losses)


def test_without_clipping_sgd_at_lr_1_fails(losses):
    assert failures(losses("sgd, no clipping")) >= 4


def test_with_max_norm_1_it_fails_on_no_seed(losses):
    assert failures(losses("sgd, clipped")) == 0
    assert statistics.median(losses("sgd, clipped")) < 1.0


def test_a_lower_rate_without_clipping_does_better_than_clipping(losses):
    assert max(losses("sgd, lower lr")) < statistics.median(losses("sgd, clipped"))


def test_warmup_lowers_the_loss_of_clipped_adamw_at_the_edge(losses):
    assert statistics.median(losses("adamw, warmup")) < statistics.median(losses("adamw, clipped")) - 0.3
    assert failures(losses("adamw, warmup")) == 0


def test_warmup_and_cosine_lower_it_further(losses):
    assert statistics.median(losses("adamw, warmup and cosine")) < statistics.median(losses("adamw, warmup")) - 0.1


def test_a_lower_rate_without_clipping_does_as_well_as_all_three(losses):
    assert statistics.median(losses("adamw, lower lr")) < statistics.median(losses("adamw, warmup and cosine")) + 0.1
