"""Updates, clearings and schedules belong to the optimizer that makes them."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import lr_scheduler
from two_layers import kinds, loss, make, norm

from gradlab.ledger import Backward, ZeroGrad, record


def test_a_closure_is_seen_inside_its_step():
    model, _ = make()
    lbfgs = torch.optim.LBFGS(model.parameters(), max_iter=3)

    def closure():
        lbfgs.zero_grad()
        value = loss(model)
        value.backward()
        return value

    with record(model, lbfgs) as events:
        lbfgs.step(closure)
        lbfgs.zero_grad()
    inside = [event for event in events if event.in_step]
    assert len(inside) >= 4 and {type(event) for event in inside} == {ZeroGrad, Backward}
    assert kinds(events)[len(inside):] == ["step", "zero_grad"]
    assert not any(event.lost for event in events.of("zero_grad")), "the step used what its closure made"


def test_moved_is_how_far_the_weights_went():
    model, sgd = make()
    with record(model, sgd, moved=True) as events:
        loss(model).backward()
        before = [p.detach().clone() for p in model.parameters()]
        sgd.step()
    ways = [(p - q).norm().item() for p, q in zip(model.parameters(), before, strict=True)]
    assert events[-1].moved == pytest.approx(math.hypot(*ways), rel=1e-4) and any(ways)


def test_each_optimizer_has_its_own_window():
    model, _ = make()
    one, two = torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.Adam(model[2].parameters(), lr=0.2)
    with record(model, [one, two]) as events:
        loss(model).backward()
        one.step()
        loss(model).backward()
        one.step()
        two.step()
    assert [event.window for event in events] == [(0, 0), (0, 0), (1, 0), (1, 0), (2, 0)]
    assert [(event.optimizer, event.parameters, event.lr) for event in events.of("step")] == [
        (0, (0, 1), (0.1,)), (0, (0, 1), (0.1,)), (1, (2, 3), (0.2,))]
    assert [len(window) for window in events.windows(0)] == [2, 2, 1] and [len(w) for w in events.windows(1)] == [5]


def test_the_norm_of_an_update_is_over_what_its_optimizer_holds():
    model, _ = make()
    part = torch.optim.SGD(model[0].parameters(), lr=0.1)
    with record(model, part) as events:
        loss(model).backward()
        clip_grad_norm_(model.parameters(), 0.1)
        expected = norm(model[0])
        part.step()
    assert events[-1].norm == pytest.approx(expected, rel=1e-4) and events[-1].norm < 0.099


def test_steps_of_optimizers_that_were_not_given_are_no_events():
    model, sgd = make()
    other = torch.optim.SGD(model.parameters(), lr=0.1)
    with record(model, sgd) as events:
        loss(model).backward()
        other.step()
        sgd.step()
    assert kinds(events) == ["backward", "step"]


def test_the_norm_of_an_update_is_that_before_it_whatever_the_optimizer_does():
    class Greedy(torch.optim.SGD):
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad.mul_(100)
            return super().step(closure)

    model, _ = make()
    greedy = Greedy(model.parameters(), lr=1e-6)
    with record(model, greedy) as events:
        loss(model).backward()
        before = norm(model)
        greedy.step()
        greedy.step()
    assert kinds(events) == ["backward", "step", "step"]
    assert [event.norm for event in events.of("step")] == pytest.approx([before, 100 * before])


def test_whoever_clears_a_gradient_clears_it():
    model, sgd = make()
    other = torch.optim.SGD([model[0].weight], lr=0.1)
    with record(model, sgd) as events:
        loss(model).backward()
        other.zero_grad()
        model[2].zero_grad()
        nn.Linear(2, 2).zero_grad()
    assert [(event.how, event.parameters) for event in events.of("zero_grad")] == [
        ("optimizer", (0,)), ("module", (2, 3))]


@pytest.mark.parametrize("set_to_none", [True, False])
@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"fused": True}])
def test_clearing_to_none_or_to_zeros(set_to_none, options):
    model, sgd = make(**options)
    with record(model, sgd) as events:
        loss(model).backward()
        sgd.zero_grad(set_to_none=set_to_none)
    assert kinds(events) == ["backward", "zero_grad"]
    assert events[1].parameters == (0, 1, 2, 3) and events[1].lost == (0,)


def test_methods_that_a_class_overrides_without_calling_torch_s_are_seen():
    class Own(torch.optim.SGD):
        def zero_grad(self, set_to_none=True):
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad = None

    class Scheduler(lr_scheduler.LRScheduler):
        def step(self):
            if hasattr(self, "began"):
                self.optimizer.param_groups[0]["lr"] = 0.5
            self.began = True
            self._last_lr = [0.5]

    model, _ = make()
    own = Own(model.parameters(), lr=0.1)
    scheduler = Scheduler(own)
    with record(model, own, scheduler=scheduler) as events:
        loss(model).backward()
        own.step()
        own.zero_grad()
        scheduler.step()
    assert kinds(events) == ["backward", "step", "zero_grad", "schedule"]
    assert events[2].how == "optimizer" and events[2].after is None and events[3].lr == (0.5,)


def test_an_optimizer_around_another_that_never_called_its_base_class():
    class Around(torch.optim.Optimizer):
        def __init__(self, inner):
            self.inner, self.param_groups = inner, inner.param_groups

        def step(self, closure=None):
            if closure == "raise":
                raise ValueError("no")
            return self.inner.step(closure)

    model, sgd = make()
    around = Around(sgd)
    with record(model, around) as events:
        loss(model).backward()
        around.step()
        with pytest.raises(ValueError, match="no"):
            around.step("raise")
        loss(model).backward()
        around.step()
    assert kinds(events) == ["backward", "step", "backward", "step"]
    assert not any(event.in_step for event in events) and events[-1].window == (1,)
    assert "__wrapped__" not in vars(Around.step)


SCHEDULES = {
    "StepLR": lambda sgd: lr_scheduler.StepLR(sgd, 1),
    "LambdaLR": lambda sgd: lr_scheduler.LambdaLR(sgd, lambda step: 1 / (step + 1)),
    "ReduceLROnPlateau": lambda sgd: lr_scheduler.ReduceLROnPlateau(sgd, patience=0),
    "CosineAnnealingWarmRestarts": lambda sgd: lr_scheduler.CosineAnnealingWarmRestarts(sgd, 3),
    "SequentialLR": lambda sgd: lr_scheduler.SequentialLR(
        sgd, [lr_scheduler.ConstantLR(sgd), lr_scheduler.ExponentialLR(sgd, 0.5)], [1]),
    "ChainedScheduler": lambda sgd: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(sgd), lr_scheduler.ExponentialLR(sgd, 0.5)]),
    "OneCycleLR": lambda sgd: lr_scheduler.OneCycleLR(sgd, 0.5, total_steps=9),
    "SWALR": lambda sgd: torch.optim.swa_utils.SWALR(sgd, 0.05),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_scheduler_moves_once_a_step_and_not_when_it_is_made(name):
    model, sgd = make(momentum=0.9)
    with record(model, sgd) as events:
        schedule = SCHEDULES[name](sgd)
        assert len(events) == 0
        for _ in range(3):
            loss(model).backward()
            sgd.step()
            before = sgd.param_groups[0]["lr"]
            schedule.step(*([1.0] if name == "ReduceLROnPlateau" else []))
            assert (events[-1].before, events[-1].lr) == ((before,), (sgd.param_groups[0]["lr"],))
    assert kinds(events) == ["backward", "step", "schedule"] * 3
    assert {event.scheduler for event in events.of("schedule")} == {name}


def test_a_scheduler_of_one_s_own_is_seen_when_it_is_given():
    class Halving:
        def __init__(self, optimizer):
            self.groups = optimizer.param_groups

        def step(self):
            for group in self.groups:
                group["lr"] /= 2

    model, sgd = make()
    schedule = Halving(sgd)
    with record(model, sgd, scheduler=schedule) as events:
        schedule.step()
    assert [(e.scheduler, e.before, e.lr) for e in events] == [("Halving", (0.1,), (0.05,))]
    assert "step" in vars(Halving) and Halving.step.__name__ == "step" and not hasattr(Halving.step, "__wrapped__")
