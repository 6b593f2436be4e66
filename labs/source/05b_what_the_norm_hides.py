# %% [markdown]
# # Vanishing and exploding, part two: what the norm hides
#
# When a small gradient does no harm, how to measure one without being fooled, and what clipping cannot mend.
#
# *About 60 minutes, with two exercises and two case files. A CPU is enough; no cell takes more than some seconds.*
#
# This notebook is stored with the results of our own run. Clear them before you begin (*Edit → Clear Outputs of All
# Cells*), so that nothing answers for you.
#
# ## 1 · A run that stands still
#
# Multiply the loss by a small number, and every gradient shrinks with it. Here the loss of the usual model is multiplied by
# 0.0001, and it is trained with SGD:

# %%
import math

import numpy as np
import torch
from IPython.display import display
from torch import nn
from torch.utils.checkpoint import checkpoint

from gradlab import (
    Recipe,
    cases,
    check,
    claim,
    depth,
    exercises,
    explore,
    plot,
    predict,
    recall,
    run_seeds,
)
from gradlab.data import NumberWords, lowest_loss
from gradlab.model import cross_entropy
from gradlab.train import make_model

torch.set_num_threads(1)  # tensors this small gain nothing from a second thread
SEEDS = range(5)  # for what takes milliseconds; training runs have three
short = Recipe(steps=40, max_norm=None)  # SGD, no clipping
small = {
    "SGD": run_seeds(short, 3),
    "SGD, loss × 0.0001": run_seeds(short.replace(loss_weight=1e-4), 3),
}


def ends(label):
    return np.array([history.final_loss for history in small[label]])


claim("SGD: all 3 end below 1.5", ends("SGD").max() < 1.5)
claim(
    "loss × 0.0001: SGD has learnt nothing, all 3 above 3.3",
    ends("SGD, loss × 0.0001").min() > 3.3,
)
plot.runs(small, ["loss", "norm_before"], floor=lowest_loss(), top=4)

# %% [markdown]
# (The chart shows the loss before the multiplication.) The gradient is a ten-thousandth of what it was, and so is every
# step. Has it vanished? Now the same with AdamW, which divides the gradient by a running size of it.

# %% tags=["hide-input"]
whose = predict(
    "AdamW, the loss multiplied by 0.0001, so that all gradients are a ten-thousandth:",
    {
        "it learns nothing either": "The gradients are as short as SGD's.",
        "it learns, but much more slowly": "A part of the gradient would be lost.",
        "it learns as if nothing had been done": "The factor is in the gradient and in the size that it is divided by.",
    },
)
whose

# %%
adam = short.replace(optimizer="adamw", lr=0.01)
for weight, name in [
    (1.0, "AdamW"),
    (1e-4, "AdamW, loss × 0.0001"),
    (1e-6, "AdamW, loss × 0.000001"),
    (1e-9, "AdamW, loss × 0.000000001"),
]:
    small[name] = run_seeds(adam.replace(loss_weight=weight), 3)
small["SGD, loss × 0.0001, lr × 10,000"] = run_seeds(
    short.replace(loss_weight=1e-4, lr=short.lr * 1e4), 3
)
claim(
    "AdamW does not notice 0.0001 (medians within 0.1)",
    abs(np.median(ends("AdamW, loss × 0.0001")) - np.median(ends("AdamW"))) < 0.1,
)
claim(
    "at 0.000001 AdamW is slower, and learns (all between 0.9 and 2)",
    0.9 < ends("AdamW, loss × 0.000001").min() < ends("AdamW, loss × 0.000001").max() < 2,
)
claim(
    "SGD with 10,000 times the learning rate ends where it did (each seed within 0.1)",
    abs(ends("SGD, loss × 0.0001, lr × 10,000") - ends("SGD")).max() < 0.1,
)
claim(
    "at 0.000000001 it learns next to nothing (all above 2.8)",
    ends("AdamW, loss × 0.000000001").min() > 2.8,
)
display(whose.reveal("it learns as if nothing had been done"))
plot.runs(
    {
        "× 1": small["AdamW"],
        "× 0.0001": small["AdamW, loss × 0.0001"],
        "× 0.000001": small["AdamW, loss × 0.000001"],
    },
    ["loss", "update_ratio"],
    floor=lowest_loss(),
    top=4,
)

# %% [markdown]
# On the right is the length of each update, as a share of the weights'. The first two have gradients ten thousand times
# apart, and nearly the same updates. The third, with a millionth, learns more slowly; at a billionth (not drawn) AdamW
# stands nearly still. Find out for yourself where it gives up: choose optimizer and loss weight, press **Reset** and
# **Run**. And which learning rate brings SGD back?

