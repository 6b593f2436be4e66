"""Clipping was on: the limit is 1, and the run explodes as if it were not there."""

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches, max_norm=1.0):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        optimizer.step()

        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


def mended(model, batches, max_norm=1.0):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


CASE = Case(
    name="clipping-was-on",
    title="Clipping was on",
    brief=(
        "All five trainers of a public library for graph networks have an option that clips the gradient; it \"can "
        "enhance training stability\", says its documentation. It had been there for two years before an issue about "
        "it was opened. Here is that loop with our model: plain SGD at learning rate 1, the option set to 1, and in "
        "the log the norm that the clipping call returns. The run explodes, and with a hundredth of the limit it "
        "explodes in the same way, to the last digit."),
    question="Clipping is on, with `max_norm` 1, and the run explodes all the same. What is wrong?",
    suspects=("missing-zero-grad", "reported-norm-is-pre-clip", "clip-after-step", "exhausted-parameters"),
    pitfall="clip-after-step",
    program=loop,
    mended=mended,
    shows=(
        "The clip does its work, and nobody ever uses it: the optimizer has stepped already, and the next thing that "
        "happens to the clipped gradient is `zero_grad`. So the limit can be anything. Loss and weights are those of "
        "the run without clipping, to the last bit."),
    report=(
        "GraphStorm, of AWS Labs. `--max-grad-norm` was added in September 2023, after the step; the issue that says "
        "so was opened in December 2025. A pull request found the same order in all five trainers: the option "
        "\"silently does nothing\". The issue tells of no lost run. Somebody had read the code."),
    threads=("awslabs/graphstorm#1366", "awslabs/graphstorm#1382", "awslabs/graphstorm#404"),
    recipe=Recipe(steps=50),
    arms={"max_norm 0.01": {"max_norm": 0.01}, "max_norm 1": {}},
    recorded=range(10, 13),  # by then the norms are above the limit
    look={"threshold": 1.0, "top": 5.0},
)
