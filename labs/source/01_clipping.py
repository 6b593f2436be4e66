# %% [markdown]
# # Clipping
#
# Why a training run explodes, what gradient clipping does about it, how to choose `max_norm`, and where clipping does
# almost nothing.
#
# *About 45 minutes. A CPU is enough. The long experiments take a few seconds each.*
#
# ## 1 · A run is lost
#
# A transformer, trained with plain SGD (with momentum) at a learning rate of 1:

# %%
import math

import numpy as np
import torch

from gradlab import (
    ClipByGlobalNorm,
    ClipByGroupNorm,
    ClipByValue,
    Recipe,
    check,
    claim,
    explore,
    plot,
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
# **Predict.** The same run with one line more: after `backward()`, a gradient longer than 1 is scaled down to length 1.
#
# - a) It makes no difference: a shorter step in a bad direction is still a bad step.
# - b) The run survives, and nearly every update is clipped.
# - c) The run survives, and most updates are not clipped at all.
# - d) The run survives, but learns much more slowly, because the steps are shorter.
#
# Commit yourself before you go on:

# %%
my_prediction = "?"  # a, b, c or d

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
claim("with max_norm 1 none of 5 fails", not any(map(failed, clipped)))
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

# %% [markdown]
# The answer is **c**. Look at the right chart: most of the time the orange gradients lie below the threshold, and there
# the clipped run does exactly what the unclipped one does. The two are the same run, until the first gradient above 1:

# %%
for number, (one, other) in enumerate(zip(unclipped, clipped, strict=True)):
    first = int(np.argmax(other.clipped))
    same = np.array_equal(one.loss[: first + 1], other.loss[: first + 1])
    claim(
        f"seed {number}: the same run to the last bit until clipping acts",
        same and 0 < first < 30,
    )

# %% [markdown]
# Why did it explode at all? It is a loop. A learning rate this large is above what the curvature allows in some
# directions, so a step overshoots and lands where the slope is steeper. The gradient there is longer; SGD multiplies it
# by the same learning rate, so the next step is longer still. Clipping cuts this loop at one place: however long the
# gradient, the step is bounded.
#
# How tightly? SGD with momentum 0.9 adds up at most $1 + 0.9 + 0.9^2 + \dots = 10$ clipped gradients, each no longer
# than `max_norm`, so no update is longer than $\text{lr} \cdot \text{max\_norm} / (1 - 0.9) = 10$. Measured:


# %%
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
panel = explore(sgd, "clip", floor=lowest_loss(), pinned={"max_norm 1, seed 0": clipped[0]})
panel

# %% [markdown]
# **Read the plot.** Take the grey run. Does clipping act when the loss has already jumped, or before? And does lowering
# `max_norm` move the fourth chart?
#
# <details><summary>What there is to see</summary>
# Before: the first clipped gradients come within the first thirty updates, while the loss is falling steeply, and the
# loss hardly shows them. Lowering <code>max_norm</code> lowers the fourth chart as soon as many updates are clipped, and
# not before: as long as the gradients lie below the threshold it has no say in the step.</details>
#
# ## 4 · The step in ten lines
#
# The order is everything. Clipping stands between `backward`, which makes the gradients, and `step`, which uses them.

# %%
model, data = make_model(sgd), NumberWords(seed=0)
optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
clip = ClipByGlobalNorm(max_norm=1.0)

for _ in range(3):
    batch = next(data)
    optimizer.zero_grad()  # forget the gradients of the last update
    loss = cross_entropy(model(batch.inputs), batch.targets)
    loss.backward()  # now every parameter has its gradient
    result = clip(model.parameters())  # all of them scaled by one factor, or none
    optimizer.step()  # the only line that moves the weights

print("a ClipResult holds", ", ".join(result._fields))

weight = torch.zeros(2, requires_grad=True)  # and now PyTorch's own function, on (3, 4)
weight.grad = torch.tensor([3.0, 4.0])

returned = torch.nn.utils.clip_grad_norm_([weight], max_norm=1.0)

check("returned", returned, 5.0, rtol=1e-6)
check("norm of the gradient afterwards", weight.grad.norm(), 1.0, rtol=1e-5)

# %% [markdown]
# `result` says what happened under names that cannot be confused: the norm before and the norm after. PyTorch's function
# returns a single number, and it is the norm **before**. A returned norm far above `max_norm` in your log therefore does
# not mean that clipping failed. It means that clipping had something to do. People ask about this again and again (for
# instance verl-project/verl#2282 and pytorch/torchtitan#1500).
#
# ### Your turn
#
# Write it yourself: scale all gradients in place so that their common norm is at most `max_norm`, and return the norm
# before. The cell after it compares yours with the library's on random gradients, below and above the threshold.


# %%
def clip_by_global_norm_(grads, max_norm):
    """Scale the tensors in `grads` in place by min(1, max_norm / norm); return the norm before, a float."""
    # BEGIN SOLUTION
    norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in grads))
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    return norm
    # END SOLUTION