# %%
explore(
    adam.replace(loss_weight=1e-6),
    "optimizer",
    "loss_weight",
    pinned={"AdamW, loss × 0.0001, seed 0": small["AdamW, loss × 0.0001"][0]},
    ranges={"lr": (1e-3, 1e5)},
    floor=lowest_loss(),
)

# %% [markdown]
# <details><summary>What there is to see</summary> SGD comes back when its learning rate is as many times larger as the
# loss is smaller: only the product counts. AdamW is slower with each power of ten below a millionth, and two of them
# leave next to nothing.</details>
#
# Where does it begin to matter for AdamW? It divides by the running size of the gradient plus $\varepsilon = 10^{-8}$. Take a
# single weight with the same gradient at each of 100 updates:


# %%
def moved(gradient, kind):
    weight = torch.zeros(1, requires_grad=True, dtype=torch.float64)
    optimizer = kind([weight], lr=1e-3)
    for _ in range(100):
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
    return abs(weight.item())


for gradient, share in [
    (1e-6, 0.99),
    (1e-7, 0.91),
    (1e-8, 0.5),
    (1e-9, 0.091),
    (1e-10, 0.0099),
]:
    check(
        f"gradient {gradient:g}: Adam's way as a share of that with 1",
        moved(gradient, torch.optim.Adam) / moved(1.0, torch.optim.Adam),
        share,
    )
check("SGD with 1e-6", moved(1e-6, torch.optim.SGD) / moved(1.0, torch.optim.SGD), 1e-6)

# %% [markdown]
# So there is no norm below which a gradient has vanished. What counts is the update that the optimizer makes of it.
# Adam makes the same update until the gradients come near its $\varepsilon$; with the loss times a millionth, single
# gradients are a few billionths and less, and it slows down. (A trend through depth is another matter. Adam scales up
# what arrives in the first layers, noise included.)
#
# ## 2 · Measuring it yourself
#
# A profile, as in the first part, takes four lines: after `backward()`, the norm of the gradients of each block's
# matrices. Why only of the matrices? Look at what biases get, in layers that are in order:

# %%
bare = Recipe(
    n_layers=6, residual=False, norm="none"
)  # the model that did not learn in part one
model, batch = make_model(bare), next(NumberWords(seed=0))
cross_entropy(model(batch.inputs), batch.targets).backward()
norms = []
for block in model.blocks:
    gradients = [p.grad for p in block.parameters() if p.dim() >= 2]  # the matrices
    norms.append(math.sqrt(sum(float(g.double().square().sum()) for g in gradients)))
claim("the last is more than 100,000 times the first", norms[-1] > 1e5 * norms[0])

parts = {
    "query bias": [],
    "key bias": [],
    "value bias": [],
    "convolution, bias": [],
    "its weights": [],
}
for seed in SEEDS:
    torch.manual_seed(seed)
    attention, data = nn.MultiheadAttention(32, 4, batch_first=True), torch.randn(8, 16, 32)
    nn.init.normal_(attention.in_proj_bias)
    attention(data, data, data)[0].square().sum().backward()
    picture = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)
    )
    picture(torch.randn(16, 3, 8, 8)).square().sum().backward()
    found = [
        *attention.in_proj_bias.grad.chunk(3),
        picture[0].bias.grad,
        picture[0].weight.grad,
    ]
    for name, gradient in zip(parts, found, strict=True):
        parts[name].append(float(gradient.norm()))
claim(
    "the key bias has a gradient below 0.001 on each of 5 seeds",
    max(parts["key bias"]) < 1e-3,
)
claim(
    "the query bias has one above 5, the value bias above 100",
    min(parts["query bias"]) > 5 and min(parts["value bias"]) > 100,
)
claim(
    "a convolution's bias before batch norm: below 0.001",
    max(parts["convolution, bias"]) < 1e-3,
)
claim("the weights of the same convolution: above 5", min(parts["its weights"]) > 5)

# %% [markdown]
# Some gradients are **zero by construction**, in the healthiest model. The bias of the keys adds the same number to all
# scores of a query, and softmax does not see a number that is added to all. A bias before a batch norm is subtracted again
# with the mean. What is measured there, a few hundred-thousandths at most, is rounding. A monitor that raises an alarm at
# the smallest gradient of all parameters will raise it here.
#
# ### Exercise 1: a verdict that is not fooled
#
# *12 minutes.* Layer by layer, with frozen layers, a convolution, structural zeros, one NaN, and a loss
# so small that every gradient is.


