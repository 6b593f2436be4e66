# %% [markdown]
# # Clipping, part two: less than you think
#
# Clipping saved a run in the last lab. Here are the places where it does something else than one would think, or almost
# nothing: the share of clipped updates, clipping by value, Adam, and a threshold for each group.
#
# *About 40 minutes. A CPU is enough.*
#
# ## 1 · Two questions from the last lab

# %%
import math

import numpy as np
import torch
from IPython.display import display

from gradlab import (
    ClipByGlobalNorm,
    ClipByGroupNorm,
    ClipByValue,
    Recipe,
    check,
    claim,
    plot,
    predict,
    recall,
    run_seeds,
)
from gradlab.data import NumberWords, lowest_loss
from gradlab.model import cross_entropy
from gradlab.train import make_model

# %% tags=["hide-input"]
display(
    recall(
        "A correct loop logs `grad norm 37.2`, with `max_norm=1.0`. Which norm did the optimizer use?",
        {
            "37.2": "That is what clipping found, and what `clip_grad_norm_` returns.",
            "1.0": "37.2 came in and was multiplied by 1 / 37.2.",
            "It cannot be said": "In a correct loop it can: a gradient above the limit leaves with the length of the limit.",
        },
        answer="1.0",
        pitfalls={"37.2": "reported-norm-is-pre-clip"},
    ),
    recall(
        "A run is lost, the clip is in the loop, and the logged norm after clipping is always 1. What do you look at first?",
        {
            "Whether `max_norm` is small enough": "No limit helps where it is not applied to what the optimizer uses.",
            "The order of clip and step": "A clip after the step limits a gradient that has been used already.",
            "The seed": "If the order is wrong it is wrong for every seed.",
        },
        answer="The order of clip and step",
    ),
)

# %% [markdown]
# ## 2 · The share of clipped updates
#
# The setting of the last lab: a transformer and plain SGD with momentum. At learning rate 1 it was lost without clipping,
# and `max_norm` 1 carried it through 150 updates. Let it go on to 500:

# %%
sgd = Recipe(optimizer="sgd", lr=1.0)
long_runs = run_seeds(sgd.replace(steps=500), 3)

claim(
    "on each of three seeds the loss is higher at update 500 than at 150, by more than 0.2",
    all(np.median(h.loss[-100:]) > np.median(h.loss[130:150]) + 0.2 for h in long_runs),
)
claim(
    "and more of the last 100 updates are clipped than of the first 150",
    all(np.mean(h.clipped[-100:]) > np.mean(h.clipped[:150]) for h in long_runs),
)
claim("none of them turns infinite or NaN", not any(h.diverged for h in long_runs))
plot.runs({"lr 1, max_norm 1": long_runs}, ["loss", "norm_before"], threshold=1.0)

# %% [markdown]
# Clipping has bounded the steps, and nothing overflowed. It has not made this learning rate a good one.
#
# From here on runs are 100 updates long, with three seeds or more each. At learning rate 3 the model needs a tight limit.
# Now double the learning rate *and* halve the limit.

# %%
short = sgd.replace(steps=100)
SEEDS = 5


def failed(history):
    return not history.final_loss <= 2.0


def median(histories):
    return float(np.median([history.final_loss for history in histories]))


def share(histories):
    return float(np.median([history.clipped_share for history in histories]))


product_of_two = predict(
    "Learning rate 3 with `max_norm` 0.25 trains. Learning rate 6 with `max_norm` 0.125:",
    {
        "is lost": "6 alone is far too high.",
        "learns about half as fast": "Half the limit would be half the step.",
        "ends where the first one does": "Where every update is clipped, only the product of the two counts.",
        "ends lower": "A tighter limit would be better protection.",
    },
)
product_of_two

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
product_of_two.reveal("ends where the first one does")

# %% [markdown]
# Under SGD the step is learning rate times gradient, and a gradient that is always cut has always the same length. So one
# number should stand in every training log: how many of the recent updates were clipped.
#
# | share | what clipping is doing |
# |---|---|
# | 0 % | nothing; it is insurance, or `max_norm` is out of reach |
# | a few % | it cuts accidents |
# | about half | it sets the length of many steps; look at the learning rate |
# | 100 % | it sets the length of *every* step: you are choosing the step size with `max_norm` |
#
# Three runs for three of the rows, medians over their seeds. (The 99th percentile is the norm that one gradient in a
# hundred exceeds.)

# %%
stable = run_seeds(short.replace(lr=0.3, max_norm=None), SEEDS)
norms = np.concatenate([history.norm_before for history in stable])
accidents = run_seeds(
    short.replace(lr=0.3, max_norm=float(np.percentile(norms, 99))), range(SEEDS, SEEDS + 3)
)
check(
    "lr 0.3, max_norm at the 99th percentile, new seeds", share(accidents), between=(0, 0.05)
)
check(
    "lr 1, max_norm 1",
    share(run_seeds(short, 3)),
    between=(0.10, 0.70),
)
check("lr 3, max_norm 0.25", share(product[3.0, 0.25]), between=(0.97, 1.0))

