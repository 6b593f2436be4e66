# %% [markdown]
# # Mixed precision
#
# What happens to a gradient in 16 bits: which part of it disappears, how a loss scale brings it back, where the clip has to
# stand then, and what all of this does not do.
#
# *About 75 minutes, with three exercises and a case file. A CPU is enough: everything here really runs in 16 bits on it.*
#
# ## 1 · A run that stands still
#
# A small transformer, trained by plain SGD as in lab 01, and a second run that differs from it in one thing: its forward pass
# computes in float16, a number format of 16 bits. That is what `precision="fp16"` does. The weights stay in float32, the
# usual format of 32 bits, and so does the update; hence *mixed* precision.
#
# The loss is multiplied by a millionth, as if it were a small term beside others, and the learning rate is a million times
# larger. So in exact arithmetic nothing changes.

# %%
import math
import time
from itertools import islice

import numpy as np
import torch
from IPython.display import display
from torch.nn import functional

from gradlab import (
    Recipe,
    cases,
    check,
    claim,
    exercises,
    explore,
    global_norm,
    ledger,
    magnitudes,
    plot,
    predict,
    recall,
    run,
    run_seeds,
    slide,
)
from gradlab.data import NumberWords, lowest_loss
from gradlab.model import cross_entropy
from gradlab.plot_loss_scale import loss_scales
from gradlab.train import make_model

torch.set_num_threads(1)  # threads cost more than they bring for matrices this small
SEEDS = 3
plain = Recipe(n_layers=2, steps=60)
small = plain.replace(loss_weight=1e-6, lr=0.3e6, max_norm=None)

wide = run_seeds(small, SEEDS)
half = run_seeds(small.replace(precision="fp16"), SEEDS)
plot.runs({"float32": wide, "float16": half}, top=5)

# %% tags=["hide-input"]
stuck = predict(
    "The float16 run does not learn, and it reports no error. What is its gradient?",
    {
        "Infinite or NaN": "The numbers of float16 end early.",
        "Too small for this learning rate": "Then a larger learning rate would help.",
        "Zero, in every entry": "Then no learning rate could help.",
    },
)
stuck

# %%
claim(
    "float32 learns on each of three seeds, to a loss below 1",
    all(h.final_loss < 1 for h in wide),
)
claim(
    "float16 stays within 0.3 of where it began",
    all(abs(h.final_loss - h.loss[0]) < 0.3 for h in half),
)
claim(
    "every gradient of all 60 steps has norm 0",
    all((h.norm_before == 0).all() for h in half),
)
claim("nothing is infinite or NaN", not any(h.diverged for h in half))
stuck.reveal("Zero, in every entry")

# %% [markdown]
# No infinity, no NaN, no warning: a norm of exactly 0. This is called **underflow**: a number that is too small
# for its format becomes 0. (From half of the format's smallest number on it is rounded up to that one instead.)
#
# ## 2 · Bring it back by hand
#
# The cure needs no new idea. If the numbers are too small, multiply the loss by a large factor, the **loss scale**, before the
# backward pass. Every gradient is then larger by that factor, and it is divided out again before the weights move.
#
# Press **Run**. The loss scale is *static*, it stays where you put it; it stands at 1, and nothing moves. (The gradient norm
# has no line yet: a norm of 0 has no place on a logarithmic axis.) Take the scale up while the run goes on. At which scale
# does the loss begin to fall? Does it fall faster at a larger one? Then press *Reset* and try `bf16` instead, at scale 1.
# (Leave the clip and *unscale before clip* alone until section 6.)

# %%
panel = explore(
    small.replace(precision="fp16", loss_scaling="static", loss_scale=1.0),
    "precision",
    "loss_scaling",
    "loss_scale",
    "unscale",
    ranges={"lr": (1e4, 1e6), "max_norm": (1e-8, 1e-4)},
    floor=lowest_loss(),
    pinned={"float32, seed 0": wide[0]},
)
panel

