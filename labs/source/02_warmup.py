# %% [markdown]
# # Warmup
#
# A learning rate that is too high for the first updates may be right for all others. Warmup lets it rise from near 0 to
# its peak. When that saves a run, when it does nothing or does harm, how to write the schedule without losing an update, and
# why it works where it works.
#
# *About an hour, with three exercises and two case files. A CPU is enough; the longest experiment takes some ten seconds.*
#
# This notebook is stored with the results of our own run. Clear them before you begin (*Edit → Clear Outputs of All Cells*),
# so that nothing answers for you.
#
# ## 1 · A run that does not learn
#
# AdamW (an optimizer that divides each entry of the gradient by its recent size) at a learning rate of 0.1. That is high, and the
# model is a small transformer with two layers, so that a run of 100 updates takes half a second:

# %%
import math

import numpy as np
import torch
from IPython.display import display

from gradlab import (
    Recipe,
    cases,
    check,
    claim,
    exercises,
    explore,
    plot,
    predict,
    recall,
    run_seeds,
)
from gradlab.data import NumberWords, lowest_loss
from gradlab.model import cross_entropy
from gradlab.plot_schedule import learning_rates
from gradlab.plot_sweep import loss_against_lr, loss_map
from gradlab.schedule import SCHEDULES, lr_at
from gradlab.schedulers import WarmupLR
from gradlab.sweep import sensitivities, sweep
from gradlab.train import make_model

SEEDS = 3
adamw = Recipe(optimizer="adamw", lr=0.1, n_layers=2, steps=100, max_norm=None)
at_once = run_seeds(adamw, SEEDS)
plot.runs({"lr 0.1": at_once}, ["loss", "update_ratio"], floor=lowest_loss(), top=4)

# %% [markdown]
# The loss jumps about in the first updates, then falls, and then stays far above the dotted line, which is the lowest that any model can
# reach on this task. Nothing explodes, and waiting does not help. The right chart shows how far an update moves the weights, as a share of their length.
#
# Now the same runs, but the learning rate rises over the first 30 updates in equal strides: 1/30 of 0.1, 2/30 of 0.1, and
# so on. The 70 updates after that are made at 0.1, the rate that has just failed. Commit yourself:

# %% tags=["hide-input"]
ramp_only = predict(
    "Warmup over the first 30 updates, then 70 updates at the same rate of 0.1:",
    {
        "It fails later: as soon as the rate is back at 0.1.": "Then the rate itself would be too high, whenever it comes.",
        "It learns, and ends far lower.": "Then only the beginning could not bear this rate.",
        "It ends where the other runs did, 30 updates later.": "A ramp would only be a delay.",
    },
)
ramp_only

# %% [markdown]
# ## 2 · Run it
#
# Three seeds for each. A third arm has no warmup and clips the gradient instead, as in lab 01, at a norm so low that it cuts every one.

# %%
WARMUP = 30
ramped = run_seeds(adamw.replace(warmup_steps=WARMUP), SEEDS)
clipped = run_seeds(adamw.replace(max_norm=0.1), SEEDS)


def finals(histories):
    return [history.final_loss for history in histories]


def median(histories):
    return float(np.median(finals(histories)))


claim("without warmup every run ends above 1.3", min(finals(at_once)) > 1.3)
claim("with it every run ends below 1", max(finals(ramped)) < 1.0)
claim("clipping instead: every run ends above 1.2", min(finals(clipped)) > 1.2)
claim("although it cuts every gradient", min(h.norm_before.min() for h in clipped) > 0.1)
claim(
    "the first update moves the weights by more than 25 % of their length",
    min(history.update_ratio[0] for history in at_once) > 0.25,
)
claim("with warmup by less than 3 %", max(h.update_ratio[0] for h in ramped) < 0.03)
claim(
    "the clip changes the length of the first update by less than 1 %",
    all(
        abs(cut.update_ratio[0] / whole.update_ratio[0] - 1) < 0.01
        for cut, whole in zip(clipped, at_once, strict=True)
    ),
)
display(ramp_only.reveal("It learns, and ends far lower."))
plot.runs(
    {"no warmup": at_once, "30 updates of warmup": ramped, "clipped at 0.1": clipped},
    ["loss", "update_ratio"],
    floor=lowest_loss(),
    top=4,
)