# %%
def judge_depth(layers, factor):
    """Return (norms, verdict) for a list of modules, the first next to the input; backward() has run.

    norms: for each layer the L2 norm of the gradients of its matrices (two dimensions or more)
    together, and None where no matrix has a gradient. verdict: "non-finite" if a norm is; else
    "vanishing" if the last norm is more than `factor` times the first, "exploding" if the first is
    more than `factor` times the last, otherwise "fine". Layers with None have no part in it.
    """
    # BEGIN SOLUTION
    norms = []
    for layer in layers:
        grads = [p.grad for p in layer.parameters() if p.dim() >= 2 and p.grad is not None]
        squares = [float(grad.double().square().sum()) for grad in grads]
        norms.append(math.sqrt(sum(squares)) if grads else None)
    known = [norm for norm in norms if norm is not None]
    if not all(math.isfinite(norm) for norm in known):
        return norms, "non-finite"
    if known[-1] > factor * known[0]:
        return norms, "vanishing"
    if known[0] > factor * known[-1]:
        return norms, "exploding"
    return norms, "fine"
    # END SOLUTION


# %%
exercises.get("layer-norms").check(judge_depth)


# %% [markdown]
# ## 3 · What clipping cannot mend
#
# Three gradients are clipped to length 1: a short one, one with a NaN, one with an infinity. And a loss that is finite, at
# the root of 0.


# %%
def clipped_to_one(values):
    weight = torch.zeros(1000, requires_grad=True)
    weight.grad = torch.full((1000,), 0.001)
    weight.grad[: len(values)] = torch.tensor(values)
    torch.nn.utils.clip_grad_norm_([weight], max_norm=1.0)
    return weight.grad


tiny = clipped_to_one([0.001])
claim(
    "a gradient of norm 0.03 is left as it is", torch.equal(tiny, torch.full((1000,), 0.001))
)
check(
    "one NaN among 1000: entries that are NaN after the clip",
    clipped_to_one([math.nan]).isnan().sum(),
    1000,
    rtol=0,
)
spoilt = clipped_to_one([math.inf])
check("one infinity: entries that are NaN after it", spoilt.isnan().sum(), 1, rtol=0)
check("and entries that are 0", (spoilt == 0).sum(), 999, rtol=0)
root = torch.zeros(1, requires_grad=True)
torch.sqrt(root).sum().backward()
claim(
    "sqrt(0) is 0 and its gradient infinite: a finite loss proves nothing",
    bool(root.grad.isinf()),
)

# %% [markdown]
# Clipping shortens. It lengthens nothing, so it is no help where gradients vanish. And what is infinite or not a
# number, it spreads: an infinite norm makes the factor 0, and 0 times infinity is NaN. Such a step has to be left out,
# without a trace: the next batch is probably fine.
#
# ### Exercise 2: leave it out
#
# *10 minutes.* Your function is called for one batch after another, with optimizers that remember.
#
# Below it are two **case files**, mistakes from public projects, rebuilt around our model and really run. Read the trace
# and the code, commit a diagnosis, and only then run the cell below, which gives the verdict.


# %%
def guarded_step(model, optimizer, loss, max_norm):
    """One update with the clipped gradient of `loss`; True if it was made.

    If any entry of the gradient is infinite or NaN, return False and leave weights and optimizer as
    they are. What one call leaves in `.grad` is there when the next begins; frozen layers have None.
    """
    # BEGIN SOLUTION
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    if not torch.isfinite(norm):
        return False
    optimizer.step()
    return True
    # END SOLUTION


# %%
exercises.get("skip-nonfinite").check(guarded_step)

# %%
first_case = cases.get("one-bad-batch")
display(first_case, first_case.trace(), first_case.diagnose(), first_case.loop())

# %%
display(first_case.ledger(), *first_case.verdict())

# %%
second_case = cases.get("loss-stays")
display(second_case, second_case.trace(), second_case.diagnose(), second_case.loop())

# %%
display(second_case.ledger(), *second_case.verdict())

# %% [markdown]
# ## 4 · Checkpointing: memory, not gradients
#
# Deep models keep what each layer computed, because the backward pass needs it. *Gradient checkpointing* throws it away
# and computes each block a second time on the way back. It is sometimes named among the cures for vanishing gradients.
# Count what it does, with eight blocks:


# %%
def remembered(again):
    """Calls of blocks, bytes kept for the backward pass, and the gradients; with or without checkpointing."""
    model, batch = make_model(Recipe(n_layers=8)), next(NumberWords(0))
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept, calls = {}, []

    def keep(tensor):  # called by autograd for each tensor that the backward pass will need
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    for block in model.blocks:
        block.register_forward_pre_hook(lambda *_: calls.append(1))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        state = model.token(batch.inputs) + model.position.weight[: batch.inputs.shape[1]]
        for block in model.blocks:
            if again:
                keep(state)  # a checkpoint holds the block's input
                state = checkpoint(block, state, use_reentrant=False)
            else:
                state = block(state)
        loss = cross_entropy(model.head(model.final_norm(state)), batch.targets)
    loss.backward()
    return len(calls), sum(kept.values()), [p.grad for p in model.parameters()]


