# %% [markdown]
# # Accumulation
#
# How a batch that does not fit into memory is cut into parts, what the parts must be divided by, what happens to those
# that are left over at the end of an epoch, and how large a batch is worth having.
#
# *About 75 minutes, with three exercises and a case file. A CPU is enough.*
#
# This notebook is stored with the results of our own run. Clear them before you begin (*Edit → Clear Outputs of All Cells*),
# so that nothing answers for you.
#
# ## 1 · The same 32 examples
#
# Two runs with the same model (of two layers, to save your time), the same data and the same learning rate. One gets 32 examples at a time. The other gets
# them in four parts of 8, calls `backward()` on the mean loss of each part, and steps once after the fourth. The parts are
# called *micro-batches*, the four that make one update a *window*, and the whole *gradient accumulation*: PyTorch does the
# adding by itself, for `backward()` adds to whatever is in `.grad`.

# %%
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import display
from torch import nn

from gradlab import (
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
    slide,
)
from gradlab import plot_accumulation as charts
from gradlab.accumulation import weights_in_updates
from gradlab.data import NumberWords, encode, lowest_loss, spell
from gradlab.memory import step_memory
from gradlab.model import cross_entropy
from gradlab.noise import NoiseScale, exact_noise_scale
from gradlab.schedule import lr_at
from gradlab.train import make_model, make_optimizer

torch.set_num_threads(1)  # for a model this small a second thread only gets in the way
SEEDS = 3
whole = Recipe(optimizer="sgd", lr=0.3, max_norm=None, batch_size=32, steps=100, n_layers=2)
parts = whole.replace(batch_size=8, accumulation_steps=4)
summed = parts.replace(averaging="sum")

specimen = {"one batch of 32": run(whole), "four parts of 8": run(summed)}
display(plot.runs(specimen, ["loss", "norm_before"], floor=lowest_loss(), top=5))

hidden = predict(
    "The second run was lost, for nobody divided the four losses by 4. The same two runs with AdamW. Without the division:",
    {
        "it is lost as well": "A gradient four times too long is four times too long.",
        "it learns faster": "Steps four times as long would get there sooner.",
        "one can hardly tell the two apart": "Adam divides by the size of the gradient, so a factor cancels.",
    },
)
hidden

# %% [markdown]
# The first gradient of the second run is four times as long as that of the first, for it is a sum of four means where the
# other has one mean. But those who wrote this loop use AdamW, and say that it never mattered.
#
# ## 2 · Run it
#
# Commit your prediction, then go on. Three seeds each. The recipe's `averaging` says how the gradients of a window are put
# together: `"tokens"` gives each micro-batch its share of all targets (section 4 says why), `"micro_batches"` divides by
# their number, and `"sum"` divides by nothing. (Runs that learn fast, or only have to show that they learn, get 60 updates
# or fewer.)

# %%
right = run_seeds(parts, SEEDS)
lost = run_seeds(summed, SEEDS)
early = [
    run_seeds(parts.replace(steps=5, **other), SEEDS)
    for other in ({"averaging": "sum"}, {"averaging": "micro_batches", "lr": 4 * parts.lr})
]
adam = parts.replace(optimizer="adamw", lr=0.01, steps=60)
adam_right, adam_summed = (
    run_seeds(adam.replace(averaging=name), SEEDS) for name in ("tokens", "sum")
)


def median(histories):
    return float(np.median([history.final_loss for history in histories]))


claim(
    "seed 0: four parts, divided, give the losses of one batch of 32, to 0.0001 in all 100 updates",
    np.abs(right[0].loss - specimen["one batch of 32"].loss).max() < 1e-4,
)
claim("SGD, divided: every run ends below 0.4", all(h.final_loss < 0.4 for h in right))
claim("SGD, undivided: every run turns infinite or NaN", all(h.diverged for h in lost))
claim(
    "for the first updates it is the run with 4 times the learning rate, to 0.1 %",
    all(np.allclose(a.loss, b.loss, rtol=1e-3) for a, b in zip(*early, strict=True)),
)
claim(
    "AdamW: the medians with and without the division differ by less than 0.03",
    abs(median(adam_right) - median(adam_summed)) < 0.03,
)
check(
    "although its gradients are longer by a factor of",
    adam_summed[0].norm_before[0] / adam_right[0].norm_before[0],
    between=(3.8, 4.2),
)
hidden.reveal("one can hardly tell the two apart")

# %% [markdown]
# Under SGD a missing division by 4 is a learning rate 4 times too high, and here that is fatal. Adam divides the gradient
# by a running average of its own size, and the factor is gone. So the bug goes unnoticed in a loop that everybody runs
# with Adam. It was in nanoGPT, for instance, whose author noted what Adam does *not* hide, the threshold of the clip:
# "our gradient clip value is silently lower by a factor of `gradient_accumulation_steps`" (karpathy/nanoGPT#168).
#
# A clip can hide it as well. Where every update is clipped, each has the same length, whatever it was before. Two clips:
# a tight one, 0.1, with a learning rate of 3 so that its short gradients get anywhere, and one of 1.

