# %% [markdown]
# # Clipping
#
# Why a training run explodes, what gradient clipping does about it, in which line of a training step it stands, and how
# to choose `max_norm`.
#
# *About an hour, with three exercises and two case files. A CPU is enough; the longest experiment takes some seconds.*
#
# This notebook is stored with the results of our own run. Clear them before you begin (*Edit → Clear Outputs of All Cells*),
# so that nothing answers for you.
#
# ## 1 · A run is lost
#
# A transformer, trained by stochastic gradient descent (SGD) with momentum at a learning rate of 1. The loss is counted in
# nats, the unit of the natural logarithm:

# %%
import math

import numpy as np
import torch
from IPython.display import display

from gradlab import (
    ClipByGlobalNorm,
    Recipe,
    cases,
    check,
    claim,
    exercises,
    explore,
    ledger,
    plot,
    predict,
    recall,
    run,
    run_seeds,
)
from gradlab.data import NumberWords, lowest_loss
from gradlab.model import cross_entropy
from gradlab.train import make_model

SEEDS = 5  # one seed shows that something can happen, five show how often it does
sgd = Recipe(optimizer="sgd", lr=1.0)
specimen = run(sgd.replace(max_norm=None))
plot.runs(
    {"lr 1, no clipping": specimen}, ["loss", "norm_before"], floor=lowest_loss(), top=5
)

# %% [markdown]
# It learns for a while. Then the loss jumps, the gradient grows by many orders of magnitude, and the numbers leave the
# range of floating point. The cross marks the last finite one.
#
# The same 150 updates again, with one line more: after `backward()`, a gradient longer than 1 is scaled down to length 1. What
# will happen? Commit yourself before you go on. People who predict first see more, even when they were wrong.

# %% tags=["hide-input"]
survival = predict(
    "The same 150 updates, with every gradient longer than 1 scaled down to length 1:",
    {
        "It is lost all the same.": "A shorter step in a bad direction would still be a bad step.",
        "It survives, and nearly every update is clipped.": "Then clipping would choose the size of every step.",
        "It survives, and most updates are not clipped at all.": "Clipping would act where it must, and rest elsewhere.",
    },
)
survival

# %% [markdown]
# ## 2 · Run it
#
# Five seeds without and five with clipping. A seed decides the first weights and all the data. A run counts as failed
# when something in it turns infinite or NaN, or when its final loss (the mean of the last ten) is above 2.


# %%
def failed(history):
    return not history.final_loss <= 2.0


def median(histories):
    return float(np.median([history.final_loss for history in histories]))


unclipped = run_seeds(sgd.replace(max_norm=None), SEEDS)
clipped = run_seeds(sgd.replace(max_norm=1.0), SEEDS)

claim("without clipping at least 4 of 5 fail", sum(map(failed, unclipped)) >= 4)
claim(
    "with max_norm 1 none of 5 fails within these 150 updates", not any(map(failed, clipped))
)
check(
    "median share of clipped updates",
    np.median([h.clipped_share for h in clipped]),
    between=(0.10, 0.49),
)
plot.runs(
    {"no clipping": unclipped, "max_norm 1": clipped},
    ["loss", "norm_before"],
    threshold=1.0,
    top=5,
)

# %%
survival.reveal("It survives, and most updates are not clipped at all.")

# %% [markdown]
# Look at the right chart: most of the time the orange gradients lie below the threshold, and there clipping changes
# nothing. Until the first gradient above 1 the two are the same run to the last bit; from then on they part.
#
# Why did it explode at all? The usual explanation is a loop. A learning rate this large is above what the curvature allows in some
# directions, so a step overshoots and lands where the slope is steeper. The gradient there is longer; SGD multiplies it
# by the same learning rate, so the next step is longer still. Clipping cuts this loop at one place: however long the
# gradient, the step is bounded.
#
# How tightly? SGD with momentum 0.9 adds up at most $1 + 0.9 + 0.9^2 + \dots = 10$ clipped gradients, each no longer
# than `max_norm`, so no update is longer than $\text{lr} \cdot \text{max\_norm} / (1 - 0.9) = 10$. Both measured:

