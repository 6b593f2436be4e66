"""What an update is made of can be read off, for any loop."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradlab import plot_accumulation as charts
from gradlab.accumulation import weights_in_updates
from gradlab.memory import StepMemory


def windows(divisor=len, k=4):
    """A loop with an update for each window of `k`, its losses divided by `divisor(window)`."""
    def loop(model, optimizer, epoch, loss_fn):
        for start in range(0, len(epoch), k):
            window = epoch[start:start + k]
            optimizer.zero_grad()
            for batch in window:
                (loss_fn(model, batch) / divisor(window)).backward()
            optimizer.step()
    return loop


def leaking(model, optimizer, epoch, loss_fn):
    for i, batch in enumerate(epoch, start=1):
        (loss_fn(model, batch) / 4).backward()
        if i % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 3))
def test_a_mean_weighs_one_and_each_micro_batch_is_in_one_update(micro_batches, k, epochs):
    weights = weights_in_updates(windows(k=k), micro_batches, epochs)
    assert weights.shape == (epochs * -(-micro_batches // k), epochs * micro_batches)
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights), dtype=torch.float64))
    assert ((weights != 0).sum(0) == 1).all()


def test_an_extra_step_weighs_half_and_no_step_leaks_into_the_next_epoch():
    assert weights_in_updates(windows(lambda window: 4), 10).sum(1).tolist() == [1, 1, 0.5]
    weights = weights_in_updates(leaking, 10, epochs=2)
    assert weights.sum(1).tolist() == [1, 1, 1.5, 1]
    assert weights[2].nonzero().flatten().tolist() == [8, 9, 10, 11, 12, 13]
    assert not weights[:, 18:].any()


def test_gradients_of_ones_own_are_told_apart_too():
    gradients = torch.randn(4, 20, generator=torch.Generator().manual_seed(0))
    weights = weights_in_updates(windows(lambda window: 8), gradients)
    torch.testing.assert_close(weights, torch.full((1, 4), 1 / 8, dtype=torch.float64))


def test_a_loop_without_an_update_gives_no_row():
    assert weights_in_updates(lambda *_: None, 3).shape == (0, 3)


def by_value(model, optimizer, epoch, loss_fn):
    for batch in epoch:
        loss_fn(model, batch).backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 0.1)
    optimizer.step()


@pytest.mark.parametrize("given, epochs, error, words", [
    (0, 1, ValueError, "micro_batches must be at least 1, got 0"), (-3, 1, ValueError, "got -3"),
    (2.5, 1, TypeError, "micro_batches must be a whole number, got 2.5"), (True, 1, TypeError, "got True"),
    (4, 0, ValueError, "epochs must be at least 1"), (4, "2", TypeError, "epochs must be a whole number"),
    (torch.ones(3), 1, ValueError, r"got shape \(3,\)"), (torch.eye(3), 2, ValueError, "single epoch"),
    (torch.ones(2, 5), 1, ValueError, "depend on each other"), (torch.eye(5)[:, :3], 1, ValueError, "5 gradients of 3"),
    (torch.full((1, 2), torch.nan), 1, ValueError, "not finite")])
def test_what_cannot_be_traced_is_refused(given, epochs, error, words):
    with pytest.raises(error, match=words):
        weights_in_updates(windows(), given, epochs)


def test_an_update_that_is_no_sum_of_gradients_is_refused():
    with pytest.raises(ValueError, match="update 1 is no sum of the micro-batches' gradients"):
        weights_in_updates(by_value, torch.randn(3, 9, generator=torch.Generator().manual_seed(2)))


MEMORY = {"16": StepMemory(1, 2, 3, 4), "32": StepMemory(1, 2, 3, 8)}


@pytest.mark.parametrize("draw", [
    lambda: charts.windows({"a": [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]}, 2),
    lambda: charts.weights({"a": [0.1, 0.2]}, 0.1),
    lambda: charts.curves([1, 2], {"a": [1, 3]}, title="error", xlabel="ratio", logx=True, logy=True, level=("b", 2)),
    lambda: charts.memory(MEMORY)])
def test_a_chart_is_the_same_every_time(draw):
    one, other = draw(), draw()
    assert one.png() == other.png() and repr(one) == repr(other) and one.png()[:4] == b"\x89PNG"


def test_a_chart_of_no_updates_is_refused():
    with pytest.raises(ValueError, match="first: weights have the shape"):
        charts.windows({"first": []}, 4)