plain, saving = remembered(again=False), remembered(again=True)
check("calls of the eight blocks without checkpoints", plain[0], 8, rtol=0)
check("with checkpoints", saving[0], 16, rtol=0)
check("bytes kept, without / with", plain[1] / saving[1], between=(8, 16))
claim(
    "the gradients are the same",
    all(
        torch.allclose(a, b, rtol=1e-4, atol=1e-7)
        for a, b in zip(plain[2], saving[2], strict=True)
    ),
)

layer, other = (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)) for _ in range(2))
other.load_state_dict(layer.state_dict())
data = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
layer(data).sum().backward()
checkpoint(other, data, use_reentrant=False).sum().backward()
check("batches that batch norm has counted", layer[1].num_batches_tracked, 1, rtol=0)
check("with a checkpoint, for the same batch", other[1].num_batches_tracked, 2, rtol=0)
check(
    "its running mean, relative to the other",
    other[1].running_mean.norm() / layer[1].running_mean.norm(),
    1.9,
    rtol=1e-3,
)

# %% [markdown]
# Every block runs twice, the memory for eight blocks shrinks to about a twelfth, and the gradients are what they were:
# none has become longer. Batch norm, which counts its batches in the forward pass, counts each of them twice
# (pytorch/pytorch#96136), and its running mean moves 1.9 times as far.
#
# ## Said about this, and measured
#
# | People say | Measured in this lab | in part |
# |---|---|---|
# | A layer whose gradient norm is below $10^{-7}$ has vanished. | Key biases and biases before batch norm are 0 by construction; and Adam moves at 91 % with gradients of $10^{-7}$. | 1, 2 |
# | Where gradients vanish, the weights stand still. | Under SGD they do. Adam does not notice a loss times 0.0001. | 1 |
# | SGD cannot learn from such gradients. | With 10,000 times the learning rate it ends where it did. | 1 |
# | Clipping keeps gradients in a healthy range. | From above only: one of norm 0.03 is left as it is. | 3 |
# | Clipping protects from NaN. | One NaN among 1000 entries becomes 1000. | 3 |
# | The loss is finite, so the step is safe. | The root of 0 is 0, and its gradient is infinite. | 3 |
# | Checkpointing helps against vanishing gradients. | The gradients are the same; the memory is not. | 4 |
# | Checkpointing works with every layer, without special care. | Batch norm counts every batch twice. | 4 |
#
# ## What to remember

# %% tags=["hide-input"]
display(
    recall(
        'A monitor reports: "smallest gradient norm 3e-7, gradients vanish". The model trains with AdamW, and its loss falls. What do you look at first?',
        {
            "Which parameter it is, and the layer's matrices": "A key bias or a bias before a batch norm is 0 by construction; a trend through the layers would be another thing.",
            "The learning rate": "It has no part in the gradient at given weights, and the loss falls.",
            "`max_norm`": "A clip only shortens, and not below its limit.",
        },
        answer="Which parameter it is, and the layer's matrices",
        pitfalls={"The learning rate": "structural-zero"},
    ),
    recall(
        "The norm of the gradient is NaN, the loss is 1.3, and clipping is on. What must happen to this step?",
        {
            "Nothing: the clip takes care of it": "It multiplies every gradient by a factor that is NaN.",
            "It is left out, and its gradient cleared": "Then weights and optimizer are as if the batch had never been.",
            "The NaNs are set to 0 and the step is made": "Momentum and weight decay move the weights all the same, and the rest of this gradient came from the same accident.",
        },
        answer="It is left out, and its gradient cleared",
        pitfalls={
            "Nothing: the clip takes care of it": "clip-cures-nonfinite",
            "The NaNs are set to 0 and the step is made": "zeroed-not-skipped",
        },
    ),
    recall(
        "From an earlier lab: AdamW, and every gradient is clipped to a tenth of its length. What happens to the size of the updates?",
        {
            "They are a tenth as long": "Under SGD they would be.",
            "Almost nothing": "Adam divides by the gradient's own size: a common factor cancels. It is why a loss times 0.0001 changed nothing above.",
            "They vanish": "Only where the gradients come near Adam's epsilon.",
        },
        answer="Almost nothing",
    ),
)