# %% [markdown]
# Look at the first points of the right chart. Adam's first update moves *every* weight by about the learning rate, however small its
# gradient is, for at that moment the gradient and its "recent size" are the same number. At 0.1 that moves the weights by more than a
# quarter of their length before the model has seen a second batch; with the ramp it is less than 3 %. Clipping does not help, because a
# shorter gradient divided by its own size is the same update: green and blue begin at one point.
#
# And from update 30 on all three arms run at the same rate. For these 100 updates it was not too high. It was too early.
# (Whether it can be borne for ever is another question: let the panel below run on.)
#
# ## 3 · Steer it
#
# Press **Run**. Then stop, change `warmup_steps` and run again; the grey run is the one without warmup. How few updates still
# help? (The map in the next part tries 4.) Then try `norm` = post, `optimizer` = sgd, or another `schedule`.

# %%
panel = explore(
    adamw.replace(warmup_steps=10),
    "warmup_steps",
    "schedule",
    "optimizer",
    "norm",
    floor=lowest_loss(),
    pinned={"no warmup, seed 0": at_once[0]},
)
panel

# %% [markdown]
# **Read the plot.** In the fourth chart, where do the weights move most: at the beginning, or at the end of the ramp?
#
# <details><summary>What there is to see</summary>
# Without warmup at the very first update; the grey line begins above the edge of the chart. With it the share rises with the rate at
# first, stays far below that first value, and falls later although the rate does not: Adam's updates shrink by themselves when
# successive gradients point different ways, and the weights grow meanwhile. In a run of many hundred updates at a constant 0.1
# the loss may jump up again: a warmup carries a run over its first updates and is no promise for later ones. That is what the
# falling schedules are for.</details>
#
# ## 4 · Where it does nothing, and where it harms
#
# Warmup is not a good in itself. It spends updates at rates below the peak, and needs something to save. Two more settings, 60 updates
# each, without warmup and with 20 updates of it:

# %%
settings = {
    "SGD, lr 1, clipped at 1": adamw.replace(optimizer="sgd", lr=1.0, max_norm=1.0, steps=60),
    "AdamW, post-norm, lr 0.03": adamw.replace(norm="post", n_layers=4, lr=0.03, steps=60),
}
pairs = {
    label: (run_seeds(recipe, SEEDS), run_seeds(recipe.replace(warmup_steps=20), SEEDS))
    for label, recipe in settings.items()
}
gains = {label: median(without) - median(warm) for label, (without, warm) in pairs.items()}

sgd, post = gains.values()
claim("in the first setting it lowers the median by less than 0.05, if at all", sgd < 0.05)
claim("in the second it lowers it by more than 0.5", post > 0.5)
arms = {
    f"{label}{', warmup' if number else ''}": pair[number]
    for label, pair in pairs.items()
    for number in (0, 1)
}
plot.final_losses(arms, failed_above=3.5, floor=lowest_loss())

# %% [markdown]
# Under SGD with the clip of lab 01 it gains nothing: there an update is the rate times the gradient, so the clip bounds the early
# updates already. It matters for AdamW at a rate that is high for the model, as in the second setting: four layers with **post-norm**,
# the first transformer's arrangement, which normalises after each addition instead of before each layer (pre-norm, used everywhere else
# in this lab). And under AdamW at a rate that the model bears anyway? That needs more than one rate.
#
# ### A map
#
# Rate and warmup belong together, so look at both at once: 4 rates, 3 lengths of warmup, 3 seeds, 40 updates. Darker is lower; ✕
# counts runs that ended above 2.

# %%
grid = sweep(
    adamw.replace(steps=40),
    seeds=3,
    lr=(0.01, 0.03, 0.1, 0.3),
    warmup_steps=(0, 4, 16),
)
low, middle, high, highest = grid.medians  # one row a rate, one column a warmup
told = np.median(sensitivities(grid), axis=-1)  # one a warmup
claim(
    "lr 0.1: 4 updates of warmup end lower than none, by more than 0.2, and 16 by more than 0.3",
    high[0] > high[1] + 0.2 and high[0] > high[2] + 0.3,
)
claim("lr 0.03: 4 updates change less than 0.3", abs(middle[1] - middle[0]) < 0.3)
claim("lr 0.01: the longest ends higher than none, by more than 0.05", low[2] > low[0] + 0.05)
claim("lr 0.3: no median below 1.5", highest.min() > 1.5)
claim("lr 0.03 without ends lower than lr 0.1 with the longest", middle[0] < high[2] - 0.05)
claim("the longest lowers the sensitivity by more than 0.05", told[0] - told[2] > 0.05)
claim("the best loss is as low without, to 0.1", grid.medians[:, 2].min() > middle[0] - 0.1)
display(loss_map(grid, title="final loss after 40 updates, median of 3 seeds"))
loss_against_lr(grid)