# %%
for number, (one, other) in enumerate(zip(unclipped, clipped, strict=True)):
    first = int(np.argmax(other.clipped))
    same = np.array_equal(one.loss[: first + 1], other.loss[: first + 1])
    claim(
        f"seed {number}: the same run to the last bit until clipping acts",
        same and 0 < first < 30,
    )


def longest_update(history):
    before = history.param_norm[:-1]  # the parameters' norm before each update but the first
    return float(np.max(history.update_ratio[1:] * before))


claim("with clipping no update is longer than 10", max(map(longest_update, clipped)) <= 10)
claim(
    "without it every run makes one longer than 100",
    min(map(longest_update, unclipped)) > 100,
)

# %% [markdown]
# ## 3 · Steer it
#
# Now do it by hand. Press **Run**, and while it trains take `max_norm` down to 0.3 and up to 5. Switch clipping off when
# you dare. Watch the second chart: orange is the gradient that backpropagation delivered, blue is what the optimizer was
# given, and where you see no orange, nothing was clipped.

# %%
panel = explore(sgd, floor=lowest_loss(), pinned={"no clipping, seed 0": unclipped[0]})
panel

# %% [markdown]
# **Read the plot.** The grey run is the one that was lost, and yours begins with the same weights and data. Does clipping
# act only when the grey loss has already jumped, or before? And does lowering `max_norm` move the fourth chart?
#
# <details><summary>What there is to see</summary>
# Before: the first clipped gradients come within the first thirty updates, while the loss is falling steeply. Lowering <code>max_norm</code> lowers the fourth chart as soon as many updates are clipped, and
# not before: as long as the gradients lie below the threshold it has no say in the step.</details>
#
# Let it go on beyond 150 updates, and you will see more and more of them clipped, and the loss rise again. Clipping has
# bounded the steps. It has not made this learning rate a good one; the next part measures that.
#
# ## 4 · The step, recorded
#
# The order is everything. Clipping stands between `backward`, which makes the gradients, and `step`, which uses them.
# Here is one step in five lines, with a tight limit of 0.5, and `ledger.record` watches it: what happened to the
# gradients, in which line, and how long they were. Read it from top to bottom: the width of the blue river is the norm of
# the gradient.

# %%
model, batch = make_model(sgd), next(NumberWords(seed=0))
optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)

with ledger.record(model, optimizer) as events:
    optimizer.zero_grad()  # forget the gradients of the last update
    loss = cross_entropy(model(batch.inputs), batch.targets)
    loss.backward()  # now every parameter has its gradient
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)  # one factor for all
    optimizer.step()  # the only line that moves the weights

claim("the ledger has nothing to report", not events.findings())
events

# %% [markdown]
# PyTorch's `clip_grad_norm_` returns a number, and it is the norm **before** clipping. So a returned norm far above
# `max_norm` in a log does not mean that clipping failed. It means that clipping had something to do. People ask about
# this again and again (for instance verl-project/verl#2282 and pytorch/torchtitan#1500). gradlab's own rules return both,
# under names that cannot be confused:

# %%
weight = torch.zeros(2, requires_grad=True)
weight.grad = torch.tensor([3.0, 4.0])
returned = torch.nn.utils.clip_grad_norm_([weight], max_norm=1.0)
check("returned by PyTorch", returned, 5.0, rtol=1e-6)
check("norm of the gradient afterwards", weight.grad.norm(), 1.0, rtol=1e-5)

weight.grad = torch.tensor([3.0, 4.0])
result = ClipByGlobalNorm(max_norm=1.0)([weight])
check("norm_before", result.norm_before, 5.0, rtol=1e-6)
check("norm_after", result.norm_after, 1.0, rtol=1e-6)

# %% [markdown]
# ### Exercise 1: write it yourself
#
# *10 minutes.* Below the threshold nothing may change; above it every gradient is multiplied by the same factor. The
# checker tries your function on gradients of several sizes, dtypes (float32, float16, …) and states, and names the mistake
# if there is one. When you are stuck, add a cell (press *B*) and ask `exercises.get("clip-by-global-norm").hint(1)`; the
# other exercises have hints, too.