# %%
def agrees(scale):
    generator = torch.Generator().manual_seed(0)
    theirs = [torch.zeros(shape, requires_grad=True) for shape in [(3, 4), (5,), (2, 2)]]
    for tensor in theirs:
        tensor.grad = scale * torch.randn(tensor.shape, generator=generator)
    mine = [tensor.grad.clone() for tensor in theirs]
    returned, expected = (
        clip_by_global_norm_(mine, 1.0),
        torch.nn.utils.clip_grad_norm_(theirs, 1.0),
    )
    return math.isclose(returned, float(expected), rel_tol=1e-4) and all(
        torch.allclose(ours, tensor.grad, rtol=1e-4)
        for ours, tensor in zip(mine, theirs, strict=True)
    )


try:
    print("above the threshold:", "right" if agrees(10.0) else "not yet")
    print("below the threshold:", "right" if agrees(0.01) else "not yet")
except NotImplementedError:
    print("not attempted yet")

# %% [markdown]
# ## 5 · By norm or by value?
#
# There is another kind of clipping, `clip_grad_value_`: every *element* beyond ±threshold is cut off, the others stay.
# Two weights are enough to see the difference. The dotted circle is clipping by norm, the square is clipping by value.


# %%
def after(rule, gradient):
    tensor = torch.zeros(len(gradient), requires_grad=True)
    tensor.grad = torch.tensor(gradient)
    rule([tensor])
    return tensor.grad


long = [3.0, 0.8]
by_norm, by_value = after(ClipByGlobalNorm(1.0), long), after(ClipByValue(1.0), long)
plot.arrows(
    {
        "gradient": tuple(long),
        "by norm": tuple(by_norm.tolist()),
        "by value": tuple(by_value.tolist()),
    },
    circle=1.0,
    square=1.0,
)

# %% [markdown]
# Clipping by norm shortens the arrow and keeps its direction. Clipping by value turns it: the large element lost two
# thirds, the small one nothing. How much does it turn the gradient of the real model? That depends on the threshold, and
# a threshold for elements is a number of quite another size than one for the norm: 52,896 elements of 0.1 have a norm of
# 23. And is a gradient that has been turned a bad one? (From here on runs are 100 updates long, to save your time.)

# %%
short = sgd.replace(steps=100)


