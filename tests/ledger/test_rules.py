"""Each mistake is told by its own name, first and alone, in the numbers of the loop that made it."""

import contextlib
import math
import re
import warnings
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loops.problem import batches, limit, mse, net, scaler, windows
from loops.wrong import WRONG
from torch import nn

import gradlab
from gradlab import ledger, pitfalls
from gradlab.ledger import Ledger, rules

NOT_JUDGED = {"mean-of-means", "batch-statistics-differ", "rank-local-norm", "ddp-sync-scope"}
JUDGED = {pitfall.id for pitfall in pitfalls.CATALOGUE if pitfall.level} - NOT_JUDGED


def numbers(message: str) -> list[float]:
    found = re.findall(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?", message)
    return [float(number.replace(",", "")) for number in found]


@pytest.mark.parametrize("loop", WRONG, ids=str)
def test_a_wrong_loop_is_told_by_its_own_name_and_numbers(loop):
    events, number = loop.run()
    found = events.findings("info")
    assert found, f"nothing was found in\n{events}"
    first = found[0]
    assert (first.pitfall, first.variant) == (loop.pitfall, loop.variant), f"{found}\n{events}"
    assert any(math.isclose(quoted, number, rel_tol=1e-3) for quoted in numbers(first.message)), (first, number)
    assert first.level in (pitfalls.get(loop.pitfall).level, "info")
    assert first.message == pitfalls.get(loop.pitfall).say(first.variant, **first.evidence)
    assert first.where == events[first.events[-1]].where
    assert all(finding.level == "info" for finding in found[1:]), "one mistake is told once"


def test_every_pitfall_that_a_ledger_can_show_is_made_in_two_ways():
    made = Counter(loop.pitfall for loop in WRONG)
    assert set(made) == JUDGED
    assert min(made.values()) >= 2


def test_what_is_not_judged_is_said():
    assert all(f"`{pitfall}`" in rules.__doc__ for pitfall in NOT_JUDGED)


def test_an_unknown_level_is_refused():
    for ask in (rules.findings, Ledger.findings):
        with pytest.raises(ValueError, match="error, warn, info, got 'warning'"):
            ask(Ledger(), "warning")


def test_nothing_is_told_of_nothing():
    assert rules.findings(Ledger(), "info") == []


def train(updates=4, *, k=1, clip=None, scale=None, size=10.0, guard=None, schedule=False, lr=0.001):
    """A loop in the right order around a `clip`; its ledger."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9) if schedule else None
    with ledger.record(model, optimizer, scale, scheduler) as events, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of a scheduler whose first steps were skipped
        for i, window in enumerate(windows(updates, k)):
            optimizer.zero_grad()
            for x, y in window:
                y = y * (math.inf if guard and guard(i) else size / 10)
                loss = mse(model, (x, y))
                (scale.scale(loss) if scale else loss).backward()
            if clip:
                clip(list(model.parameters()))
            if scale:
                scale.step(optimizer)
                scale.update()
            else:
                optimizer.step()
            if scheduler:
                scheduler.step()
    return events


def ids(events, level="warn"):
    return [finding.pitfall for finding in events.findings(level)]


@pytest.mark.parametrize("max_norm, found", [(9.9, ["clip-before-unscale"]), (10.24, []), (1024.0, [])])
def test_a_limit_from_a_hundredth_of_the_scale_up_is_taken_for_a_scaled_one(max_norm, found):
    events = train(clip=lambda p: nn.utils.clip_grad_norm_(p, max_norm), scale=scaler(1024.0))
    assert ids(events) == found


@pytest.mark.parametrize("updates, found", [(19, []), (20, ["always-clipped"])])
def test_a_share_is_told_of_twenty_updates_at_least(updates, found):
    events = train(updates, clip=lambda p: nn.utils.clip_grad_norm_(p, 0.01))
    assert ids(events, "info") == found


@pytest.mark.parametrize("skips, level", [(2, "info"), (3, "warn")])
def test_two_skipped_steps_are_a_scale_that_settles(skips, level):
    events = train(12, scale=scaler(), guard=lambda i: i < skips, schedule=True)
    found, = events.findings("info")
    assert (found.pitfall, found.variant, found.level) == ("scheduler-wrong-clock", "on-skipped-step", level)
    assert found.evidence["n_skip"] == skips


def test_a_missing_division_is_not_told_for_a_sum_may_be_meant():
    assert ids(train(k=4), "info") == []


def test_a_clip_by_an_empty_list_is_right_where_nothing_has_a_gradient():
    model = net().requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with ledger.record(model, optimizer) as events:
        for _ in range(3):
            nn.utils.clip_grad_norm_([], 1.0)
            optimizer.step()
    assert ids(events, "info") == []


def test_a_clip_too_early_is_no_harm_where_another_comes_in_time():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.zero_grad()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            mse(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    assert ids(events, "info") == []


@pytest.mark.parametrize("level, least", [("error", 0), ("warn", 1), ("info", 2)])
def test_a_level_lets_through_itself_and_what_is_above_it(level, least):
    for loop in WRONG[::7]:
        events, _ = loop.run()
        everything = rules.findings(events, "info")
        assert rules.findings(events, level) == [finding for finding in everything
                                                 if rules.LEVELS.index(finding.level) <= least]


@pytest.mark.parametrize("clip, scale, root", [
    (lambda p: nn.utils.clip_grad_norm_(p, 1.0), 1024.0, "clip-before-unscale"),
    (lambda p: nn.utils.clip_grad_norm_(p, 0.0), None, "max-norm-not-positive"),
    (lambda p: nn.utils.clip_grad_value_(p, 0.0), None, "max-norm-not-positive"),
])
def test_what_follows_from_a_mistake_is_not_told_beside_it(clip, scale, root):
    assert ids(train(21, clip=clip, scale=scale and scaler(scale)), "info") == [root]


CALLS = {
    "Z": lambda m, o, s, r: o.zero_grad(),
    "z": lambda m, o, s, r: m.zero_grad(set_to_none=False),
    "B": lambda m, o, s, r: mse(m, batches(1)[0]).backward(),
    "b": lambda m, o, s, r: s.scale(mse(m, batches(1)[0]) / 2).backward(),
    "i": lambda m, o, s, r: (mse(m, batches(1)[0]) * math.inf).backward(),
    "U": lambda m, o, s, r: s.unscale_(o),
    "C": lambda m, o, s, r: nn.utils.clip_grad_norm_(m.parameters(), 1.0),
    "c": lambda m, o, s, r: gradlab.ClipByGlobalNorm(1.0, nonfinite="torch")(m[2].parameters()),
    "h": lambda m, o, s, r: limit(list(m.parameters()), 1.0),
    "0": lambda m, o, s, r: nn.utils.clip_grad_norm_([], 1.0),
    "V": lambda m, o, s, r: nn.utils.clip_grad_value_(m.parameters(), 0.1),
    "E": lambda m, o, s, r: [p.grad.mul_(0.5) for p in m.parameters() if p.grad is not None],
    "S": lambda m, o, s, r: o.step(),
    "p": lambda m, o, s, r: s.step(o),
    "P": lambda m, o, s, r: s.update(),
    "L": lambda m, o, s, r: r.step(),
}


@settings(max_examples=150)
@given(st.text(sorted(CALLS), max_size=25))
def test_whatever_the_order_of_calls_rules_come_to_an_end_and_tell_each_thing_once(order):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    scale, scheduler = scaler(64.0), torch.optim.lr_scheduler.StepLR(optimizer, 3)
    with ledger.record(model, optimizer, scale, scheduler) as events, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in order:
            with contextlib.suppress(RuntimeError, AssertionError):  # torch refuses some orders
                CALLS[call](model, optimizer, scale, scheduler)
    found = events.findings("info")
    assert max(Counter((f.pitfall, f.variant) for f in found).values(), default=1) == 1
    assert [f.level == "info" for f in found] == sorted(f.level == "info" for f in found)
    assert all(f.events == tuple(sorted(f.events)) and f.events[-1] < len(events) for f in found)
