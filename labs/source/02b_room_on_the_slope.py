# %% [markdown]
# # Warmup, part two: room on the slope
#
# Why is a rate too high, and why only at the beginning? This part measures how steeply the loss bends, sees the learning rate
# change that, and ends with three warmups of a small network.
#
# *About 30 minutes. A CPU is enough; the longest cell takes some five seconds.*
#
# ## 1 · Two questions from the last part

# %%
import numpy as np
import torch
from IPython.display import display

from gradlab import Recipe, check, claim, predict, recall
from gradlab.adam_sharpness import adam_limit, adam_sharpness
from gradlab.data import NumberWords
from gradlab.model import cross_entropy
from gradlab.plot_schedule import against_limit
from gradlab.schedule import lr_at
from gradlab.schedulers import WarmupLR
from gradlab.sharpness import sharpness
from gradlab.threads import one_thread
from gradlab.train import make_model

# %% tags=["hide-input"]
display(
    recall(
        "A run of 100 updates at learning rate 0.1 fails at once, and trains after a warmup of 30. Was 0.1 too high for these 100 updates?",
        {
            "Yes; warmup only hides it.": "From update 30 on it ran at 0.1, and learned.",
            "Only for its first updates.": "Later on it bore the same rate. This part asks what has changed by then.",
            "It was too high until the schedule let it fall again.": "The schedule was constant after the ramp.",
        },
        answer="Only for its first updates.",
    ),
    recall(
        "A linear warmup is written as `base_lr * step / warmup_steps`, and steps are counted from 0. What does AdamW do at the first update?",
        {
            "It moves no weight, and counts an update.": "Rate 0: everything is computed, nothing moves, and its averages have taken the gradient in.",
            "It leaves the update out.": "It does not look at the rate before it counts.",
            "It moves every weight by `base_lr`.": "That is what it would do without warmup.",
        },
        answer="It moves no weight, and counts an update.",
        pitfalls={"It leaves the update out.": "scheduler-off-by-one"},
    ),
)

# %% [markdown]
# ## 2 · The edge
#
# What makes a rate too high? Take a valley with the profile $\tfrac{a}{2} x^2$. Its slope is $a x$, so a step of gradient descent
# goes from $x$ to $x - \eta a x = (1 - \eta a)\,x$, where $\eta$ is the learning rate. If $\eta a$ is above 2, each step lands
# further out on the other side. A real loss bends differently in every direction. Its steepest bend is the **sharpness**, the largest
# eigenvalue of the Hessian (the matrix of second derivatives), and a rate is too high when sharpness is above $2 / \eta$.
#
# `sharpness` measures it by power iteration: multiply a vector by the Hessian again and again, which takes two backward passes and never
# builds the matrix, and it turns into the steepest direction. A small network, trained with all of its data at each step:


# %%
def descend(lr, seed, updates, every=200, warmup_steps=0):
    """Full-batch gradient descent; the measured updates, the sharpness there, and whether it stayed finite."""
    generator = torch.Generator().manual_seed(seed)
    x = 3 * torch.rand(64, 8, generator=generator) - 1.5
    y = torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3]
    torch.manual_seed(seed)
    layers = torch.nn.Linear(8, 64), torch.nn.Linear(64, 64), torch.nn.Linear(64, 1)
    net = torch.nn.Sequential(
        layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2]
    )
    weights = list(net.parameters())
    at, found, direction = [], [], None
    for update in range(updates + 1):
        loss = ((net(x) - y) ** 2).mean()
        if not loss.isfinite():
            return at, found, False
        if every and update % every == 0:
            measured = sharpness(
                loss, weights, start=direction
            )  # begins where the last one ended
            at, found, direction = [*at, update], [*found, measured.value], measured.vector
            loss = ((net(x) - y) ** 2).mean()  # the first graph is used up
        rate = lr_at(update, lr=lr, steps=updates + 1, warmup_steps=warmup_steps)
        with torch.no_grad():
            for weight, slope in zip(
                weights, torch.autograd.grad(loss, weights), strict=True
            ):
                weight -= rate * slope
    return at, found, True


lengths = {0.05: 1200, 0.1: 800, 0.2: 800}  # updates; a low rate needs more of them
with one_thread():  # sums this small are faster on one
    edge = {lr: [descend(lr, seed, n) for seed in range(3)] for lr, n in lengths.items()}
for lr, runs in edge.items():
    last = [lr * found[-1] for _, found, _ in runs]
    check(
        f"lr {lr}: lr times the last sharpness, smallest of 3 seeds", min(last), 2, rtol=0.05
    )
    check(f"lr {lr}: largest", max(last), 2, rtol=0.05)