# %%
def clip_by_global_norm_(grads, max_norm):
    """Scale the tensors in the list `grads` in place so that their common L2 norm is at most `max_norm`.

    Return the norm before, as a float. If it is infinite or NaN, change nothing and return it: the
    caller will leave this step out. A `max_norm` that is not above 0 is a ValueError, and infinity
    only measures. Gradients may be float16: compute the norm in a wider dtype.
    """
    # BEGIN SOLUTION
    if not max_norm > 0:
        raise ValueError(f"max_norm must be above 0, got {max_norm}")
    norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in grads))
    if math.isfinite(norm) and norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm
    # END SOLUTION


# %%
exercises.get("clip-by-global-norm").check(clip_by_global_norm_)

# %% [markdown]
# ### Exercise 2: the whole step
#
# *15 minutes.* Two things make real training steps longer than five lines.
#
# **Accumulation.** A batch that does not fit into memory is cut into micro-batches. `backward()` *adds* to the gradients
# that are there, so calling it once for each micro-batch sums them up. The update wants their mean.
#
# **Loss scaling.** Small gradients vanish in 16-bit numbers, so a `GradScaler` multiplies the loss by a large number, the
# scale, before `backward()`: `scaler.scale(loss).backward()`. All gradients are then too long by that factor, until
# `scaler.unscale_(optimizer)` divides them. `scaler.step(optimizer)` makes the update, or leaves it out if a gradient
# overflowed, and `scaler.update()` adapts the scale. With `enabled=False` all of these do nothing but call what they
# wrap, so that the same code serves both.
#
# Where does the clip belong? The checker runs your step on a small model, names the mistake if there
# is one, and draws what your step did. (In its messages a *window* is everything between two updates.)


# %%
def training_step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    """One update with the mean gradient of the micro-batches, its norm at most `max_norm`.

    `loss_fn(model, batch)` is the mean loss of one micro-batch; all have the same size. When the
    function is called, the gradients of the last update are still there. A layer may be frozen:
    the gradient of its parameters is None.
    """
    # BEGIN SOLUTION
    optimizer.zero_grad()
    for batch in micro_batches:
        loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    # END SOLUTION


# %%
exercises.get("training-step").check(training_step)

# %% [markdown]
# ## 5 · Two case files
#
# Both happened in public projects. We have rebuilt the mistake around our own model and run it, so the traces are real.
# Read the trace, commit a diagnosis, and only then look at the code.

# %%
first_case = cases.get("clipping-was-on")
display(first_case, first_case.trace(), first_case.diagnose())

# %%
display(first_case.loop(), first_case.ledger())

# %%
first_case.verdict()

# %%
second_case = cases.get("frozen")
display(second_case, second_case.trace(), second_case.diagnose())

# %%
display(second_case.loop(), second_case.ledger())

# %%
second_case.verdict()

# %% [markdown]
# ## 6 · Choosing `max_norm`
#
# 1.0 is a habit, not a law. The length of a gradient depends on the model and on the loss: summed instead of averaged over
# the targets of a batch, the same loss has a gradient that many times longer. So measure first: a run that is stable, with clipping
# switched off, and a look at its norms, nine in ten of which lie below the 90th percentile. (From here on runs are 100
# updates long, to save your time.)

# %%
short = sgd.replace(steps=100)
stable = run_seeds(short.replace(lr=0.3, max_norm=None), SEEDS)
norms = np.concatenate([history.norm_before for history in stable])
check("targets in a batch", next(NumberWords(seed=0)).mask.sum(), between=(200, 350))
check("90th percentile of the norms", np.percentile(norms, 90), between=(0.8, 1.2))
plot.norm_histogram(norms)

# %% [markdown]
# A rule from Google's *Deep Learning Tuning Playbook* starts at the 90th percentile: the longest tenth of the gradients is
# cut, everything else passes. Higher percentiles catch only accidents; lower ones shorten ordinary steps as well. In this
# model the 90th percentile happens to be close to the habit of 1.0.

# %% tags=["hide-input"]
lowest = predict(
    "Back to learning rate 1. Which threshold ends with the lowest loss?",
    [
        "The 50th percentile, which cuts every other gradient of the stable run",
        "The 90th percentile",
        "Twice the 99th percentile",
    ],
)
lowest

# %%
thresholds = {
    "50th percentile": np.percentile(norms, 50),
    "90th percentile": np.percentile(norms, 90),
    "2 × 99th percentile": 2 * np.percentile(norms, 99),
}
chosen = {
    label: run_seeds(short.replace(max_norm=float(value)), 3)
    for label, value in thresholds.items()
}

