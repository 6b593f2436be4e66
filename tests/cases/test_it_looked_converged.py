"""It looked converged: float16 loses most of a small loss's gradients; float32, bfloat16 and a loss scale do not."""

import dataclasses

import torch

from gradlab.cases import log
from gradlab.cases.it_looked_converged import CASE
from gradlab.model import cross_entropy

short = dataclasses.replace(CASE, recipe=CASE.recipe.replace(steps=40), seeds=(0, 1))


def zeros(model, dtype, scale):
    """The share of the first gradient's entries that are exactly 0."""
    batch = next(log._data(CASE.recipe))
    with torch.autocast("cpu", dtype):
        loss = cross_entropy(model(batch.inputs), batch.targets)
    (scale * loss / 10_000).backward()
    entries = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    return (entries == 0).double().mean().item()


def test_float16_stops_far_above_float32_and_bfloat16_does_not():
    full, half = short.histories(mixed=False), short.histories()
    for wide, narrow, cured in zip(full, half, short.histories(mended=True), strict=True):
        assert narrow.final_loss > wide.final_loss + 0.5
        assert abs(cured.final_loss - wide.final_loss) < 0.1


def test_no_limit_ever_acts_and_nothing_is_infinite():
    for history in short.histories():
        assert (history.norm < 1).all() and not history.diverged


def test_many_gradients_are_zero_in_float16_unless_the_loss_is_scaled():
    def share(dtype, scale=1.0):
        return zeros(log.make_model(CASE.recipe), dtype, scale)

    assert share(torch.float16) > 0.2
    assert share(torch.float16, 2.0**16) < 0.02 and share(torch.bfloat16) < 0.02


def test_the_ledger_names_it():
    assert short.finding.pitfall == CASE.pitfall
    assert short.ledger(mended=True).findings("info") == []
