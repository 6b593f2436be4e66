"""The loss stays: gradients arrive, the optimizer steps, and the model is what it was."""

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for module in model.modules():  # prepare the model for several GPUs
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, torch.nn.Parameter(weight.detach().clone()))

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


def mended(model, batches):
    for module in model.modules():  # prepare the model for several GPUs
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, torch.nn.Parameter(weight.detach().clone()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    for batch in batches:
        optimizer.zero_grad()
        loss = cross_entropy(model(batch.inputs), batch.targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


CASE = Case(
    name="loss-stays",
    title="The loss stays",
    brief=(
        "\"Model not learning during training, loss stays constant\" is the title of an issue of April 2024. Its "
        "author trained with FSDP, which cuts a model up for several GPUs; two others asked in autumn how it was "
        "solved. Here is such a loop with our model and AdamW. No gradient vanishes: every line of the log has a norm "
        "of a half or more. Nothing fails, and nothing warns."),
    question="The gradient is long enough, the optimizer steps, and the loss stays where it began. What is wrong?",
    suspects=("missing-zero-grad", "optimizer-set-mismatch", "zero-grad-before-step", "max-norm-not-positive"),
    pitfall="optimizer-set-mismatch",
    program=loop,
    mended=mended,
    shows=(
        "The optimizer was made first, and holds the parameters that the model had then. The preparation puts new ones "
        "in their place, with the same values. From then on the model computes with the new ones, `backward` leaves "
        "gradients in the new ones, and the optimizer steps with the old ones, which have none. Nor does `zero_grad` "
        "reach the new ones: the clip cuts their gradient to 1, the next one is added, and so on. The two lines of "
        "preparation stand for what a wrapper does that cuts the weights up for several GPUs."),
    report=(
        "The author of that issue found a setting that cured it and gave no reason. In November 2024 the makers of a "
        "tracing tool looked at such a run: the optimizer's `step` changed no parameter, and every gradient was "
        "already None when its `zero_grad` came. The cause was that the wrapper flattened the model's parameters after "
        "the optimizer was made. The same mistake with an embedding that was resized too late cost somebody \"a couple "
        "of hours\" in 2020; there only one table stood still."),
    threads=("huggingface/accelerate#3256", "huggingface/accelerate#2665", "huggingface/transformers#3532"),
    recipe=Recipe(steps=30),
)