def gradient_of(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def cosines_after(rule):
    """Between gradient and clipped gradient, for the first weights and first batch of five seeds."""
    found = []
    for seed in range(SEEDS):
        model, batch = make_model(sgd.replace(seed=seed)), next(NumberWords(seed))
        cross_entropy(model(batch.inputs), batch.targets).backward()
        before = gradient_of(model)
        rule(model.parameter_groups())
        found.append(float(torch.cosine_similarity(before, gradient_of(model), dim=0)))
    return np.array(found)


check(
    "lowest cosine, by norm at 0.1",
    cosines_after(ClipByGlobalNorm(0.1)).min(),
    1.0,
    rtol=1e-5,
)
few, many = cosines_after(ClipByValue(0.1)), cosines_after(ClipByValue(0.01))
check("lowest cosine, by value at 0.1, a few elements", few.min(), between=(0.97, 0.9999))
check("highest cosine, by value at 0.01, more of them", many.max(), between=(0.6, 0.92))

by_value = {
    threshold: run_seeds(short.replace(clip="value", max_norm=threshold), 3)
    for threshold in (0.01, 0.1)
}

claim(
    "by value at 0.01 all three seeds end below 0.6, although every update is clipped",
    all(h.final_loss < 0.6 and h.clipped_share > 0.95 for h in by_value[0.01]),
)
claim(
    "by value at 0.1 it is worse on each of them",
    all(
        loose.final_loss > tight.final_loss + 0.2
        for tight, loose in zip(*by_value.values(), strict=True)
    ),
)

# %% [markdown]
# Turned is not the same as ruined. At a small threshold value clipping trains this model well, although it clips something
# in every update. At ten times that threshold it trains badly, and not because it turns the gradient more (it turns it
# less), but because it leaves it so long.
#
# The reason to prefer the norm is plainer than direction: its threshold is a length, you can measure lengths, and so you
# can choose it. That comes next.
#
# ## 6 · Choosing `max_norm`
#
# 1.0 is a habit, not a law. The length of a gradient depends on the model and on the loss: summed instead of averaged over
# the targets, the loss of our batches would have a gradient some 280 times longer. So measure first: a run that is
# stable, with clipping switched off, and a look at its norms.

# %%
stable = run_seeds(short.replace(lr=0.3, max_norm=None), SEEDS)
norms = np.concatenate([history.norm_before for history in stable])
plot.norm_histogram(norms)

# %% [markdown]
# A rule from Google's *Deep Learning Tuning Playbook* starts at the 90th percentile: the longest tenth of the gradients is
# cut, everything else passes. Higher percentiles catch only accidents; lower ones shorten ordinary steps as well. In this
# model the 90th percentile happens to be close to the habit of 1.0.
#
# **Predict.** At learning rate 1, which threshold ends with the lowest loss: the 50th percentile, which cuts every other
# gradient of the stable run, the 90th, or twice the 99th? And which of the three fail?

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
plot.final_losses({**chosen, "lr 0.3, no clipping": stable}, floor=lowest_loss())

# %% [markdown]
# Only the widest threshold fails. But mark how: clipping has kept these lost runs from turning into NaN, so a test for NaN
# would not find them.
#
# And the tighter the better? Only because this learning rate is too high. Under SGD the step is learning rate times
# gradient: a threshold that cuts nearly always is a smaller learning rate by another name. The last row says it aloud: an
# ordinary learning rate without any clipping beats them all. Where every update is clipped, only the product of the two
# numbers counts:

# %%
product = {
    (lr, max_norm): run_seeds(short.replace(lr=lr, max_norm=max_norm), 3)
    for lr, max_norm in [(3.0, 1.0), (3.0, 0.25), (6.0, 0.125)]
}
claim("lr 3 with max_norm 1 fails on all three seeds", all(map(failed, product[3.0, 1.0])))
claim("lr 3 with max_norm 0.25 fails on none", not any(map(failed, product[3.0, 0.25])))
claim(
    "lr 6 with max_norm 0.125 ends where lr 3 with 0.25 does, seed by seed, to within 0.02",
    all(
        abs(one.final_loss - other.final_loss) < 0.02
        for one, other in zip(product[3.0, 0.25], product[6.0, 0.125], strict=True)
    ),
)

# %% [markdown]
# ## 7 · The share of clipped updates
#
# So one number should stand in every training log: how many of the recent updates were clipped.
#
# | share | what clipping is doing |
# |---|---|
# | 0 % | nothing; it is insurance, or `max_norm` is out of reach |
# | a few % | it cuts accidents |
# | about half | it sets the length of many steps; look at the learning rate |
# | 100 % | it sets the length of *every* step: you are choosing the step size with `max_norm` |
#
# Three runs for three of the rows, medians over their seeds:


# %%
def share(histories):
    return float(np.median([history.clipped_share for history in histories]))


accidents = run_seeds(
    short.replace(lr=0.3, max_norm=float(np.percentile(norms, 99))), range(SEEDS, SEEDS + 3)
)
check(
    "lr 0.3, max_norm at the 99th percentile, new seeds", share(accidents), between=(0, 0.05)
)
check("lr 1, max_norm 1", share(clipped), between=(0.10, 0.49))
check("lr 3, max_norm 0.25", share(product[3.0, 0.25]), between=(0.97, 1.0))

# %% [markdown]
# ## 8 · Where clipping does almost nothing
#
# Most transformers are not trained with SGD but with Adam or AdamW. **Predict:** AdamW at a good learning rate, and
# `max_norm` 0.01, so small that *every* update is clipped, to less than a tenth of its length. What happens to the final
# loss?

# %%
adamw = Recipe(optimizer="adamw", lr=0.01, steps=100)
free, tiny = (run_seeds(adamw.replace(max_norm=value), 3) for value in (None, 0.01))

claim(
    "at max_norm 0.01 every update is clipped to less than a tenth",
    max(history.coefficient.max() for history in tiny) < 0.1,
)
claim(
    "every final loss, clipped or not, lies between 0.25 and 0.45",
    all(0.25 < history.final_loss < 0.45 for history in [*free, *tiny]),
)
claim("the medians differ by less than 0.05", abs(median(free) - median(tiny)) < 0.05)

# %% [markdown]
# Almost nothing. Adam divides the gradient by a running average of its own size, so a factor that is common to all
# gradients cancels: each weight moves by about the learning rate, however long the gradient is.
#
# What is left for clipping to do? A single enormous gradient enters the running average of squares, and the average
# forgets slowly. For a long time afterwards every step is divided by the memory of the accident:


# %%
def updates(spike, max_norm=math.inf, seed=0, steps=2000, at=500):
    """Length of each Adam update on random gradients of equal length, one `spike` times longer."""
    generator, weights = (
        torch.Generator().manual_seed(seed),
        torch.zeros(2000, requires_grad=True),
    )
    adam, clip = torch.optim.Adam([weights], lr=1e-3, fused=True), ClipByGlobalNorm(max_norm)
    lengths = []
    for step in range(steps):
        weights.grad = torch.randn(2000, generator=generator) * (spike if step == at else 1)
        clip([weights])
        before = weights.detach().clone()
        adam.step()
        lengths.append(float((weights.detach() - before).norm()))
    return np.array(lengths)[at:]


for seed in range(3):
    usual = updates(1, seed=seed)
    free, insured = updates(30, seed=seed) / usual, updates(30, 50.0, seed) / usual
    check(f"seed {seed}: longest update after the spike", free.max(), between=(4, 9))
    check(f"seed {seed}: shortest update after it", free.min(), between=(0.6, 0.85))
    check(
        f"seed {seed}: updates a tenth too short or more",
        (free < 0.9).sum(),
        between=(700, 1400),
    )
    claim(f"seed {seed}: with max_norm 50 none", insured.min() > 0.9 and insured.max() < 1.1)

# %% [markdown]
# (Lengths in multiples of the usual one.) After a few updates that are much too long, one spike costs about a thousand
# that are too short, because with Adam's usual $\beta_2 = 0.999$ the average remembers about so many. A threshold just
# above the usual norm, here $\sqrt{2000} \approx 45$, prevents both. This is clipping's job under Adam: insurance for the
# optimizer's memory, not a cure for a learning rate.
#
# ### At the edge
#
# There is a place where clipping does matter under AdamW: a transformer with post-norm at a learning rate three times too
# high. Ten seeds each, because five are too few to tell.

# %%
edge = Recipe(optimizer="adamw", norm="post", lr=0.03, steps=100)
edge_free = run_seeds(edge.replace(max_norm=None), 10)
edge_clipped = run_seeds(edge, 10)
edge_warmup = run_seeds(edge.replace(warmup_steps=20), 3)
edge_cosine = run_seeds(edge.replace(warmup_steps=20, schedule="cosine"), 3)
lower_rate = run_seeds(edge.replace(lr=0.01, max_norm=None), 3)

lower = sum(a.final_loss < b.final_loss for a, b in zip(edge_clipped, edge_free, strict=True))
claim("clipping lowers the final loss on at least 7 of 10 seeds", lower >= 7)
claim("but at least 2 of 10 fail all the same", sum(map(failed, edge_clipped)) >= 2)
claim(
    "20 updates of warmup lower the median by more than 0.3",
    median(edge_warmup) < median(edge_clipped) - 0.3,
)
claim(
    "warmup and cosine together, by more than 0.8",
    median(edge_cosine) < median(edge_clipped) - 0.8,
)
claim(
    "a lower learning rate without any of them ends lower still",
    median(lower_rate) < median(edge_cosine),
)
plot.final_losses(
    {
        "no clipping": edge_free,
        "max_norm 1": edge_clipped,
        "max_norm 1, warmup": edge_warmup,
        "max_norm 1, warmup, cosine": edge_cosine,
        "lr 0.01, no clipping": lower_rate,
    },
    floor=lowest_loss(),
)

# %% tags=["nbval-ignore-output"]
chance = sum(math.comb(10, wins) for wins in range(lower, 11)) / 2**10
print(
    f"clipped runs end lower on {lower} of 10 seeds; by luck alone so many or more: {chance:.3f}"
)
print(
    f"failed: {sum(map(failed, edge_free))} of 10 without clipping, {sum(map(failed, edge_clipped))} of 10 with it"
)

# %% [markdown]
# How sure is the first of these sentences? If clipping did nothing, it would win or lose on each seed like a coin. Nine
# or more wins out of ten come up by luck once in 93 times, seven or more once in six. So look at the count on *your*
# machine before you believe more than the sentence says; and the number of failed runs, on ten seeds, says less still.
#
# Clipping helps at the edge, warmup and a decaying learning rate help more, and a learning rate that is not too high makes
# all of them unnecessary. Warmup is the subject of the next lab.
#
# ## 9 · One threshold for each group
#
# A single loud layer can make the global norm long, and then *all* layers are scaled down. Clipping each group of
# parameters by its own norm is meant to avoid this. Here are the groups of our model at the beginning of training, and
# then the same threshold, 0.4, for all gradients together and for each group.


# %%
def group_norms(seed):
    model, batch = make_model(sgd.replace(seed=seed)), next(NumberWords(seed))
    cross_entropy(model(batch.inputs), batch.targets).backward()
    measure = ClipByGlobalNorm(math.inf)
    return {
        group["name"]: measure(group["params"]).norm_before
        for group in model.parameter_groups()
    }


at_start = [group_norms(seed) for seed in range(SEEDS)]
claim(
    "on every seed the head's gradient is more than twice as long as any other group's",
    all(norms["head"] > 2 * sorted(norms.values())[-2] for norms in at_start),
)
together = run_seeds(short.replace(max_norm=0.4), 3)
per_group = run_seeds(short.replace(max_norm=0.4, clip="per_group"), 3)
claim(
    "both train on each of three seeds",
    all(h.final_loss < 0.7 for h in [*together, *per_group]),
)
claim(
    "their medians differ by less than 0.1", abs(median(together) - median(per_group)) < 0.1
)
check(
    "lowest cosine, by norm at 0.4",
    cosines_after(ClipByGlobalNorm(0.4)).min(),
    1.0,
    rtol=1e-5,
)
check(
    "highest cosine, per group at 0.4",
    cosines_after(ClipByGroupNorm(0.4)).max(),
    between=(0.8, 0.999),
)

# %% [markdown]
# In this model it brings nothing. And it has a price: the direction is no longer that of the gradient, the bound on the
# whole step grows with the square root of the number of groups, and there are as many thresholds to understand as groups.
# In a sharded training run it also happens by accident, when each machine computes the norm of *its* part of the
# parameters (pytorch/torchtitan#596, sgl-project/SpecForge#663).
#
# ## 10 · What to remember
#
# Answer each question before you open it.
#
# <details><summary>Your log says <code>grad norm 37.2</code> and you have set <code>max_norm=1.0</code>. Is something
# broken?</summary>
# No. The number that <code>clip_grad_norm_</code> returns is the norm <b>before</b> clipping. Log the norm after as well,
# or the share of clipped updates.</details>
#
# <details><summary>Under SGD, every update is clipped, and somebody halves <code>max_norm</code>. What have they really
# changed?</summary>
# The step size. When every update is clipped, only learning rate times <code>max_norm</code> counts; halving one is
# halving the other (section 6).</details>
#
# <details><summary>An AdamW run is unstable because its learning rate is too high, and a colleague proposes
# <code>max_norm=0.1</code> instead of 1.0. What do you expect?</summary>
# Little: Adam cancels a factor common to all gradients. A lower rate or a warmup is the cure (section 8). It would be
# another matter if single gradients were far longer than all others: against those, a threshold just above the usual norm
# protects Adam's memory.</details>
