"""Loops that are right raise nothing: the catalogue's list, and any loop put together from right parts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loops.legitimate import LEGITIMATE
from loops.problem import limit, mse, net, scaler, windows
from torch import nn

import gradlab
from gradlab import ledger


@pytest.mark.parametrize("loop", LEGITIMATE, ids=str)
def test_a_legitimate_loop_raises_nothing(loop):
    events = loop.program()
    assert len(events.of("step")) >= 3, "the loop was not recorded"
    assert events.findings("warn") == []
    assert {finding.pitfall for finding in events.findings("info")} <= loop.infos


def test_the_whole_list_is_here_but_for_ddp():
    assert {loop.number for loop in LEGITIMATE} == set(range(1, 38))


CLIPS = {
    "none": lambda parameters, scale: None,
    "library": lambda parameters, scale: nn.utils.clip_grad_norm_(parameters, scale),
    "gradlab": lambda parameters, scale: gradlab.ClipByGlobalNorm(scale)(parameters),
    "by hand": lambda parameters, scale: limit(list(parameters), scale),
    "measure": lambda parameters, scale: nn.utils.clip_grad_norm_(parameters, float("inf")),
}
OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.5),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    "fused": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, fused=True),
}
CLEARINGS = {
    "optimizer": lambda model, optimizer: optimizer.zero_grad(),
    "module": lambda model, optimizer: model.zero_grad(),
    "zeros": lambda model, optimizer: optimizer.zero_grad(set_to_none=False),
    "by hand": lambda model, optimizer: [setattr(p, "grad", None) for p in model.parameters()],
}
SCALERS = {
    "none": lambda: None,
    "on": lambda: scaler(512.0),
    "off": lambda: torch.amp.GradScaler("cpu", enabled=False),
}


def train(*, k, clip, optimizer, clearing, clear_first, scaling, unscale, schedule, divide, n_windows):
    """A right loop, whatever it is put together from; its ledger."""
    model = net()
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    scale = SCALERS[scaling]()
    enabled = scale is not None and scale.is_enabled()
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9) if schedule != "none" else None
    with ledger.record(model, optimizer, scale, scheduler) as events:
        for window in windows(n_windows, k):
            if clear_first:
                CLEARINGS[clearing](model, optimizer)
            for batch in window:
                loss = mse(model, batch) / k if divide == "loss" else mse(model, batch)
                (scale.scale(loss) if scale else loss).backward()
            if enabled and unscale:
                scale.unscale_(optimizer)
            if divide == "gradients":
                for p in model.parameters():
                    p.grad /= k
            CLIPS[clip](model.parameters(), 512.0 if enabled and not unscale else 1.0)
            if scale:
                scale.step(optimizer)
                scale.update()
            else:
                optimizer.step()
            if not clear_first:
                CLEARINGS[clearing](model, optimizer)
            if schedule == "update":
                scheduler.step()
        if schedule == "epoch":
            scheduler.step()
    return events


@settings(max_examples=80)
@given(k=st.integers(1, 4), clip=st.sampled_from(sorted(CLIPS)), optimizer=st.sampled_from(sorted(OPTIMIZERS)),
       clearing=st.sampled_from(sorted(CLEARINGS)), clear_first=st.booleans(), scaling=st.sampled_from(sorted(SCALERS)),
       unscale=st.booleans(), schedule=st.sampled_from(["none", "update", "epoch"]),
       divide=st.sampled_from(["loss", "gradients", "not"]), n_windows=st.integers(1, 4))
def test_a_loop_of_right_parts_raises_nothing(**parts):
    assert train(**parts).findings("info") == []
