"""Parameters that no recorded optimizer holds: whether they moved is measured and not guessed."""

import pytest
import torch
from loops.problem import batches, mse, net
from torch import nn

from gradlab import ledger
from gradlab.ledger.observe.outside import Outside


def recorded(update, steps=4, dtype=torch.float32):
    """A loop whose optimizer holds the trunk, and `update(head)` after each of its steps; its ledger."""
    model = net().to(dtype)
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for x, y in batches(steps):
            model.zero_grad()
            mse(model, (x.to(dtype), y.to(dtype))).backward()
            optimizer.step()
            update(model[2])
    return events


def add(head, amount):
    head.weight.data.view(-1)[0] += amount


def quietly(head):
    """A change that leaves no trace in versions and norms: a turn."""
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    for p in head.parameters():
        p.data.copy_(turn @ p.data)


@pytest.mark.parametrize("update, elsewhere", [
    (lambda head: None, ()),
    (lambda head: add(head, 1e-3), (2,)),
    (quietly, (2, 3)),
    (lambda head: nn.init.zeros_(head.bias), (3,)),
])
def test_what_changed_is_known_and_what_did_not_is_told(update, elsewhere):
    events = recorded(update)
    assert events.elsewhere == elsewhere
    assert [finding.evidence["n"] for finding in events.findings()] == [2 - len(elsewhere)] * (len(elsewhere) < 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_smallest_change_of_any_number_is_seen(dtype):
    def update(head):
        head.bias.data.copy_(torch.nextafter(head.bias.data, torch.full_like(head.bias, 10.0)))

    assert recorded(update, dtype=dtype).elsewhere == (3,)


def test_a_parameter_that_the_first_backward_pass_does_not_reach_is_compared_from_its_own_first_on():
    model = net()
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for i, batch in enumerate(batches(7)):
            model.zero_grad()
            (mse(model, batch) if i in (4, 6) else model[0](batch[0]).square().mean()).backward()
            optimizer.step()
            if i == 5:
                model[2].weight.data.mul_(0.5)
    assert events.elsewhere == (2,) and [finding.evidence["n"] for finding in events.findings()] == [1]


@pytest.mark.parametrize("use", ["step", "zero_grad"])
def test_what_another_optimizer_holds_is_its_business_whether_it_moves_or_not(use):
    class Patient(torch.optim.Optimizer):
        """One that waits for something before it moves."""

        def __init__(self, parameters):
            super().__init__(parameters, {"lr": 1.0})

        def step(self, closure=None):
            pass

    others = []

    def update(head):
        others[:] = others or [Patient([head.bias])]
        getattr(others[0], use)()

    assert recorded(update).elsewhere == (3,)


def test_what_has_no_bits_to_compare_is_nobodys_fault():
    outside = Outside([nn.Parameter(torch.empty(2, device="meta"))])
    outside.look([0])
    assert outside.updated == {0} and outside.seen == (0,)


def test_the_ledger_keeps_no_weights():
    parameter = nn.Parameter(torch.ones(1000))
    outside = Outside([parameter])
    outside.look([0])
    assert all(kept is None or isinstance(kept, int) or kept.numel() == 2 for kept in outside._first[0])
    outside.let_go()
    assert outside.seen == ()