# %% [markdown]
# Read the map from the bottom. At 0.01 warmup costs: the rate is low, and the ramp makes it lower still. At 0.03 it hardly
# matters. At 0.1 it decides. At 0.3 no length saves the run. And the darkest fields are at 0.03: a lower rate *without*
# warmup ends lower than 0.1 with it. So what is warmup good for, when one could choose 0.03?
#
# For not having to know. The best rate is not written on a model, and warmup makes the range of rates that work wider. **Learning-rate
# sensitivity** (Wortsman and others, [arXiv:2309.14322](https://arxiv.org/abs/2309.14322)) counts how much is lost by a rate that
# is off. It is the number in the legend of the second chart:
#
# $$\text{mean over the rates of } \min(\text{final loss}, \text{initial loss}) \;-\; \text{best final loss}$$
#
# It is 0 if every rate is as good as the best. It depends on the range of rates, so only values over the same range can be
# compared.
#
# ## 5 · Writing the schedule
#
# The first question is where a warmup begins. Steps are counted from 0, so a share of
# `step / warmup_steps` is 0 at the first update; and an update at rate 0 is an update lost. Not only lost: AdamW counts
# it. Watch one:

# %%
model, batches = make_model(adamw), NumberWords(seed=0)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / WARMUP))
weights = [parameter.detach().clone() for parameter in model.parameters()]

batch = next(batches)  # a whole update, paid for in full
cross_entropy(model(batch.inputs), batch.targets).backward()
optimizer.step()
scheduler.step()

moved = max(
    (p.detach() - w).abs().max().item()
    for p, w in zip(model.parameters(), weights, strict=True)
)
counted = int(optimizer.state[model.head.weight]["step"])
check("how far any weight moved", moved, 0.0, atol=0.0)
check("updates that AdamW has counted", counted, 1)
check("`step / warmup_steps` at step 1000 of a warmup of 200, in peaks", 1000 / 200, 5.0)
check("at the end of a run of 320 steps with a warmup of 4000, in peaks", 320 / 4000, 0.08)

# %% [markdown]
# So a ramp has to begin one stride above 0, and its last update, number `warmup_steps - 1`, runs at the peak. And it has to be
# stopped: the two checks at the end are of rules that stand in many a tutorial.
#
# ### Exercise 1: the ramp
#
# *6 minutes.* In lab 00 you mended one. Now write it from an empty page: the first stride, the end of the ramp, and no warmup at all
# (`warmup_steps` 0) are three places where it can go wrong.


# %%
def warmup_lr(step, base_lr, warmup_steps):
    """The learning rate of step number `step`, counted from 0, with a linear warmup and nothing after it."""
    # BEGIN SOLUTION
    if step >= warmup_steps:
        return base_lr
    return base_lr * (step + 1) / warmup_steps
    # END SOLUTION


# %%
exercises.get("warmup").check(warmup_lr)

# %% [markdown]
# ### After the ramp, line by line
#
# After the warmup a schedule may hold the rate (`constant`), let it fall to 0 at the end of the run (`linear`, `cosine`), hold it and
# let it fall in the last fifth (`wsd`: warmup, stable, decay), or let it fall with one over the root of the number of updates
# and never reach 0 (`noam`, the schedule of the first transformer).
#
# They are all written in the same way: first a *share* between 0 and 1, which says where in the fall the run is, and then a curve over
# it. Here is `wsd` without its ramp. Without the two clamps the share would be above 1 long before the fall, and below 0 after the end:


# %%
def hold_then_fall(step, base_lr, total_steps, decay_steps):
    left = (total_steps - step) / decay_steps  # of the fall: 1 where it begins, 0 at the end
    left = min(1.0, left)  # held until then
    left = max(0.0, left)  # and over after it
    return base_lr * left  # the curve: a straight line


claim(
    "gradlab's own wsd agrees at every step after its ramp, and beyond the end",
    all(
        hold_then_fall(s, 0.1, total_steps=100, decay_steps=20)
        == lr_at(s, lr=0.1, steps=100, warmup_steps=10, schedule="wsd")
        for s in range(10, 150)
    ),
)
after = {name: adamw.replace(schedule=name, warmup_steps=10) for name in SCHEDULES}
learning_rates(after, beyond=20, title="10 updates of warmup, and what may come after")