claim(
    "it began below 7 on every seed",
    all(found[0] < 7 for runs in edge.values() for _, found, _ in runs),
)
against_limit(
    {f"lr {lr}": [run[:2] for run in runs] for lr, runs in edge.items()},
    {f"lr {lr}": 2 / lr for lr in edge},
    top=60,
)

# %% [markdown]
# Three rates, three seeds each, and the sharpness is drawn to the dashed line $2 / \eta$ every time. It rises as long as it may, and when
# it is above the line the steps begin to swing across the valley, which carries the weights to where the valley is wider. This is called the
# **edge of stability** (Cohen and others, [arXiv:2103.00065](https://arxiv.org/abs/2103.00065)). So sharpness is not a
# property of the model alone. The rate shapes it, if it is given time.
#
# ## 3 · The transformer under AdamW
#
# Back to the runs of the last part: AdamW at 0.1. Adam divides the gradient of each weight by its recent size, so its strides are long in
# some directions and short in others, and the bends have to be measured in these strides. `adam_sharpness` does that: it scales
# each weight as Adam's update does and takes the sharpness in the new units. Adam also averages its last gradients, and so it bears more: its limit
# is $2\,(1 + 0.9)\,/\,((1 - 0.9)\,\eta) = 38 / \eta$ (Cohen and others, [arXiv:2207.14484](https://arxiv.org/abs/2207.14484)).

# %% tags=["hide-input"]
room = predict(
    "AdamW at rate 0.1, without warmup and with 30 updates of it. Where is the sharpness in the first updates?",
    {
        "Above the limit without warmup, far below it with.": "Then the ramp would leave room at the beginning, when it is needed.",
        "Below the limit in both.": "Then the runs without warmup would fail for some other reason.",
        "Above the limit in both.": "Then warmup would have to work in some other way.",
    },
)
room


# %%
def follow(recipe, measured_at):
    """Train with AdamW, and measure its sharpness on a fixed probe before some updates."""
    model, batches = make_model(recipe), NumberWords(seed=recipe.seed)
    probe = next(NumberWords(seed=1000, batch_size=32))
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr)
    scheduler = WarmupLR(optimizer, steps=recipe.steps, warmup_steps=recipe.warmup_steps)
    found = []

    def on_probe(net):
        return cross_entropy(net(probe.inputs), probe.targets)

    for update in range(max(measured_at) + 1):
        batch = next(batches)
        optimizer.zero_grad()
        cross_entropy(model(batch.inputs), batch.targets).backward()
        if update in measured_at:
            measured = adam_sharpness(model, optimizer, on_probe, iterations=40, rtol=0.02)
            found.append(measured.value)
        optimizer.step()
        scheduler.step()
    return measured_at, found


fast = Recipe(optimizer="adamw", lr=0.1, n_layers=2, steps=100)
ramped = fast.replace(warmup_steps=30)
updates = (2, 5, 10, 20, 30)
with one_thread():
    at_once = [follow(fast.replace(seed=seed), updates) for seed in range(3)]
    gently = [follow(ramped.replace(seed=seed), updates) for seed in range(3)]
falling = [adam_limit(ramped.lr_at(update)) for update in range(31)]

over = np.array([found for _, found in at_once]) / 380  # one row a seed, one column an update
beside = np.array([found for _, found in gently]) / [falling[update] for update in updates]
claim(
    "without warmup most of the 15 measurements are above the limit",
    np.median(over) > 1.2,
)
claim(
    "with it at least 4 of the 6 at updates 2 and 5 are below half the limit of their moment",
    (beside[:, :2] < 0.5).sum() >= 4,
)
claim(
    "from update 10 on their median is between half and twice that limit",
    0.5 < np.median(beside[:, 2:]) < 2,
)
display(room.reveal("Above the limit without warmup, far below it with."))
against_limit(
    {"no warmup": at_once, "30 updates of warmup": gently},
    {"no warmup": adam_limit(0.1), "30 updates of warmup": (range(1, 31), falling[1:])},
    logarithmic=True,
    title="sharpness in Adam's strides, rate 0.1",
)

# %% [markdown]
# A measurement takes 32 sequences and a moment of a rough journey, so single points scatter widely; look at most of them. Without
# warmup the updates are longer than the bends allow from the beginning, and the weights are thrown about. With warmup
# the limit comes down slowly from far above. The sharpness rises to meet it, and by the time the rate is at its peak, training has moved
# the weights to a place that bears it, or nearly: as in the small network it stays near the line. That is the room that warmup makes: not
# a safe place, but time to get to one (Kalra and Barkeshli, [arXiv:2406.09405](https://arxiv.org/abs/2406.09405), study this at length).
#
# ## 4 · Three warmups
#
# If the rate shapes the sharpness, then a rate that is low for long lets it rise. Back to the small network, at a rate of 0.4, where the
# limit is 5 and the sharpness begins a little above it. Ten seeds each; a run is lost when its loss is not finite any more.