# %% [markdown]
# <details><summary>What there is to see</summary>
# At scales 1 to 4 nothing moves. Between about 8 and 128 the run moves, and may go up instead of down: a part of the gradient
# is still lost, and the longer the run learns, the less what is left points the right way. From some 2<sup>10</sup> on it learns like the grey run, and a still larger
# scale does not make it faster: the factor is divided out again, so it decides only what survives. With <code>bf16</code> the
# run learns without any scale.</details>
#
# The same from cells: with the scale $2^{16} = 65{,}536$, the usual one; with one that is too small, $2^5$; and in bfloat16. And
# the place where all of this does nothing: our model with the usual weight of its loss. Then the gradient itself, beside the
# one of float32 at the same weights: which of its entries are 0, and how far it points the same way (the *cosine*: 1 is the
# same direction, 0 a right angle). `torch.autocast` computes a forward pass in 16 bits; section 4 looks at it.

# %%
with_scale = small.replace(precision="fp16", loss_scaling="static")
scaled = run_seeds(with_scale, SEEDS)
too_small = run_seeds(with_scale.replace(loss_scale=2.0**5), SEEDS)
brain = run_seeds(small.replace(precision="bf16"), SEEDS)
usual, usual_half = run_seeds(plain, SEEDS), run_seeds(plain.replace(precision="fp16"), SEEDS)


def apart(some, others):
    """The largest difference of final losses, seed by seed."""
    return max(abs(a.final_loss - b.final_loss) for a, b in zip(some, others, strict=True))


check("fp16 at scale 65,536: distance from float32", apart(scaled, wide), between=(0, 0.1))
check("bf16 without a scale: distance from float32", apart(brain, wide), between=(0, 0.1))
claim(
    "fp16 at scale 32: every seed ends higher than it began, or beyond all numbers",
    all(h.final_loss > h.loss[0] for h in too_small),
)


def gradients_of(model, batch, dtype, scale=1.0):
    """The gradients of the small loss, divided by the scale again."""
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        loss = cross_entropy(model(batch.inputs), batch.targets)
    grads = torch.autograd.grad(loss * small.loss_weight * scale, list(model.parameters()))
    return [grad / scale for grad in grads]


def compared(scale, updates=0):
    """For each seed, after some updates at this scale: the share of entries that are 0 in float16, the first
    tensor that has others (1 is the model's last one), and the cosine with float32's gradient."""
    for seed in range(SEEDS):
        model, data = make_model(small.replace(seed=seed)), NumberWords(seed)
        for batch in islice(data, updates):
            grads = gradients_of(model, batch, torch.float16, scale)
            for weight, grad in zip(model.parameters(), grads, strict=True):
                weight.data -= small.lr * grad
        batch = next(data)
        true = gradients_of(model, batch, torch.float32)
        part = gradients_of(model, batch, torch.float16, scale)
        alive = [place for place, grad in enumerate(reversed(part), 1) if grad.any()]
        true, part = (torch.cat([g.flatten() for g in grads]) for grads in (true, part))
        cosine = torch.cosine_similarity(true, part, dim=0).item()
        yield (part == 0).double().mean().item(), max(alive, default=0), cosine


claim(
    "at scale 4 all of the first gradient is 0",
    all(zero == 1 for zero, _, _ in compared(2.0**2)),
)
zeros, alive, cosines = zip(*compared(2.0**5), strict=True)
check("at scale 32, share of entries that are 0, at least", min(zeros), between=(0.9, 0.999))
claim("only the last layer's gradient has other entries", alive == (1,) * SEEDS)
check("and cosine with the true gradient, at least", min(cosines), between=(0.65, 0.95))
_, _, cosines = zip(*compared(2.0**5, updates=13), strict=True)
check("13 updates later, cosine at most", max(cosines), between=(-1, 0.6))
_, _, cosines = zip(*compared(2.0**10), strict=True)
check("at scale 2^10, cosine with the true gradient", min(cosines), between=(0.99, 1))
check(
    "usual loss, fp16 without a scale: distance from float32",
    apart(usual_half, usual),
    between=(0, 0.1),
)
plot.runs(
    {"float32": wide, "fp16, 65,536": scaled, "bf16": brain, "fp16, 32": too_small}, top=5
)