claim(
    "the 50th percentile ends lower than the 90th",
    median(chosen["50th percentile"]) < median(chosen["90th percentile"]),
)
claim("at twice the 99th every seed fails", all(map(failed, chosen["2 × 99th percentile"])))
claim(
    "and yet none of them turned infinite or NaN",
    not any(h.diverged for h in chosen["2 × 99th percentile"]),
)
claim(
    "lr 0.3 without clipping ends lower than all of them",
    median(stable) < min(median(histories) for histories in chosen.values()),
)
display(
    lowest.reveal("The 50th percentile, which cuts every other gradient of the stable run")
)
plot.final_losses({**chosen, "lr 0.3, no clipping": stable}, floor=lowest_loss())

# %% [markdown]
# Only the widest threshold fails. But mark how: clipping has kept these lost runs from turning into NaN, so a test for NaN
# would not find them.
#
# And the tighter the better? Not in general: this learning rate is too high. Under SGD the step is learning rate times
# gradient: a threshold that cuts nearly always is a smaller learning rate by another name. The last row says it aloud: an
# ordinary learning rate without any clipping beats them all.
#
# ### Exercise 3: choose it from a history
#
# *10 minutes.* A real history of norms has spikes in it, and now and then an infinite or NaN norm from an overflow. Write
# the function that chooses `max_norm` from such a history: the spikes are to be cut, the ordinary gradients are to pass,
# all but the longest few. (Not the median, then, which did best above: here the learning rate is to set the step.)


# %%
def choose_max_norm(norms):
    """A limit from gradient norms that were measured without clipping: a list or an array.

    Between 2 % and 25 % of the finite norms lie above it, and every spike: a norm of more than 10
    times the median. The history may be short and may hold infinities and NaN; leave it as it is.
    Without any finite norm, raise a ValueError.
    """
    # BEGIN SOLUTION
    norms = np.asarray(norms, dtype=float)
    finite = norms[np.isfinite(norms)]
    if not len(finite):
        raise ValueError("no finite norm to choose from")
    return float(np.percentile(finite, 90))
    # END SOLUTION


# %%
exercises.get("choose-max-norm").check(choose_max_norm)

# %% [markdown]
# ## 7 · What to remember
#
# Three questions, answered from memory. Two of them come back, in other words, in the next part.

# %% tags=["hide-input"]
display(
    recall(
        "Your log says `grad norm 37.2`, and you have set `max_norm=1.0`. Does this number show that something is broken?",
        {
            "Yes: after clipping no norm can be above 1.": "The number that `clip_grad_norm_` returns is the norm before clipping. Log the norm after as well, or the share of clipped updates.",
            "No: it is the norm before clipping.": "Multiply it by the factor of the clip and you have what the optimizer used, if the order is right.",
            "Yes: `max_norm` must have been applied after the step.": "That happens, but this number does not show it: it is the same in a correct loop.",
        },
        answer="No: it is the norm before clipping.",
        pitfalls={"Yes: after clipping no norm can be above 1.": "reported-norm-is-pre-clip"},
    ),
    recall(
        "In which order does a step with a GradScaler go, once the gradients are there?",
        {
            "clip, unscale, step": "The limit would meet gradients that are still multiplied by the scale.",
            "unscale, clip, step": "The gradients get their true length first, then the limit, then they are used.",
            "unscale, step, clip": "The optimizer would have used the gradient before it was limited.",
        },
        answer="unscale, clip, step",
        pitfalls={
            "clip, unscale, step": "clip-before-unscale",
            "unscale, step, clip": "clip-after-step",
        },
    ),
    recall(
        "Every update of an SGD run is clipped, and somebody halves `max_norm`. What have they really changed?",
        {
            "How well the run is protected from spikes": "It was protected before: no step was longer than the limit allows.",
            "The step size": "When every update is clipped, the length of each step is learning rate times `max_norm`.",
            "Nothing": "Under Adam nearly so, as the next part shows. Under SGD every step is now half as long.",
        },
        answer="The step size",
        pitfalls={"How well the run is protected from spikes": "always-clipped"},
    ),
)

# %% [markdown]
# **01b_less_than_you_think** goes on with the places where clipping does less than one would think: the share of clipped
# updates, clipping by value, Adam, and one threshold for each group.