# %% tags=["hide-input"]
lost = predict(
    "Of ten runs without warmup, two or so are lost. How many with a warmup of 100 updates?",
    {
        "None": "Warmup makes the beginning safe.",
        "About as many": "The rate at the end of the ramp is the same.",
        "Nearly all": "By the end of the ramp the network has found a steep place.",
    },
)
lost

# %%
with one_thread():
    failures = {
        n: sum(not descend(0.4, seed, 600, every=0, warmup_steps=n)[2] for seed in range(10))
        for n in (0, 100, 400)
    }
claim("without warmup at most 5 of 10 are lost", failures[0] <= 5)
claim("with 100 updates of warmup at least 8 of 10", failures[100] >= 8)
claim("with 400 at most 2 of 10", failures[400] <= 2)
lost.reveal("Nearly all")

# %% [markdown]
# More warmup, more losses; and still more warmup, none. Look at one seed while it happens:

# %%
with one_thread():
    watched = {n: descend(0.4, 0, 420, every=10, warmup_steps=n) for n in (100, 400)}
crossing = {
    n: next(
        s for u, s in zip(*watched[n][:2], strict=True) if s * 0.4 * min(1, (u + 1) / n) > 2
    )
    for n in (100, 400)
}
claim(
    "with 100 updates this run is lost, with 400 it is not", watched[400][2] > watched[100][2]
)
begun = watched[100][1][0]
claim(
    "100: the first sharpness above the limit, in units of the first of all, is above 1.4",
    crossing[100] > 1.4 * begun,
)
claim("400: the first is higher", crossing[400] > crossing[100])
check("400: the last one, against a limit of 5", watched[400][1][-1], between=(4, 8))
limits = {
    n: (
        range(1, 421),
        [2 / lr_at(u, lr=0.4, steps=421, warmup_steps=n) for u in range(1, 421)],
    )
    for n in (100, 400)
}
against_limit(
    {f"{n} updates of warmup": [watched[n][:2]] for n in (100, 400)},
    {f"{n} updates of warmup": limit for n, limit in limits.items()},
    top=60,
    title="sharpness, rate 0.4, seed 0",
)

# %% [markdown]
# At 100 updates (blue) the limit comes down faster than the network can follow: they cross when the sharpness is far above its beginning, the rate goes
# on rising all the same, and the loss is soon infinite. At 400 (orange) they cross later and higher. There the network is pushed to
# flatter places again and again, each time a little lower, and rides down with the limit. And without warmup most runs start so close to
# the limit that they swing from the first steps on, and the sharpness goes up and down about the limit.
#
# So warmup is not a safe choice that can only cost time. It is a race between a limit that falls and a sharpness that the rate lets rise, and a
# longer ramp is the gentler race. In the transformer of the last part the map showed none of this, and its shortest ramps already helped. Measure it
# where you train.
#
# ## 5 · What to remember

# %% tags=["hide-input"]
display(
    recall(
        "Full-batch gradient descent runs at rate 0.02 for a long time, and the loss still falls. What do you expect of the sharpness?",
        {
            "About 100": "2 / 0.02: it rises until it meets the limit, and stays there.",
            "About 50": "That would be 1 / 0.02; a step of that length lands at the bottom of the valley, and is still safe.",
            "It is a property of the model and does not depend on the rate.": "In part 2 the same network ended at 40, 20 or 10, by its rate.",
        },
        answer="About 100",
    ),
    recall(
        "A run with a warmup of 100 updates is lost shortly after the ramp, and somebody concludes that this rate is too high. What else may it be?",
        {
            "The ramp is too short.": "A ramp of 400 saved every such run here, at the same peak.",
            "The ramp is too long.": "That happens less: a longer ramp gives the sharpness more time to come down.",
            "Nothing else": "The same rate trained most runs without any warmup.",
        },
        answer="The ramp is too short.",
    ),
    recall(
        "Why does a clip at a fixed norm not do what warmup does under Adam?",
        {
            "Adam's update hardly depends on the length of the gradient.": "Its length comes from the rate, and from how the gradient compares with the last ones.",
            "Clipping acts after the step.": "Not in a correct loop; and it would not help there either.",
            "A gradient below the limit is not changed.": "True, but in lab 01b a limit that cut every gradient changed next to nothing.",
        },
        answer="Adam's update hardly depends on the length of the gradient.",
        pitfalls={"Clipping acts after the step.": "clip-after-step"},
    ),
)