# %% [markdown]
# Three of the four lie on each other. At scale 32 the run learns at first and then blows up. In the beginning only the last
# layer has a gradient at all, and it points roughly the right way, so the loss falls. A dozen updates later it does not any
# more, and the learning rate that was right for the whole gradient is not for this one. So a lost gradient need not look lost.
# Where nothing is left the run stands still; where something is left it may do anything.
#
# ## 3 · Two ways to spend 16 bits
#
# A floating-point number has bits for its exponent, which decide how large and how small it can be, and bits for its digits.
# float16 has 5 and 10 of them (and one for the sign), bfloat16 has 8 and 7, float32 has 8 and 23. So bfloat16 has the range of
# float32 with fewer digits, and float16 has more digits within a small range.
#
# Between $2^{-24}$ and $2^{-14}$ the numbers of float16 still exist, but with fewer and fewer digits; they are called
# *subnormal*. Which entries of a gradient come so low? Here is one where it hurts: 256 classes, and predictions that are very
# sure. The gradient of the loss with respect to the scores is tiny for every class that is as good as excluded. (We make
# scores at random and multiply them by 6.)

# %%
half_limits = magnitudes.limits(torch.float16)
check("float16: largest number", half_limits.largest, 65504)
check("float16: smallest number above 0, 2^-24", half_limits.smallest, 2**-24)
check(
    "float16: smallest number with all its digits, 2^-14", half_limits.smallest_normal, 2**-14
)
check("bfloat16: largest number", magnitudes.limits(torch.bfloat16).largest, 3.39e38)
check("float32: largest number", magnitudes.limits(torch.float32).largest, 3.40e38)
check("float16: from 1 to the next number, 2^-10", torch.finfo(torch.float16).eps, 2**-10)
check("bfloat16: from 1 to the next number, 2^-7", torch.finfo(torch.bfloat16).eps, 2**-7)
claim(
    "the well-known epsilon of 1e-8 is 0 in float16",
    torch.tensor(1e-8, dtype=torch.float16) == 0,
)
claim(
    "exp(12) is infinite in float16, exp(11) is not",
    torch.tensor([11.0, 12.0]).half().exp().isinf().tolist() == [False, True],
)


def score_gradient(rows, seed=0):
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, 256, generator=draw).requires_grad_()
    functional.cross_entropy(
        6 * scores, torch.randint(256, (rows,), generator=draw)
    ).backward()
    return scores.grad


def lost(gradient, power, dtype=torch.float16):
    """Percent of the entries that become 0 in `dtype` at loss scale 2^power."""
    return 100 * magnitudes.shares(gradient, dtype, 2.0**power).underflow


gradients = [score_gradient(4096, seed) for seed in range(SEEDS)]
for power, percent in {0: 84.8, 3: 76.0, 8: 56.4, 16: 24.0, 24: 5.9}.items():
    mean = np.mean([lost(gradient, power) for gradient in gradients])
    check(f"% lost at scale 2^{power}, mean of three seeds", mean, percent, atol=3)

draw = torch.Generator().manual_seed(0)
below = torch.randn(4096, 64, generator=draw).requires_grad_()
head = torch.randn(64, 256, generator=draw) / 8
functional.cross_entropy(
    6 * below @ head, torch.randint(256, (4096,), generator=draw)
).backward()
check("% lost at scale 1, one layer further down", lost(below.grad, 0), between=(0.0, 0.5))