# %% [markdown]
# ### Exercise 2: a cosine after the warmup
#
# *10 minutes.* Your ramp once more, and then another curve over another share. Half a wave of the cosine, plus 1 and halved, falls from
# 1 to 0: flat at first, steep in the middle, flat at the end. The two parts have to meet. In one schedule of transformers, a library with very many users, they did not until June 2020
# (huggingface/transformers#4940): the decay did not wait for the end of the warmup, and the rate dropped in one update there.


# %%
def cosine_lr(step, base_lr, warmup_steps, total_steps):
    """The learning rate of step number `step`: a linear warmup, then half a wave of the cosine, then 0.

    Step `warmup_steps` still runs at `base_lr`, step `total_steps` and all later ones at 0.
    """
    # BEGIN SOLUTION
    if step < warmup_steps:
        return base_lr * (step + 1) / warmup_steps
    done = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    return base_lr * (1 + math.cos(math.pi * done)) / 2
    # END SOLUTION


# %%
exercises.get("cosine-after-warmup").check(cosine_lr)

# %% [markdown]
# ## 6 · A case file
#
# It happened in public projects, more than once. We have rebuilt the mistake around our own model and run it, so the trace is real.
# Read it, commit a diagnosis, and only then look at the code.

# %%
first_case = cases.get("wasted-first-step")
display(first_case, first_case.trace(), first_case.diagnose())

# %%
display(first_case.loop(), first_case.ledger())

# %%
first_case.verdict()

# %% [markdown]
# ## 7 · What the schedule counts
#
# The schedule is a function of the number of *updates*. A training loop has other things to count, and the line
# `scheduler.step()` may stand beside any of them. Two go wrong most often:
#
# - **Micro-batches.** With k micro-batches to an update, a scheduler that moves with each of them is k times too fast.
# - **Skipped updates.** A `GradScaler` leaves an update out when a gradient has overflowed. A scheduler that moves all the same has
#   used up a rate without an update. While the scale settles, at the beginning, that is just where the ramp is.
#
# Here is the second one on a CPU: eight tries, two of them with a gradient that is made infinite, and `WarmupLR`, gradlab's
# schedules as a torch scheduler.


# %%
def rates_used(moves_on_skips):
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.6)
    scheduler = WarmupLR(optimizer, warmup_steps=6, steps=100)
    scaler, used = torch.amp.GradScaler("cpu", init_scale=1024.0), []
    for update in range(8):
        loss = (weight * (math.inf if update in (1, 2) else 1.0)).sum()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        rate, scale = optimizer.param_groups[0]["lr"], scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        skipped = scaler.get_scale() < scale  # it is halved after an update that was left out
        if not skipped:
            used.append(rate)
        if moves_on_skips or not skipped:
            scheduler.step()
    return used


careless, careful = rates_used(moves_on_skips=True), rates_used(moves_on_skips=False)
planned = [lr_at(step, lr=0.6, steps=100, warmup_steps=6) for step in range(6)]
claim("both make six updates", len(careless) == len(careful) == 6)
claim("the careful loop uses the six planned rates, to the bit", careful == planned)
check("the careless one makes its second update at the rate of number", careless[1] / 0.1, 4)

# %% [markdown]
# ### Exercise 3: a loop whose scheduler counts updates
#
# *15 minutes.* Accumulation, clip, scaler and scheduler, each in its place. This builds on exercise 2 of lab 01. The checker runs your
# loop in six situations and draws what it did.


# %%
def train(model, optimizer, scheduler, scaler, micro_batches, loss_fn, max_norm, k):
    """One update for every `k` micro-batches; the scheduler moves once for each update that was made.

    `loss_fn(model, batch)` is the mean loss of one micro-batch, and the update uses the mean over `k`,
    its norm at most `max_norm`. `scaler.step` leaves an update out when a gradient is infinite, and
    then `scaler.get_scale()` is smaller after `scaler.update()`. No gradients are there at the
    beginning.
    """
    # BEGIN SOLUTION
    for number, batch in enumerate(micro_batches, start=1):
        loss = loss_fn(model, batch) / k
        scaler.scale(loss).backward()
        if number % k == 0:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            if scaler.get_scale() >= scale:
                scheduler.step()
    # END SOLUTION


# %%
exercises.get("scheduler-step").check(train)

# %% [markdown]
# ### A second case file

# %%
second_case = cases.get("warmup-cut-short")
display(second_case, second_case.trace(), second_case.diagnose())

# %%
display(second_case.loop(), second_case.ledger())

# %%
second_case.verdict()

# %% [markdown]
# ## 8 · Said about this, and measured
#
# People say these things in tutorials, in logs and in threads. Two of them need one more measurement: how long the first gradients
# are, and a ramp that begins at 1e-5.