# %%
clipped = {
    (lr, max_norm, averaging): run_seeds(
        parts.replace(lr=lr, max_norm=max_norm, averaging=averaging, steps=steps), SEEDS
    )
    for lr, max_norm, steps in [(3.0, 0.1, 60), (1.0, 1.0, 40)]
    for averaging in ("tokens", "sum")
}
tight = [clipped[3.0, 0.1, "tokens"], clipped[3.0, 0.1, "sum"]]
loose = [clipped[1.0, 1.0, "tokens"], clipped[1.0, 1.0, "sum"]]

claim(
    "SGD, max_norm 0.1: with the division and without, nearly every update is clipped",
    all(h.clipped_share > 0.97 for histories in tight for h in histories),
)
claim(
    "and every run ends below 0.7; the medians differ by less than 0.1",
    all(h.final_loss < 0.7 for histories in tight for h in histories)
    and abs(median(tight[0]) - median(tight[1])) < 0.1,
)
claim(
    "max_norm 1, 40 updates: divided, fewer than half are clipped; undivided, nine in ten or more",
    max(h.clipped_share for h in loose[0]) < 0.5
    and min(h.clipped_share for h in loose[1]) > 0.9,
)
plot.final_losses(
    {
        "SGD, divided": right,
        "SGD, undivided": lost,
        "AdamW, divided": adam_right,
        "AdamW, undivided": adam_summed,
        "SGD, clipped, divided": tight[0],
        "SGD, clipped, undivided": tight[1],
    },
    floor=lowest_loss(),
)

# %% [markdown]
# One row of six shows the bug. And the last claim is the sentence from nanoGPT in numbers: the same `max_norm=1` that cuts
# fewer than half of the updates cuts nine in ten of them when the division is missing. A test that trains and looks at the loss does not find it; a test that compares the
# accumulated gradient with that of the whole batch does, at once.
#
# ## 3 · Steer it
#
# Press **Run**. Then set *averaging* to `sum` while it trains, and catch the run with `lr` before it is lost. Try more
# and fewer accumulation steps: with `tokens` a longer window makes calmer curves, at the price of its time.

# %%
panel = explore(
    parts,
    "accumulation_steps",
    "batch_size",
    "averaging",
    floor=lowest_loss(),
    pinned={"undivided, seed 0": lost[0]},
)
panel

# %% [markdown]
# **Read the plot.** Press **Reset**, set *averaging* to `sum` and the learning rate to a quarter, 0.075, and run again. Which of
# the four charts differ from a run with `micro_batches` at 0.3?
#
# <details><summary>What there is to see</summary>
# The second: the gradients are four times as long. The steps, in the fourth chart, are as before: what SGD takes is learning rate times gradient, and the factors cancel.</details>
#
# ### The window, line by line
#
# `ledger.record` watches what happens to the gradients. Read the picture from top to bottom: the blue river becomes
# wider with each `backward`, and only then comes the step.

# %%
model, data = make_model(parts), NumberWords(seed=0, batch_size=8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)

with ledger.record(model, optimizer) as events:
    optimizer.zero_grad()  # once a window: whatever is in .grad would be added to
    for batch in [next(data) for _ in range(4)]:
        loss = cross_entropy(model(batch.inputs), batch.targets)
        (loss / 4).backward()  # adds to .grad, and frees its memory
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)  # once, when all are in
    optimizer.step()

first, *_, fourth = (event.norm for event in events if event.kind == "backward")
check(
    "norm after one of four micro-batches against all", first / fourth, between=(0.25, 0.35)
)
claim("the ledger has nothing to report", not events.findings())
claim(
    "after the step the gradients are still there: it reads them and leaves them",
    all(parameter.grad.any() for parameter in model.parameters()),
)
events

# %% [markdown]
# ## 4 · A mean of what?
#
# "Always divide by the number of micro-batches" is what most pages say. Then one division makes up for one sum. But look
# at what is divided: each loss is a *mean over the targets of its own micro-batch*. A linear classifier, a micro-batch of
# 10 targets that all have one class, and another one of 100 with all classes:


# %%
def relative(gradient, true):
    return float((gradient - true).norm() / true.norm())


def cosine(gradient, true):
    return float(torch.cosine_similarity(gradient, true, dim=0))