gradient = gradients[0]
fits, beyond = (magnitudes.shares(gradient, loss_scale=2.0**power) for power in (24, 28))
claim(
    "at scale 2^24 no entry is too large, at 2^28 some are",
    fits.overflow == 0 < beyond.overflow,
)
claim("and some are still too small there", beyond.underflow > 0)
claim("in bfloat16 nothing is lost", lost(gradient, 0, torch.bfloat16) == 0)
norm_lost = gradient[gradient.half() == 0].double().norm() / gradient.double().norm()
claim("at scale 1, those 84.8 % hold less than a thousandth of the norm", norm_lost < 0.001)


shown = gradient[
    :400
]  # a name that no later cell uses, for the slider draws with what it finds


def draw_shares(log2_scale, dtype):
    return magnitudes.histogram(shown, getattr(torch, dtype), 2.0**log2_scale)


slide(draw_shares, log2_scale=tuple(range(0, 41, 4)), dtype=("float16", "bfloat16"))

# %% [markdown]
# Mark two of the lines. One layer further down next to nothing is lost, because each entry there is a sum over all classes, and
# the large ones decide it. And those 84.8 % of the entries hold less than a thousandth of the norm. So a share of *entries* sounds
# worse than it is, as long as the large ones survive. It becomes serious where all of a gradient is small, as in section 1.
#
# In the picture (of 400 of the rows) the bars are the gradient, and they stay. The window between the limits moves: at scale
# $S$ float16 can hold what lies between $2^{-24}/S$ and $65504/S$. (One more bar survives, left of *smallest*: it is rounded
# up.) **Read the plot:** slide to the right. From which scale on does the window lose entries at its other end? And what is
# left to do in bfloat16?
#
# <details><summary>What there is to see</summary>
# At scale 2<sup>24</sup> the largest entries still fit, at 2<sup>28</sup> they become infinite, while some small ones are still
# lost: the whole of this gradient does not fit into float16 at any scale. In bfloat16 the window holds everything at scale
# 1.</details>
#
# ## 4 · Which numbers are 16 bits wide?
#
# *"float16 forward, float32 backward"*, one often reads. Ask the gradients. Inside a `torch.autocast` block matrix products and
# layers like them are computed in 16 bits; that is what `precision` switches on. And `register_hook` on a tensor calls a function
# with its gradient when backpropagation comes by:


# %%
def dtypes_in(dtype):
    model, batch = make_model(plain), next(NumberWords(seed=0))
    layer, passing = model.head, {}

    def watch(module, inputs, output):
        passing["output"] = output.dtype
        output.register_hook(lambda gradient: passing.update(gradient=gradient.dtype))

    layer.register_forward_hook(watch)
    with torch.autocast("cpu", dtype):
        loss = cross_entropy(model(batch.inputs), batch.targets)
    loss.backward()
    return passing | {
        "loss": loss.dtype,
        "weight": layer.weight.dtype,
        "its": layer.weight.grad.dtype,
    }


for dtype in (torch.float16, torch.bfloat16):
    found, name = dtypes_in(dtype), str(dtype).removeprefix("torch.")
    claim(f"a layer's output is {name}", found["output"] == dtype)
    claim(f"and so is the gradient of this output: it is {name}", found["gradient"] == dtype)
    claim(
        "the loss, the weights and the gradients of weights are float32",
        {found["loss"], found["weight"], found["its"]} == {torch.float32},
    )

# %% [markdown]
# Backward runs in the dtype that forward ran in. The gradients of *weights* are float32, because the weights are. But they are
# computed from gradients of outputs that have passed through 16 bits, and what became 0 there is 0 in float32, too. So it does
# not help to look at the dtype of `.grad`.
#
# ## 5 · The scale finds its own size
#
# Too small a scale loses small gradients. Too large a one makes large gradients infinite, which is called **overflow**. Which is right changes during
# training. torch's `GradScaler` tries it out: after an overflow it halves the scale and *leaves the update out*, and after many
# good steps in a row it doubles it. Let it begin far too high, at $2^{32}$, and double after 5 good steps instead of the usual
# 2,000, so that there is something to see.

