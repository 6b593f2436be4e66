"""Sharpness-aware minimisation: two backward passes and a shift of the weights for each update."""


import torch
from torch import nn

from gradlab import ledger
from loops.loop import legitimate
from loops.problem import batches, mse, net, norm, windows


@legitimate(23, "SAM")
def sharpness_aware():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    with ledger.record(model, optimizer) as events:
        for batch in batches(5):
            mse(model, batch).backward()
            with torch.no_grad():
                factor = 0.05 / norm(model.parameters())
                shifts = [p.grad * factor for p in model.parameters()]
                torch._foreach_add_(list(model.parameters()), shifts)
            optimizer.zero_grad()
            mse(model, batch).backward()
            with torch.no_grad():
                torch._foreach_sub_(list(model.parameters()), shifts)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return events


@legitimate(23, "SAM over an accumulated window")
def sharpness_aware_accumulated():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with ledger.record(model, optimizer) as events:
        for window in windows(4, k=2):
            for batch in window:
                (mse(model, batch) / 2).backward()
            with torch.no_grad():
                factor = 0.05 / norm(model.parameters())
                shifts = [p.grad * factor for p in model.parameters()]
                torch._foreach_add_(list(model.parameters()), shifts)
            optimizer.zero_grad()
            for batch in window:
                (mse(model, batch) / 2).backward()
            with torch.no_grad():
                torch._foreach_sub_(list(model.parameters()), shifts)
            optimizer.step()
            optimizer.zero_grad()
    return events


class SharpnessAware(torch.optim.Optimizer):
    """SAM as it is mostly published: an optimizer around another, stepped with a closure."""

    def __init__(self, parameters, base, rho=0.05, **options):
        super().__init__(parameters, dict(rho=rho, **options))
        self.base = base(self.param_groups, **options)

    @torch.no_grad()
    def step(self, closure):
        parameters = [p for group in self.param_groups for p in group["params"]]
        shifts = [p.grad * (0.05 / norm(parameters)) for p in parameters]
        torch._foreach_add_(parameters, shifts)
        self.zero_grad()
        with torch.enable_grad():
            closure()
        torch._foreach_sub_(parameters, shifts)
        self.base.step()
        self.zero_grad()


@legitimate(23, "SAM as an optimizer with a closure")
def sharpness_aware_optimizer():
    model = net()
    optimizer = SharpnessAware(model.parameters(), torch.optim.SGD, lr=0.01)
    with ledger.record(model, optimizer) as events:
        for batch in batches(4):
            def closure(batch=batch):
                loss = mse(model, batch)
                loss.backward()
                return loss
            closure()
            optimizer.step(closure)
    return events


@legitimate(23, "the same, with the inner optimizer recorded")
def sharpness_aware_inside():
    model = net()
    optimizer = SharpnessAware(model.parameters(), torch.optim.SGD, lr=0.01)
    with ledger.record(model, optimizer.base) as events:
        for batch in batches(4):
            def closure(batch=batch):
                loss = mse(model, batch)
                loss.backward()
                return loss
            closure()
            optimizer.step(closure)
    return events