# %% [markdown]
# ## 3 · By norm or by value?
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
# thirds, the small one nothing. How much does it turn the gradient of the real model? (The cosine of the angle says it: 1
# is the same direction, 0 a right angle.) That depends on the threshold, and a threshold for elements is a number of quite
# another size than one for the norm: 52,896 elements of 0.1 have a norm of 23. And is a gradient that has been turned a
# bad one?


# %%
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
claim(
    "by value at 0.1 the gradients that are left are longer, in the median by half or more",
    min(np.median(h.norm_after) for h in by_value[0.1])
    > 1.5 * max(np.median(h.norm_after) for h in by_value[0.01]),
)
shorter = run_seeds(short.replace(clip="value", max_norm=0.1, lr=0.3), 3)
claim(
    "by value at 0.1, but at learning rate 0.3, all three end below 0.6 again",
    all(h.final_loss < 0.6 for h in shorter),
)

# %% [markdown]
# Turned is not the same as ruined. At a small threshold value clipping trains this model well, although it clips something
# in every update. At ten times that threshold it trains badly, although it turns the first gradients less. What it leaves
# is longer, and that is what hurts here: with shorter steps, at learning rate 0.3, the same threshold trains well.
#
# The reason to prefer the norm is plainer than direction: its threshold is a length, you can measure lengths, and so you
# can choose it. That comes next.

# %% [markdown]
# ## 4 · Where clipping does almost nothing
#
# Most transformers are not trained with SGD but with Adam or AdamW. Take AdamW at a good learning rate, and a threshold
# so small that *every* update is clipped, to less than a tenth of its length.

# %% tags=["hide-input"]
tiny_limit = predict(
    "AdamW with `max_norm` 0.01, against AdamW without clipping. The final loss is:",
    {
        "far higher": "Steps a tenth as long would hardly move the weights.",
        "far lower": "A tight limit would make it steadier.",
        "almost the same": "A factor common to all gradients would not matter.",
    },
)
tiny_limit

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
tiny_limit.reveal("almost the same")

# %% [markdown]
# Adam divides the gradient by a running average of its own size, so a factor that is common to all
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
# There is a place where clipping does matter under AdamW: a transformer with post-norm (it normalises after each layer
# was added, and not before the layer) at a learning rate three times too high. Ten seeds each, because five are too few to
# tell. `"cosine"` lets the learning rate fall to 0 along half a wave of a cosine.

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
# ## 5 · One threshold for each group
#
# A single loud layer can make the global norm long, and then *all* layers are scaled down. Clipping each group of
# parameters by its own norm is meant to avoid this. Here are the groups of our model at the beginning of training: the
# embeddings, four blocks, and the head, the last layer, which scores the characters. Then the same threshold, 0.4, for all
# gradients together and for each group.


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
# ## 6 · What to remember

# %% tags=["hide-input"]
display(
    recall(
        "An AdamW run is unstable because its learning rate is too high. A colleague proposes `max_norm=0.1` instead of 1.0. What do you expect?",
        {
            "A stable run: the steps are a tenth as long": "Under SGD they would be. Adam divides by the size of the gradient and undoes the factor.",
            "Little": "A factor common to all gradients cancels. A lower learning rate or a warmup is the cure.",
            "A slower run": "Adam's steps do not get shorter by a factor that is common to all gradients.",
        },
        answer="Little",
    ),
    recall(
        "So what is a clip for, under Adam?",
        {
            "Nothing: `adam` rescales gradients itself": "It rescales by the memory of past gradients, and one spike stays in that memory for a thousand updates.",
            "Single gradients far longer than all others": "A limit just above the usual norm keeps the accident out of Adam's memory.",
            "Gradients that are infinite or NaN": "No clip repairs those; such a step has to be left out.",
        },
        answer="Single gradients far longer than all others",
        pitfalls={
            "Nothing: `adam` rescales gradients itself": "adam-needs-no-clip",
            "Gradients that are infinite or NaN": "clip-cures-nonfinite",
        },
    ),
    recall(
        "Every update of an SGD run is clipped, and somebody doubles the learning rate and halves `max_norm`. What changes?",
        {
            "Almost nothing": "Only the product counts, as long as every update is clipped.",
            "The steps become twice as long": "Twice the rate times half the length is the same step.",
            "The run is better protected": "It takes the same steps as before.",
        },
        answer="Almost nothing",
        pitfalls={"The run is better protected": "always-clipped"},
    ),
)

# %% [markdown]
# Warmup, which did more at the edge than clipping, is the subject of the next lab.