# %%
dance = plain.replace(
    precision="fp16", loss_scaling="dynamic", loss_scale=2.0**32, growth_interval=5
)
danced = run_seeds(dance, SEEDS)

claim(
    "the scale is halved by every skipped update, and by no other",
    all(
        np.array_equal(h.loss_scale[1:] == h.loss_scale[:-1] / 2, h.skipped[:-1])
        for h in danced
    ),
)
claim(
    "a skipped update moves no weight, not by one bit",
    all((h.update_ratio[h.skipped] == 0).all() for h in danced),
)
check(
    "fewest updates skipped before the first one that is made",
    min(h.skipped.argmin() for h in danced),
    between=(8, 18),
)
claim(
    "all three learn all the same: the loss falls by more than 2",
    all(h.final_loss < h.loss[0] - 2 for h in danced),
)
claim("none of them counts as diverged", not any(h.diverged for h in danced))

calm = run_seeds(plain.replace(precision="fp16", loss_scaling="dynamic"), SEEDS)
claim(
    "begun at 65,536, with the usual interval, none skips an update",
    not any(h.skipped.any() for h in calm),
)
loss_scales(danced[0])

# %% [markdown]
# Every cross is an update that was paid for and thrown away; an infinite gradient is part of the plan here, and no sign of a
# failed run. Only a scale that goes on falling for ever is one: then the gradients are infinite at any scale. With the usual
# start and interval no update was lost in these 60 steps.
#
# ### Exercise 1: the rule
#
# *8 minutes.* Write the rule of the dance. When you are stuck, add a cell and ask `exercises.get("loss-scale").hint(1)`.


# %%
def next_scale(scale, good_steps, overflowed, growth_interval):
    """Return the next scale, the next good_steps, and whether this update is made.

    Called after every backward pass. After an overflow the scale is halved and the update left out.
    After `growth_interval` steps in a row without one the scale is doubled, and the count begins
    again. `good_steps` is yours to count with: 0 at first, then whatever you returned.
    """
    # BEGIN SOLUTION
    if overflowed:
        return scale / 2, 0, False
    good_steps += 1
    if good_steps == growth_interval:
        return scale * 2, 0, True
    return scale, good_steps, True
    # END SOLUTION


# %%
exercises.get("loss-scale").check(next_scale)

# %% [markdown]
# ## 6 · Where the clip stands
#
# Between the backward pass and the division all gradients are $S$ times too long. A clip that stands there compares $S$ times
# the norm with `max_norm`. `unscale=False` puts it there; float32 is enough to see what follows.

# %% tags=["hide-input"]
frozen = predict(
    "Clip at 1 while a loss scale of 65,536 is still in the gradients, and divide it out afterwards. With SGD:",
    {
        "Nothing is ever clipped": "The limit would act as 65,536.",
        "The run diverges": "The gradients are far too long.",
        "The run stands still": "The limit would act as 1 / 65,536.",
    },
)
frozen

# %%
scaled32 = plain.replace(loss_scaling="static", loss_scale=2.0**16)
too_early = run_seeds(scaled32.replace(unscale=False), SEEDS)
in_order, at_one = (run_seeds(scaled32.replace(loss_scale=s), SEEDS) for s in (2.0**16, 1.0))

claim("every update is clipped", all(h.clipped.all() for h in too_early))
check(
    "the longest gradient that reaches the optimizer, all seeds",
    max(h.norm_after.max() for h in too_early) / 2**16,
    1.53e-5,
)
claim(
    "the loss stays within 0.3 of where it began",
    all(abs(h.final_loss - h.loss[0]) < 0.3 for h in too_early),
)
claim(
    "unscaled first, the losses of all seeds are those of scale 1, to the last bit",
    all(np.array_equal(a.loss, b.loss) for a, b in zip(in_order, at_one, strict=True)),
)
adamw = plain.replace(optimizer="adamw", lr=0.01)
hidden = run_seeds(adamw.replace(loss_scaling="static", unscale=False), SEEDS)
check(
    "under AdamW, distance from no scaling",
    apart(hidden, run_seeds(adamw, SEEDS)),
    between=(0, 0.3),
)
claim("although there, too, every update is clipped", all(h.clipped.all() for h in hidden))
frozen.reveal("The run stands still")