def errors(short, long=100, seed=0, compare=relative):
    """The relative error of three ways to accumulate a short and a long micro-batch."""
    torch.manual_seed(seed)
    layer, total = nn.Linear(16, 32), short + long
    x, y = torch.randn(total, 16), torch.randint(32, (total,))
    y[:short] = 0

    def gradient(loss, *sizes):
        layer.zero_grad()
        for inputs, targets in zip(x.split(sizes), y.split(sizes), strict=True):
            loss(layer(inputs), targets).backward()
        return torch.cat([parameter.grad.flatten() for parameter in layer.parameters()])

    def sums(logits, targets):
        return F.cross_entropy(logits, targets, reduction="sum")

    true = gradient(F.cross_entropy, total)
    return {
        "mean losses / 2": compare(gradient(F.cross_entropy, short, long) / 2, true),
        "summed losses / all targets": compare(
            gradient(lambda z, t: sums(z, t) / total, short, long), true
        ),
        "gradients / all targets, once": compare(gradient(sums, short, long) / total, true),
    }


found = [list(errors(10, seed=seed).values()) for seed in range(5)]
check("dividing by 2: the error with seed 0", found[0][0], 1.78, rtol=0.02)
check("dividing by 2: lowest error of 5 seeds", min(f[0] for f in found), between=(1.4, 1.6))
check("dividing by 2: highest", max(f[0] for f in found), between=(1.8, 2.0))
turned = [errors(10, seed=seed, compare=cosine)["mean losses / 2"] for seed in range(5)]
check("cosine to the right gradient: lowest of 5", min(turned), between=(0.5, 0.7))
check("cosine to the right gradient: highest", max(turned), between=(0.5, 0.7))
claim("the other two: below 0.00001", max(max(f[1:]) for f in found) < 1e-5)
equal = [list(errors(100, seed=seed).values()) for seed in range(5)]
claim("with 100 and 100 targets all three are", max(map(max, equal)) < 1e-5)

