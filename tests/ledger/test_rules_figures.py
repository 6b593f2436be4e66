"""The figures that a finding quotes are those of the loop, taken where its message says they were."""

import math

import pytest
import torch
from loops.problem import batches, mse, net, norm, scaler, windows
from torch import nn

from gradlab import ledger


def sgd(lr=0.01):
    model = net()
    return model, torch.optim.SGD(model.parameters(), lr=lr)


def found(events, pitfall):
    return next(finding for finding in events.findings("info") if finding.pitfall == pitfall)


@pytest.mark.parametrize("max_norm", [0.5, 3.0])
def test_the_gradient_already_there_is_as_long_as_its_clip_left_it(max_norm):
    model, optimizer = sgd()
    scale = scaler(1024.0)
    with ledger.record(model, optimizer, scale) as events:
        first, second = batches(2)
        scale.scale(mse(model, first)).backward()
        scale.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        before = norm(model.parameters())
        scale.scale(mse(model, second)).backward()
        after = norm(model.parameters())
        scale.step(optimizer)
    evidence = found(events, "backward-after-unscale").evidence
    assert evidence["norm_a"] == pytest.approx(before, rel=1e-4) == pytest.approx(max_norm, rel=1e-4)
    assert evidence["norm_b"] == pytest.approx(after, rel=1e-4)


@pytest.mark.parametrize("scale", [None, 4.0])
def test_a_norm_that_overflowed_is_told_as_it_was_with_the_loss_scale_that_was_in_it(scale):
    model = net().half()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    times = scaler(scale) if scale else None
    with ledger.record(model, optimizer, times) as events:
        for x, y in batches(2, size=20.0):
            optimizer.zero_grad()
            loss = (model(x.half()) - y.half()).square().sum() * (250.0 / (scale or 1))
            (times.scale(loss) if times else loss).backward()
            true = norm(model.parameters())
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            break
    evidence = found(events, "low-precision-norm").evidence
    assert evidence["norm"] == math.inf and evidence["norm32"] == pytest.approx(true, rel=1e-3)
    assert evidence["coef"] == pytest.approx(1.0 / true, rel=1e-3)


def never_cleared(sizes, max_norm=None):
    """A loop without zero_grad, its batches of these sizes; its ledger and the norm each backward pass left."""
    model, optimizer = sgd()
    norms = []
    with ledger.record(model, optimizer) as events:
        for (x, y), size in zip(batches(len(sizes)), sizes, strict=True):
            mse(model, (x, y * size)).backward()
            norms.append(norm(model.parameters()))
            if max_norm:
                nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            optimizer.step()
    return found(events, "missing-zero-grad"), norms


@pytest.mark.parametrize("max_norm", [None, 1.0])
def test_a_norm_that_grew_is_compared_with_one_that_was_not_clipped_either(max_norm):
    finding, norms = never_cleared([1.0, 0.5, 3.0], max_norm)
    grown = next(i for i in (1, 2) if norms[i] > norms[0])
    assert finding.variant == "" and finding.evidence["norm_j"] == pytest.approx(norms[0])
    assert finding.evidence["norm_i"] == pytest.approx(norms[grown]) and finding.evidence["i"] == grown + 1


def test_a_norm_that_did_not_grow_is_not_said_to_have_grown():
    finding, norms = never_cleared([1.0, 0.3, 0.3], max_norm=0.1)
    assert norms[1] < norms[0] and norms[2] < norms[0]
    assert finding.variant == "sum" and finding.evidence["norm"] == pytest.approx(norms[1])


def past_the_scaler(infinite, guard=None):
    """A loop that unscales and steps by itself, with an infinite gradient in the updates `infinite`; its ledger."""
    model, optimizer = sgd()
    scale = scaler(256.0)
    with ledger.record(model, optimizer, scale) as events:
        for i, (x, y) in enumerate(batches(4)):
            optimizer.zero_grad()
            scale.scale(mse(model, (x, y * math.inf if i in infinite else y))).backward()
            scale.unscale_(optimizer)
            if guard is None or guard(norm(model.parameters())):
                optimizer.step()
            scale.update()
    return events


def test_a_step_past_the_scaler_is_an_error_once_it_used_an_overflow():
    assert found(past_the_scaler(()), "scaler-bypassed").level == "info"
    events = past_the_scaler((2,))
    finding = found(events, "scaler-bypassed")
    assert finding.level == "error" and events[finding.events[-1]].window == (2,)
    assert past_the_scaler((2,), guard=math.isfinite).findings("info") == []


def test_a_divisor_of_two_may_be_the_losss_own_and_any_other_may_not():
    def summed(divisor):
        model, optimizer = sgd()
        with ledger.record(model, optimizer) as events:
            for window in windows(3, k=6):
                optimizer.zero_grad()
                for batch in window:
                    (mse(model, batch) / divisor).backward()
                optimizer.step()
        return [(finding.pitfall, finding.level) for finding in events.findings("info")]

    assert summed(2) == [("wrong-accumulation-divisor", "info")]
    assert summed(3) == [("wrong-accumulation-divisor", "warn")]
    assert summed(6) == []