# %% [markdown]
# The limit acts as $1 / 65{,}536 = 1.5 \cdot 10^{-5}$. SGD freezes. AdamW divides by the size of the gradient and hides it: its
# runs learn, and a limit that was meant for accidents cuts every update to the same length. (A power of 2 as the scale changes
# no digit of a float32 number, only its exponent; so in the right order the run is the same to the last bit.)
#
# So the order is scale, backward, unscale, clip, step, update. One step of it with two micro-batches (a batch that was cut in two,
# as in lab 01), in float16, and recorded:

# %%
model, data = make_model(plain), NumberWords(seed=0)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: 0.99**update)

with ledger.record(model, optimizer, scaler=scaler) as events:
    optimizer.zero_grad()
    for batch in (next(data), next(data)):
        with torch.autocast("cpu", dtype=torch.float16):  # the forward pass, and nothing else
            loss = cross_entropy(model(batch.inputs), batch.targets) / 2
        scaler.scale(loss).backward()  # gradients of the loss times 65,536
    scaler.unscale_(optimizer)  # divides, and looks for infinities
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)  # of the true gradient
    scaler.step(optimizer)  # left out where unscale_ met an infinity
    scale = scaler.get_scale()
    scaler.update()  # halves or doubles the scale, and opens the next step
    if scaler.get_scale() >= scale:  # it did not fall, so the update was made
        scheduler.step()

claim("the ledger has nothing to report", not events.findings())
events

# %%
optimizer.zero_grad()
batch = next(data)
scaler.scale(cross_entropy(model(batch.inputs), batch.targets)).backward()
scaler.unscale_(optimizer)
scaler.scale(cross_entropy(model(batch.inputs), batch.targets)).backward()  # too late
twice = global_norm(p.grad for p in model.parameters())
try:
    scaler.unscale_(optimizer)
    refused = False
except RuntimeError:
    refused = True
claim("a second unscale_ before the next update() is refused", refused)

optimizer.zero_grad()
cross_entropy(model(batch.inputs), batch.targets).backward()
once = global_norm(p.grad for p in model.parameters())
check(
    "one pass before unscale_ and one after it: norm, over that of one", twice / once, 65537
)

# %% [markdown]
# The last three lines of the recorded step are for the schedule of the learning rate. It counts updates, and an update that was
# left out is none.
#
# In the cell after it the order is wrong. Unscaling twice is refused, and so it makes nothing too small. The dangerous mistake is
# the other one: the second backward pass added a gradient that is 65,536 times too long to one that was unscaled already, and
# nobody objected.
#
# ### Exercise 2: the whole step
#
# *12 minutes.* The step from above as a function. In the messages a *window* is everything between two updates.


# %%
def amp_step(model, optimizer, scaler, scheduler, micro_batches, loss_fn, max_norm):
    """One update with the mean gradient of the micro-batches, its norm at most `max_norm`.

    `loss_fn(model, batch)` is the mean loss of one micro-batch, to be computed under autocast in
    float16 on the "cpu". Old gradients are still there when the function is called. The scheduler
    moves once for an update that is made, and not for one that the scaler leaves out.
    """
    # BEGIN SOLUTION
    optimizer.zero_grad()
    for batch in micro_batches:
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_fn(model, batch) / len(micro_batches)
        scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scale = scaler.get_scale()
    scaler.update()
    if scaler.get_scale() >= scale:
        scheduler.step()
    # END SOLUTION


# %%
exercises.get("amp-step").check(amp_step)

# %% [markdown]
# ## 7 · A norm in 16 bits
#
# With autocast the gradients of weights are float32. Where the *weights* are 16 bits wide, so are their gradients, and then
# their norm is a trap of its own. 100,000 entries of 300 are all within float16. Their norm is not:

# %%
weight = torch.zeros(100_000, dtype=torch.float16, requires_grad=True)
weight.grad = torch.full_like(weight, 300.0)
check("norm of the gradient, by gradlab", global_norm([weight.grad]), 94868)

returned = torch.nn.utils.clip_grad_norm_([weight], max_norm=1.0)
claim("the norm that torch's clip returns is infinite", torch.isinf(returned))
claim("and every gradient is 0 now, without a word", (weight.grad == 0).all())

rounded = []
for seed in range(5):
    entries = torch.randn(1000, generator=torch.Generator().manual_seed(seed)).bfloat16()
    exact = global_norm([entries])
    rounded.append(abs(torch.linalg.vector_norm(entries).item() / exact - 1))
claim(
    "a bfloat16 norm does not overflow there, but has two to three digits",
    max(rounded) > 2e-4,
)
check("largest relative error of five such norms", max(rounded), between=(2e-4, 5e-3))

# %% [markdown]
# A finite gradient, and after the clip it is zero: `max_norm` divided by infinity. gradlab adds the squares up in float64, so its
# norm neither overflows nor rounds. (A bfloat16 norm that is off by a few thousandths clips a little too much or too little,
# and no more.)
#
# ### Exercise 3: a norm that holds
#
# *8 minutes.*


# %%
def true_norm(grads, scale):
    """The norm of the true gradients as a float, from 16-bit ones that still hold the loss scale.

    `grads` is a list of float16 or bfloat16 tensors. Float16 entries go up to 65,504 and down to
    6e-8, bfloat16 ones from 1e-30 to 1e30; none may be lost on the way. Where an entry is infinite or
    NaN, so is the norm; of no tensors it is 0. The tensors stay as they are.
    """
    # BEGIN SOLUTION
    total = sum(grad.double().square().sum().item() for grad in grads)
    return math.sqrt(total) / scale
    # END SOLUTION


# %%
exercises.get("half-norm").check(true_norm)

# %% [markdown]
# ## 8 · What it saves
#
# Two things are promised: memory and time. The memory can be counted. For the backward pass autograd keeps tensors, and a hook
# sees each of them. More than half is left, since autocast leaves some operations in float32. And weights and their gradients are
# float32 as before (section 4), so of a whole run's memory less is saved than that.
#
# The time depends on the machine and on the sizes, so it is printed and nothing is claimed. It may well be longer in 16 bits: a CPU
# without instructions for them has to convert, and small matrices have little to gain.


