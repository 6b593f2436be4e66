"""It looked converged: a small loss in float16, most of whose gradients are gone before the optimizer looks."""

import torch

from gradlab.cases.case import Case
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe


def loop(model, batches, mixed=True):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    for batch in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16, enabled=mixed):
            loss = cross_entropy(model(batch.inputs), batch.targets)
        (loss / 10_000).backward()  # its weight among other losses, which we have left out
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


def mended(model, batches, mixed=True):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    for batch in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = cross_entropy(model(batch.inputs), batch.targets)
        (loss / 10_000).backward()  # its weight among other losses, which we have left out
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

        yield {"loss": loss.item(), "norm": norm.item()}  # a line of the log


CASE = Case(
    name="it-looked-converged",
    title="It looked converged",
    brief=(
        "In July 2026 somebody read the training script of an open model that learns several tasks at once, and wrote "
        "a warning: \"There is no error, no NaN, no warning: the loss curve just flattens earlier than it should\". "
        "The losses of some tasks are much smaller than those of others. Here is that loop with our model and AdamW, "
        "and with a loss that has a ten-thousandth of its usual weight. In float32 it learns nearly as well as with "
        "full weight, since AdamW does not mind a common factor. With autocast it stops far above."),
    question="With autocast the loss flattens far above where float32 brings it. No update is clipped. What is wrong?",
    suspects=("low-precision-norm", "scaler-dtype-mismatch", "max-norm-not-positive", "optimizer-set-mismatch"),
    pitfall="scaler-dtype-mismatch",
    program=loop,
    mended=mended,
    shows=(
        "Autocast computes in float16, whose smallest number is about 6 hundred-millionths. The gradients of the "
        "layers' outputs are float16 as well, and with so small a loss many of them are smaller than that: they "
        "become 0 on their way down, and the layers below learn from what is left. The norm in the log is the length "
        "of what arrived and says nothing of what got lost: in the first line, with the same weights, it is larger "
        "than float32's. The clip never acts, and the gradients of the weights are float32. In bfloat16, which has "
        "the range of float32, nothing is lost; a GradScaler would have saved float16, too."),
    report=(
        "The script entered autocast without naming a dtype, which on a GPU means float16, and had no GradScaler. A "
        "flat curve, says the report, reads as \"the model converged\". It proposes bfloat16 where the GPU has it. The "
        "opposite happens as well: accelerate and SAELens had a GradScaler where everything ran in bfloat16, and took "
        "it out again, in 2023 and in 2026."),
    threads=("engichang1467/Open-Rig3R#35", "huggingface/accelerate#1036", "decoderesearch/SAELens#723"),
    recipe=Recipe(steps=60, n_layers=2),
    arms={"float32": {"mixed": False}, "float16": {}},
)