# %%
rise = {
    name: [h.norm_before[:10].max() / h.norm_before[0] for h in runs]
    for name, runs in (("at once", at_once), ("ramped", ramped))
}
tiny = run_seeds(adamw.replace(warmup_steps=WARMUP, warmup_init_lr=1e-5), 1)
apart = abs(tiny[0].lr - ramped[0].lr).max()
claim(
    "no warmup, lr 0.1: within 10 updates the norm is more than 1.5 times the first, in every run",
    min(rise["at once"]) > 1.5,
)
claim("with warmup: in none", max(rise["ramped"]) < 1.5)
claim("a ramp from 1e-5, seed 0: it ends below 1, as from 0", tiny[0].final_loss < 1.0)
claim("and no rate differs by more than 1e-5", apart <= 1.001e-5)
check("1e-5 in units of the first rate of the ramp from 0", 1e-5 / ramped[0].lr[0], 0.003)

# %% [markdown]
# | people say | what this lab has measured | part |
# |---|---|---|
# | "Warmup lets you use a higher rate." | True for AdamW at 0.1. At 0.3 no length was enough, and under clipped SGD at 1 it gained nothing. | 2, 4 |
# | "Something goes wrong: lower the rate first." | Here, yes: 0.03 without warmup ended lower than 0.1 with it. Warmup is for when the right rate is not known. | 4 |
# | "Warm up for 5 to 10 % of the run." | 4 of 40 updates are 10 %. They helped at 0.1, made little difference at 0.03, and saved nothing at 0.3. The length belongs to the rate, not to the run. | 4 |
# | "4000 warmup steps is a good number." | In a run of 320 steps the rate ends at 8 % of its peak: the run is over before the ramp is. | 5 |
# | "`lr = base * step / warmup` is the schedule." | Without a clamp it is at five peaks when the run is at five times the warmup. | 5 |
# | "`lr(t) = base * min(1, t / warmup)`" | Counted from 0 the first update runs at rate 0. No weight moves, and AdamW counts it. | 5 |
# | "Set the rate to 0, and step the scheduler after the optimizer." | The same first update, lost. | 5, 6 |
# | "Start the ramp at 1e-5." | A number without its peak means nothing: beside a peak of 0.1 it is 0.3 % of the first stride, and the run learns as from 0. For a peak of 1e-5 it would be no ramp at all. | 8 |
# | "Without warmup the gradient norms spike early, so clip them." | They did, and did not with warmup. But they are what follows: under Adam it is the first *update* that is long, at a gradient that is not yet, and a clip of all gradients changed nothing. | 2, 8 |
#
# ## 9 · What to remember
#
# Three questions, answered from memory. The first one comes back from lab 01, another will come back later.

# %% tags=["hide-input"]
display(
    recall(
        "Under AdamW at a rate that is too high for the first updates: why did the clip at norm 0.1 not help, while warmup did?",
        {
            "The limit of 0.1 was not tight enough.": "Any factor on the gradient cancels: Adam divides by the gradient's own size.",
            "Adam's update hardly depends on the length of the gradient.": "It divides by it. The rate is what sets the length of its first updates.",
            "The gradients were short at first, and long later.": "They were; but this limit cut all of them, the short ones too.",
        },
        answer="Adam's update hardly depends on the length of the gradient.",
        pitfalls={"The limit of 0.1 was not tight enough.": "adam-needs-no-clip"},
    ),
    recall(
        "Eight micro-batches to an update, 24,000 micro-batches in the run, and a warmup over the first tenth of it. `warmup_steps` is",
        {
            "2400": "That is a tenth of the micro-batches. The schedule counts updates, and there are 3000.",
            "300": "24,000 / 8 updates, and a tenth of them.",
            "19,200": "More micro-batches to an update make fewer updates, not more.",
        },
        answer="300",
        pitfalls={"2400": "scheduler-wrong-clock"},
    ),
    recall(
        "The scaler has left an update out. What does the scheduler do?",
        {
            "It stands still.": "The update is tried again with new data, at the rate that was planned for it.",
            "It moves on.": "Then a rate has been used up without an update; at the beginning, when scales settle, that shortens the ramp.",
            "It goes back by one.": "Nothing has been used up, so there is nothing to go back to.",
        },
        answer="It stands still.",
        pitfalls={"It moves on.": "scheduler-wrong-clock"},
    ),
)

# %% [markdown]
# **02b_room_on_the_slope** asks why the beginning is so sensitive: it measures how steeply the loss bends, and what the rate and a ramp
# do to that.