# %%
def kept_bytes(dtype):
    """Bytes that autograd keeps for the backward pass of one batch, without the weights themselves."""
    model, batch = make_model(plain), next(NumberWords(seed=0))
    kept, weights = {}, {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = tensor  # held, so that its address is not used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            cross_entropy(model(batch.inputs), batch.targets)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


bytes_kept = {
    dtype: kept_bytes(dtype) for dtype in (torch.float32, torch.float16, torch.bfloat16)
}
check(
    "kept for backward, float16 over float32",
    bytes_kept[torch.float16] / bytes_kept[torch.float32],
    between=(0.5, 0.8),
)
check(
    "bfloat16 over float16",
    bytes_kept[torch.bfloat16] / bytes_kept[torch.float16],
    1,
    rtol=0.1,
)

# %% tags=["nbval-ignore-output"]
for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        model = make_model(Recipe(d_model=128, n_heads=4, n_layers=2)).to(device)
        batch, times = next(NumberWords(seed=0, batch_size=32)).to(device), []
        for _ in range(6):
            began = time.perf_counter()
            with torch.autocast(device, dtype, enabled=dtype != torch.float32):
                loss = cross_entropy(model(batch.inputs), batch.targets)
            loss.backward()
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
        where = torch.cuda.get_device_name() if device == "cuda" else "CPU, one thread"
        print(
            f"{where}, {dtype}: {1e3 * min(times):.1f} ms for a forward and a backward pass"
        )

# %% [markdown]
# ## 9 · A case file
#
# Read the trace, commit a diagnosis, and only then look at the code.

# %%
case = cases.get("it-looked-converged")
display(case, case.trace(), case.diagnose())

# %%
display(case.loop(), case.ledger())
case.verdict()

# %% [markdown]
# ## 10 · Said about this, and measured
#
# | What people say | What this lab measured | section |
# |---|---|---|
# | "float16 without a scaler ends in NaN" | It depends. With the usual loss it trained like float32; with a millionth of it the gradient was 0 and the run stood still, without a NaN. A run blew up in between, at a scale that saved a part of the gradient. | 1, 2 |
# | "Mixed precision always needs a GradScaler" | float16 may; bfloat16 has the range of float32 and trained without one where float16 stood still. | 1, 2 |
# | "1e-8 is a safe epsilon" | It is 0 in float16. | 3 |
# | "A share of gradients is lost, so the update is wrong by as much" | 84.8 % of the entries, less than a thousandth of the norm. | 3 |
# | "Mixed precision prevents overflow" | It brings overflow: float16 ends at 65,504, and exp(12) is infinite. The scaler leaves such updates out. | 3, 5 |
# | "Forward in float16, backward in float32" | The gradients of outputs are float16. Only those of weights are float32, because the weights are. | 4 |
# | "An infinite gradient means that the run has failed" | With a scaler it costs one update, and the loss fell by more than 2 all the same. | 5 |
# | "Without unscaling the limit becomes 65,536 and never acts" | The other way round: it becomes 1 / 65,536 and acts on every update. | 6 |
# | "Clipping before unscaling makes the run diverge" | SGD stood still; AdamW hid it. | 6 |
# | "Unscaling twice makes the gradients too small" | torch refuses. What it does not refuse is a backward pass after unscaling. | 6 |
# | "Mixed precision doubles the speed" | See what section 8 has printed on your machine. | 8 |
# | "Half the bits, half the memory" | Of what is kept for backward more than half is left; the weights and their gradients save nothing. | 4, 8 |
#
# ## 11 · What to remember
#
# Three questions, answered from memory. The next lab, **05_vanishing_exploding**, asks how a gradient becomes so small, or so
# large, on its way through the layers.

# %% tags=["hide-input"]
display(
    recall(
        "A run in float16 does not learn. Its log says `grad norm 0.0`, and the loss is finite. What do you try first?",
        {
            "A larger learning rate": "Times 0 it is 0.",
            "A loss scale, or bfloat16": "The gradient was lost on its way through 16 bits; both keep it from becoming 0.",
            "A smaller `max_norm`": "A clip can only shorten what is there.",
        },
        answer="A loss scale, or bfloat16",
        pitfalls={"A larger learning rate": "scaler-dtype-mismatch"},
    ),
    recall(
        "From lab 01: somebody clips between `scaler.scale(loss).backward()` and `scaler.step(optimizer)` and has forgotten `unscale_`. The scale is 1,024, `max_norm` is 1. At which length of the true gradient does the clip begin to act?",
        {
            "At 1,024": "The other way round: what the clip sees is 1,024 times the true gradient.",
            "At 1": "It would, after unscale_.",
            "At about 0.001": "1 / 1,024: nearly every update is clipped.",
        },
        answer="At about 0.001",
        pitfalls={"At 1,024": "clip-before-unscale"},
    ),
    recall(
        "And one from the lab on clipping: `max_norm` cuts every update of an AdamW run to the same length. What happens to the final loss?",
        {
            "Little": "AdamW divides by the size of the gradient, so a common factor cancels. That is why it hides a clip in the wrong place.",
            "It is far higher": "So it would be under SGD at the same learning rate.",
            "It becomes NaN": "A clip of finite gradients leaves finite gradients.",
        },
        answer="Little",
        pitfalls={"It is far higher": "adam-needs-no-clip"},
    ),
)