ratios = [1, 2, 5, 10, 20, 50]
of_ratio = [errors(100 // ratio) for ratio in ratios]
charts.curves(
    ratios,
    {label: [each[label] for each in of_ratio] for label in of_ratio[0]},
    title="relative error of the gradient",
    xlabel="targets of the long micro-batch for one of the short one",
    logx=True,
    logy=True,
    marker="o",
)

# %% [markdown]
# An error of 1 is as large as the gradient itself. With 10 and 100 targets the gradient is wrong by 178 % of its length (seed 0;
# 150 to 190 % on five seeds). The short micro-batch is a tenth as long and gets half the say, so each
# of its targets counts ten times as much as the others. No learning rate mends this, and neither does Adam, because the
# *direction* is wrong: its cosine to the right one is about 0.6.
#
# Two of the three lines lie at the bottom, at the rounding of float32. Divide the summed losses by the number of all targets
# in the window; or, if you learn this number only at the end, divide the gradients by it, once, before the clip. People
# call the latter a mistake. It is the same arithmetic.
#
# In October 2024 this was found in one library after another (huggingface/transformers#34191 is the best known;
# meta-pytorch/torchtune#1875 honours "the day the ML community first discovered the fact that (x1 / n1) + (x2 / n2) !=
# (x1 + x2) / (n1 + n2)"). And what does it do to *our* data, whose texts are all about 20 characters long?
# (Below it two layers that normalise, once over the examples of a batch and once within each example.)


# %%
def gradient_of(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def mean_of_means_error(seed, micro_batches, examples):
    model = make_model(whole.replace(seed=seed))
    data = NumberWords(seed, batch_size=examples)
    batches = [next(data) for _ in range(micro_batches)]
    counts = [int(batch.mask.sum()) for batch in batches]

    def accumulated(weights):
        model.zero_grad()
        for batch, weight in zip(batches, weights, strict=True):
            (cross_entropy(model(batch.inputs), batch.targets) * weight).backward()
        return gradient_of(model)

    by_targets = accumulated([count / sum(counts) for count in counts])
    return relative(accumulated([1 / micro_batches] * micro_batches), by_targets)


eights = [mean_of_means_error(seed, 4, 8) for seed in range(5)]
ones = [mean_of_means_error(seed, 8, 1) for seed in range(5)]
check("4 micro-batches of 8: highest error of 5 seeds", max(eights), between=(0.003, 0.05))
check("8 micro-batches of a single text: highest", max(ones), between=(0.06, 0.4))

unweighted = run_seeds(parts.replace(averaging="micro_batches", steps=50), SEEDS)
claim(
    "4 x 8, divided by 4: after 50 updates the median loss is within 0.03 of the right one",
    abs(median(unweighted) - median([history[:50] for history in right])) < 0.03,
)


def four_parts_error(normalise, seed):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(16, 32), normalise(32), nn.ReLU(), nn.Linear(32, 4))
    x, y = torch.randn(32, 16), torch.randint(4, (32,))

    def gradient(k):
        net.zero_grad()
        for inputs, targets in zip(x.chunk(k), y.chunk(k), strict=True):
            (F.cross_entropy(net(inputs), targets) / k).backward()
        return gradient_of(net)

    return relative(gradient(4), gradient(1))


batch_norm, layer_norm = (
    [four_parts_error(layer, seed) for seed in range(5)]
    for layer in (nn.BatchNorm1d, nn.LayerNorm)
)
check(
    "BatchNorm, 4 x 8 against 32: lowest error of 5 seeds",
    min(batch_norm),
    between=(0.25, 0.6),
)
check("BatchNorm: highest", max(batch_norm), between=(0.45, 0.8))
claim("LayerNorm: below 0.00001", max(layer_norm) < 1e-5)

# %% [markdown]
# A percent or two with 8 texts in a micro-batch, and the training does not notice. With a single text in each it is more, for
# two single texts differ more in length than two sets of 8. Where all micro-batches have about the same number of targets,
# dividing by their number is good enough. It is long answers beside short ones, with a batch of one, where it matters.
#
# BatchNorm is another matter. It subtracts the mean of the batch that it is given, and a micro-batch has another mean: the
# gradient is off by about half of its length, with equal counts and the right divisor. That is no bug in the loop, it is another
# model. LayerNorm looks at one example at a time and does not care. (The same holds for losses that compare the examples of a
# batch with each other: a micro-batch has fewer to compare.)
#
# ### Exercise 1: every token counts the same
#
# *12 minutes.* Targets of -100 do not count, and `F.cross_entropy` leaves them out by itself. When you are stuck, add a
# cell (press *B*) and ask `exercises.get("accumulate-tokens").hint(1)`; the other exercises have hints, too.


# %%
def accumulate_(model, optimizer, micro_batches):
    """Leave in `.grad` the gradient of the mean loss over all targets of all micro-batches; do not step.

    `micro_batches` is a list of `(inputs, targets)`, both `(batch, length)`; `model(inputs)` gives
    logits `(batch, length, vocabulary)`. Some micro-batches may have no target that counts. The
    gradients of the step before are still in `.grad`.
    """
    # BEGIN SOLUTION
    optimizer.zero_grad()
    total = sum((targets != -100).sum() for _, targets in micro_batches)
    for inputs, targets in micro_batches:
        logits = model(inputs).flatten(0, 1)
        loss = F.cross_entropy(logits, targets.flatten(), reduction="sum")
        (loss / total).backward()
    # END SOLUTION


# %%
exercises.get("accumulate-tokens").check(accumulate_)

# %% [markdown]
# ## 5 · What is left over
#
# An epoch has 10 micro-batches, and a window holds 4. So two are left. The loop that one meets most often:
#
# ```python
# for i, batch in enumerate(epoch, start=1):
#     (loss_fn(model, batch) / 4).backward()
#     if i % 4 == 0:
#         optimizer.step()
#         optimizer.zero_grad()
# ```

# %% tags=["hide-input"]
left_over = predict(
    "Two epochs with this loop. What becomes of the micro-batches 9 and 10 of the first epoch?",
    {
        "They are lost.": "No step comes after them, so nothing uses them.",
        "They make an update of half the size.": "Two of four are in it.",
        "They are in the first update of the next epoch.": "Nothing has cleared them, and backward() adds.",
    },
)
left_over

# %% [markdown]
# How much each micro-batch counts in each update can be measured. Give the loop a model in which micro-batch number $i$
# has a gradient that no other one has: then every update says of what it is made. `weights_in_updates` does that with any
# loop. Here are two ways to treat the rest, to be tried on epochs of several lengths. Each bar is an update, each piece of
# it a micro-batch; the second epoch is hatched, and the dotted line is a mean.


# %%
def nothing(model, optimizer, epoch, loss_fn, k=4):
    for i, batch in enumerate(epoch, start=1):
        (loss_fn(model, batch) / k).backward()
        if i % k == 0:
            optimizer.step()
            optimizer.zero_grad()


def extra_step(model, optimizer, epoch, loss_fn, k=4):
    nothing(model, optimizer, epoch, loss_fn, k)
    if len(epoch) % k:
        optimizer.step()
        optimizer.zero_grad()


loops = {"no step at the end": nothing, "an extra step": extra_step}


def draw(micro_batches, rest):
    made = weights_in_updates(loops[rest], micro_batches, epochs=2)
    return charts.windows({f"{micro_batches} micro-batches, {rest}": made}, micro_batches)


def sums(loop):
    return weights_in_updates(loop, 10, epochs=2).sum(dim=1).tolist()


claim(
    "no step at the end: the updates weigh 1, 1, 1.5, 1",
    np.allclose(sums(nothing), [1, 1, 1.5, 1]),
)
claim(
    "and half an update waits for the next epoch",
    np.isclose(20 / 4 - sum(sums(nothing)), 0.5),
)
claim(
    "an extra step: 1, 1, 0.5 in each epoch", np.allclose(sums(extra_step), [1, 1, 0.5] * 2)
)
display(left_over.reveal("They are in the first update of the next epoch."))
slide(
    draw, micro_batches=(4, 6, 8, 9, 10, 11), rest=tuple(loops), start={"micro_batches": 10}
)

# %% [markdown]
# Nothing is lost, and that is the trouble: half a window of gradients, computed with old weights, is added to the first
# update of the next epoch, which is then half too long. With a step at the end they are used in time, but divided by 4
# where there are two of them. (Both were in widely used trainers: huggingface/transformers#22098 and #39659.)
#
# How much does it matter? One update in an epoch, and where an epoch has thousands, little. It matters where epochs
# are short.
#
# ### Exercise 2: the last window
#
# *12 minutes.* The clip belongs to every window, to the short one as well. When it is right, add a cell and look at what your
# updates are made of:
#
# ```python
# made = weights_in_updates(lambda *loop: train_epoch(*loop, 4, 1000.0), 10, epochs=2)
# charts.windows({"mine": made}, 10)
# ```


# %%
def train_epoch(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    """Train for one epoch: an update for every `accumulation_steps` micro-batches, and one for the rest.

    Each update uses the gradient of the mean over the micro-batches of its own window, its norm at
    most `max_norm`. `micro_batches` is a list, `loss_fn(model, batch)` the mean loss of one of them;
    all have the same size. At the first call no parameter has a gradient yet.
    """
    # BEGIN SOLUTION
    for start in range(0, len(micro_batches), accumulation_steps):
        window = micro_batches[start : start + accumulation_steps]
        optimizer.zero_grad()
        for batch in window:
            loss = loss_fn(model, batch) / len(window)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
    # END SOLUTION


# %%
exercises.get("leftover-window").check(train_epoch)

# %% [markdown]
# ### A case file
#
# It happened in a public project. We have rebuilt the mistake around our own model and run it, so the trace is real. Read
# it, commit a diagnosis, and only then run the next cell: it shows the code, the ledger and the verdict.

# %%
case = cases.get("every-third-update")
display(case, case.trace(), case.diagnose())

# %%
display(case.loop(), case.ledger(), case.verdict())

# %% [markdown]
# ## 6 · Once a window
#
# The clip, the clearing, the division of gradients: each belongs once to a window, and each is met inside the loop. Four
# micro-batches whose gradients are equally long and mostly noise (1000 numbers, 0.1 each, and noise of size 1), and what each
# of them counts:


# %%
def window(after_each=lambda model, k: None, at_the_end=lambda model, k: None):
    """A loop that makes one update of all its micro-batches, with something done after each, or at the end."""

    def loop(model, optimizer, batches, loss_fn):
        for batch in batches:
            (loss_fn(model, batch) / len(batches)).backward()
            after_each(model, len(batches))
        at_the_end(model, len(batches))
        optimizer.step()

    return loop


def clip(model, k):
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)


def divide(model, k):
    model.weight.grad /= k


def four_gradients(seed):
    return 0.1 + torch.randn(4, 1000, generator=torch.Generator().manual_seed(seed))


for seed in range(3):
    gradients = four_gradients(seed)
    once, each = (
        weights_in_updates(window(**{place: clip}), gradients)[0]
        for place in ("at_the_end", "after_each")
    )
    claim(f"seed {seed}: clipped once, all four count the same", np.ptp(once.numpy()) < 1e-6)
    check(f"seed {seed}: clipped after each, first", each[0], between=(0.017, 0.030))
    check(f"seed {seed}: clipped after each, last", each[3], between=(0.12, 0.16))
    mean = gradients.double().mean(0)
    turned = torch.cosine_similarity(each @ gradients.double(), mean, dim=0)
    check(f"seed {seed}: cosine to the mean", turned, between=(0.75, 0.92))
    part = float((gradients[0] / 4).norm() / mean.norm())
    check(f"seed {seed}: norm of a divided part against the mean", part, between=(0.44, 0.58))

divided = weights_in_updates(window(after_each=divide), 4)[0] * 4  # the loss itself undivided
claim(
    "gradients divided in the loop: 1/256, 1/64, 1/16, 1/4",
    np.allclose(divided, [1 / 256, 1 / 64, 1 / 16, 1 / 4]),
)
claim("together a third of what they should be", abs(float(divided.sum()) - 1 / 3) < 0.01)
last = {steps: lr_at(99, lr=1.0, steps=steps, schedule="cosine") for steps in (100, 400)}
check("rate at the last update, period 100 updates", last[100], between=(0, 0.001))
check("rate at the last update, period 400", last[400], between=(0.84, 0.87))
charts.weights({"clipped once": once, "clipped after each": each})

# %% [markdown]
# `backward()` adds to what is there, so a clip inside the loop clips *everything summed so far*, again and again, and
# what came first shrinks most. A division inside the loop does the same, only faster.
#
# The last number of each seed corrects a common picture: that each part brings about a quarter of the gradient. It would, if
# all pointed in the same direction. Four at right angles bring a half each, and these four are nearly that. At the beginning
# of training micro-batches still agree more: in the ledger of section 3 the first one brought about 0.3. Section 8 has the rest
# of this story.
#
# And there are two clocks: micro-batches and updates. The learning rate belongs to updates. 400 micro-batches in windows of
# four are 100 updates, and a cosine that is meant to end with them but counts micro-batches has hardly begun to fall.
#
# ## 7 · What it saves
#
# Memory. A training step keeps four things: parameters, gradients, the optimizer's state, and the *activations*, which
# the forward pass computes and the backward pass needs. `step_memory` counts them, to the byte.


# %%
def measured(micro_batches, examples, together=False):
    model = make_model(adam)
    optimizer = make_optimizer(adam, model)
    batch = encode(
        [spell(333)] * examples
    )  # all of one length, so that sizes can be compared

    def update():
        optimizer.zero_grad()
        total = 0.0
        for _ in range(micro_batches):
            loss = cross_entropy(model(batch.inputs), batch.targets) / micro_batches
            if together:
                total = total + loss  # keeps everything that the backward pass will need
            else:
                loss.backward()
        if together:
            total.backward()
        optimizer.step()

    return step_memory(model, optimizer, update)


kept = {
    "one batch of 8": measured(1, 8),
    "one batch of 16": measured(1, 16),
    "one batch of 32": measured(1, 32),
    "4 × 8, accumulated": measured(4, 8),
    "4 × 8, one backward at the end": measured(4, 8, together=True),
}
eight, sixteen, thirty_two, accumulated, at_the_end = kept.values()

check(
    "activations of 16 examples over those of 8",
    sixteen.activations / eight.activations,
    2.0,
    1e-3,
)
check("of 32 over those of 8", thirty_two.activations / eight.activations, 4.0, 1e-3)
claim(
    "the other three parts do not move", len({tuple(each)[:3] for each in kept.values()}) == 1
)
claim("accumulated, 4 × 8 need what 8 need", accumulated == eight)
check(
    "with one backward at the end they need as much as 32",
    at_the_end.activations / thirty_two.activations,
    1.0,
    rtol=0.01,
)
charts.memory(kept)

# %% [markdown]
# Activations grow with the micro-batch and not with the window, so accumulation keeps them at those of one micro-batch, at
# no price but time. Look at the last bar. Adding up the *losses* and calling `backward()` once is right as arithmetic,
# and it saves nothing, because every micro-batch's activations wait for that one call. It is an easy way to weight by tokens,
# too, and torchtune took it for a while: activations were "hanging around longer than they should and blowing up our
# memory", until each micro-batch got its `backward` back (meta-pytorch/torchtune#1917).
#
# ## 8 · How large a window?
#
# Longer windows make calmer gradients. How much calm is worth the time? The gradient of $B$ examples is the gradient $G$
# over all data plus noise, and the noise shrinks as $B$ grows. On average over batches
#
# $$\lVert \text{gradient of } B \text{ examples} \rVert^2 = \underbrace{\lVert G \rVert^2}_{\text{signal}} + \frac{\text{noise}}{B}.$$
#
# At $B = \text{noise} / \text{signal}$ both are equally large. This is the *gradient noise scale* (McCandlish and others, arXiv
# 1812.06162): far below it, twice the batch is nearly as good as two updates; far above it, the second half of the batch is
# wasted. Two batch sizes are two equations for the two unknowns, and an accumulation loop has both: micro-batch and window.
# First a problem small enough to know the truth, a linear classifier on 20,000 samples:


# %%
def per_sample_gradients(layer, x, y):
    """Of the cross-entropy of a linear layer: (softmax - target) times the input, for each sample a row."""
    slope = torch.softmax(layer(x).detach(), 1) - F.one_hot(y, 10)
    return torch.einsum("np,nd->npd", slope, F.pad(x, (0, 1), value=1.0)).flatten(1)


def estimates(seed, small=8, large=64, updates=200):
    """The exact noise scale, and two running estimates from `updates` windows of micro-batches."""
    torch.manual_seed(seed)
    x, teacher = torch.randn(20_000, 32), torch.randn(32, 10)
    y = (x @ teacher + 3 * torch.randn(20_000, 10)).argmax(1)
    layer = nn.Linear(32, 10)
    exact = exact_noise_scale(per_sample_gradients(layer, x, y))
    scale, right_way, ratios = NoiseScale(small, large), [], []
    for _ in range(updates):
        chosen = torch.randint(20_000, (large,))
        window = per_sample_gradients(layer, x[chosen], y[chosen])
        micro = window[
            :small
        ]  # one of the micro-batches; all of them would say a little more
        one = NoiseScale(small, large)
        for each in (scale, one):
            each.update(*(float((part.mean(0) ** 2).sum()) for part in (micro, window)))
        right_way.append(scale.value)
        ratios.append(one.noise / one.signal)
    return exact, np.array(right_way), np.cumsum(ratios) / np.arange(1, updates + 1)


tried = [estimates(seed) for seed in range(SEEDS)]
check("exact, lowest of 3 seeds", min(exact for exact, *_ in tried), between=(115, 150))
check("exact, highest", max(exact for exact, *_ in tried), between=(115, 150))
claim(
    "after 200 windows of 8 × 8 the estimate is within 15 % of it on each seed",
    all(abs(right_way[-1] / exact - 1) < 0.15 for exact, right_way, _ in tried),
)
claim(
    "the mean of their ratios misses it by more than 30 % on at least one",
    max(abs(ratios[-1] / exact - 1) for exact, _, ratios in tried) > 0.3,
)
wider = [estimates(seed, 32, 256) for seed in range(SEEDS)]
claim(
    "after 200 windows of 8 × 32, within 10 %",
    all(abs(right_way[-1] / exact - 1) < 0.10 for exact, right_way, _ in wider),
)
charts.curves(
    range(1, 201),
    {
        "averaged, then divided": [right_way / exact for exact, right_way, _ in tried],
        "mean of the ratios": [ratios / exact for exact, _, ratios in tried],
    },
    title="estimate / exact noise scale",
    xlabel="windows of 8 × 8 so far (three seeds)",
    level=("exact", 1),
    ylim=(0, 3),
)

# %% [markdown]
# The orange lines are the mistake to avoid. The signal of a single window may be nearly 0 or below it by chance, and then
# its ratio is anything; one such window moves the mean for a long time. Signal and noise by themselves are right on
# average. So average them first and divide last.
#
# ### Exercise 3: estimate it from a log
#
# *10 minutes.* The log of an accumulation loop holds a norm of a micro-batch's gradient and one of the window's for each
# update.


# %%
def noise_scale(small_norms, large_norms, small_batch, large_batch):
    """The gradient noise scale, in examples, from the norms of many updates at two batch sizes.

    For one update:
        signal = (large_batch * large**2 - small_batch * small**2) / (large_batch - small_batch)
        noise = (small**2 - large**2) / (1 / small_batch - 1 / large_batch)
    Return `float("nan")` where the estimate of the signal is not above 0.
    """
    # BEGIN SOLUTION
    small = np.mean(np.square(small_norms))
    large = np.mean(np.square(large_norms))
    signal = (large_batch * large - small_batch * small) / (large_batch - small_batch)
    noise = (small - large) / (1 / small_batch - 1 / large_batch)
    return noise / signal if signal > 0 else float("nan")
    # END SOLUTION


# %%
exercises.get("noise-scale").check(noise_scale)

# %% [markdown]
# ### Along a run of our model
#
# Four micro-batches of 8 texts, SGD, and an estimate for every 25 updates. What the loop needs beside the usual lines is the
# gradient of each micro-batch alone, and that is the difference of two running sums.


# %%
def noise_along(seed, updates=100, every=25, k=4, examples=8):
    """The noise scale in texts for each `every` updates, and the model at the end."""
    model = make_model(whole.replace(seed=seed))
    data = NumberWords(seed, batch_size=examples)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9, fused=True)
    scales = [NoiseScale(examples, k * examples) for _ in range(updates // every)]
    for update in range(updates):
        optimizer.zero_grad()
        so_far, small = 0.0, []
        for batch in (next(data) for _ in range(k)):
            (cross_entropy(model(batch.inputs), batch.targets) / k).backward()
            now = gradient_of(model)
            small.append(float(((k * (now - so_far)) ** 2).sum()))  # k undoes the division
            so_far = now
        scales[update // every].update(small, float((so_far**2).sum()))
        optimizer.step()
    return [scale.value for scale in scales], model


def norm_of(model, examples, batches=12):
    """The mean norm of the gradient of so many examples."""
    data, norms = NumberWords(7, batch_size=examples), []
    for batch in (next(data) for _ in range(batches)):
        model.zero_grad()
        cross_entropy(model(batch.inputs), batch.targets).backward()
        norms.append(float(gradient_of(model).norm()))
    return np.mean(norms)


along, trained = zip(*[noise_along(seed) for seed in range(SEEDS)], strict=True)
check("first 25 updates, lowest of 3 seeds", min(a[0] for a in along), between=(4, 14))
check("first 25 updates, highest", max(a[0] for a in along), between=(4, 14))
check("last 25, lowest", min(a[-1] for a in along), between=(20, 60))
claim(
    "in the last 25 it is more than twice as large on each seed",
    all(a[-1] > 2 * a[0] for a in along),
)
claim(
    "after the run a single text has more than three times the gradient norm of 32 texts",
    all(norm_of(model, 1) > 3 * norm_of(model, 32) for model in trained),
)
charts.curves(
    [25, 50, 75, 100],
    {f"seed {seed}": values for seed, values in enumerate(along)},
    title="gradient noise scale, texts",
    xlabel="updates so far",
    marker="o",
)

# %% [markdown]
# It grows as the loss falls: the common signal is used up, and what is left are differences between texts. So a batch of 32
# is large at the beginning, several times the noise scale, and at the end it is about as large as the noise scale. An estimate from 25 updates is still a rough one; read its order of size and no more.
#
# The last claim is the same equation, read the other way. A smaller batch is sometimes recommended against exploding
# gradients. It makes them *longer*, by its noise.
#
# ## 9 · Said about this, and measured
#
# | What people say | What this lab measured | Section |
# |---|---|---|
# | Accumulating gives the same result as one large batch. | Yes for means over the right count: the same losses to 0.0001 over 100 updates. Not with BatchNorm: the gradient is off by about half of its length. | 2, 4 |
# | Always divide by the number of micro-batches. | With 10 and 100 targets the gradient is wrong by 178 % of its length (seed 0; five seeds: 150 to 190 %). On texts of nearly one length it is a percent or two, and the training does not notice. | 4 |
# | Without the division the learning rate is N times as high. | Under SGD, yes. Under AdamW one sees no difference, and the clip's threshold is N times tighter; and a clip that always acts hides it under SGD. | 2 |
# | Divide the loss, never the gradients. | Once a window it is the same arithmetic, to rounding. Inside the loop it is wrong: 1/256, 1/64, 1/16, 1/4. | 4, 6 |
# | For the micro-batches that are left at the end, one extra step is enough. | That update weighs 0.5 where the others weigh 1. Without the step the next epoch begins with 1.5. | 5 |
# | Clipping each micro-batch protects better. | It clips the sum so far: the first counts less than a quarter of the last, and the direction turns. | 6 |
# | Each of four parts brings about a quarter of the gradient. | About half of its length, where noise dominates. In our first window 0.3, for there the micro-batches still agree. | 3, 6 |
# | The step uses up the gradients. | They are all there afterwards. That is why they must be cleared. | 3 |
# | The cosine's period is the number of steps. | Of updates. Counted in micro-batches, the rate ends at 0.85 of its peak. | 6 |
# | A smaller batch helps against exploding gradients. | Its gradients are longer: after our runs, more than three times as long for one text as for 32. | 8 |
#
# ## 10 · What to remember
#
# Three questions, answered from memory; two of them reach back to earlier labs. The loss scale of the last one is the
# subject of the next lab, **04_mixed_precision**.

# %% tags=["hide-input"]
display(
    recall(
        "Your micro-batches hold 2,000, 1,900 and 40 targets, and the loop divides each mean loss by 3. What is wrong with the gradient?",
        {
            "Its length, by a constant factor": "A constant factor would be harmless under Adam. Here the direction is wrong.",
            "The targets of the short micro-batch count about fifty times as much": "40 targets get the same third of the weight as 2,000.",
            "Nothing: Adam corrects for it": "Adam undoes a factor common to all gradients. The weights inside the sum are gone by then.",
        },
        answer="The targets of the short micro-batch count about fifty times as much",
        pitfalls={"Its length, by a constant factor": "wrong-accumulation-divisor"},
    ),
    recall(
        "AdamW with `max_norm=1`, and 8 micro-batches whose losses are not divided. The final loss is fine. What do you look at in the log?",
        {
            "The share of clipped updates": "The threshold is 8 times tighter than it looks, so it is near 100 %.",
            "The learning rate": "Adam's steps do not depend on a common factor, so it acts as it should.",
            "Nothing: the loss is fine": "The clip no longer cuts accidents, it sets the length of what goes into Adam's memory.",
        },
        answer="The share of clipped updates",
        pitfalls={"Nothing: the loss is fine": "always-clipped"},
    ),
    recall(
        "In a loop with a GradScaler and accumulation, which of these belong once to a window and not to each micro-batch?",
        {
            "`unscale_`, clip, `step`, `update`": "The gradient is whole only after the last backward pass.",
            "`scale(loss).backward()`": "This one is the micro-batch's: it adds its gradient and frees its memory.",
            "All of them": "Then the clip would cut the running sum, and a second `unscale_` is refused.",
        },
        answer="`unscale_`, clip, `step`, `update`",
        pitfalls={"All of them": "clip-each-micro-batch"},
    ),
)
