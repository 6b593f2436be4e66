# %% [markdown]
# # Vanishing and exploding gradients
#
# What becomes of a gradient on its way back through many layers, and what keeps its size.
#
# *About 60 minutes, with one exercise; two more and two case files are in the second part, 05b. A CPU is enough; no cell
# takes more than some seconds.*
#
# This notebook is stored with the results of our own run. Clear them before you begin (*Edit → Clear Outputs of All
# Cells*), so that nothing answers for you.
#
# ## 1 · A deep model that does not learn
#
# The transformer of these labs, with six blocks, once as usual and once without two of its parts: the *skip
# connections*, which add the input of each layer to its output, and the *norms*, which bring what enters a layer to a
# common size.

# %%
import math

import numpy as np
import torch
from IPython.display import display
from torch import nn

from gradlab import (
    Recipe,
    check,
    claim,
    depth,
    exercises,
    explore,
    plot,
    predict,
    recall,
    run_seeds,
    slide,
)
from gradlab.data import NumberWords, lowest_loss
from gradlab.train import make_model

torch.set_num_threads(1)  # tensors this small gain nothing from a second thread
SEEDS = range(5)  # for what takes milliseconds; training runs have three
usual = Recipe(optimizer="sgd", lr=0.3, n_layers=6, steps=50)
bare = usual.replace(residual=False, norm="none")
runs = {
    "as usual": run_seeds(usual, 3),
    "no skips, no norms": run_seeds(bare, 3),
}

targets = next(NumberWords(seed=0, batch_size=1000)).targets
share = torch.bincount(targets[targets >= 0]) / (targets >= 0).sum()
letters = -(share[share > 0] * share[share > 0].log()).sum()  # all that frequencies tell
ends = [history.final_loss for history in runs["no skips, no norms"]]
check("loss of who knows only how often each character occurs", letters, between=(2.85, 3.05))
claim(
    "without skips and norms all 3 end within 0.1 of it",
    max(abs(e - letters) for e in ends) < 0.1,
)
claim("as usual all 3 end below 1.2", max(h.final_loss for h in runs["as usual"]) < 1.2)
plot.runs(runs, ["loss", "norm_before"], floor=lowest_loss(), top=4)

# %% [markdown]
# The orange runs learn something in their first updates, and then nothing: they stay where a model stays that knows how
# often each character occurs and looks at nothing else. Their gradient is short, but it is not zero. So look into the
# model: the norm of the gradient in each block, before the first update. Where is it smallest?

# %% tags=["hide-input"]
smallest = predict(
    "In the model without skips and norms, the gradient of the weights is smallest",
    {
        "in the first block, next to the input": "It has the longest way back from the loss.",
        "in the last block, next to the loss": "It has the most layers before it.",
        "everywhere the same": "The loss is one number for all.",
    },
)
smallest


# %%
def blocks(label, **change):
    """Gradient norms by block of the fresh transformer, five seeds."""
    return {label: [depth.transformer_profile(6, seed=s, **change) for s in SEEDS]}


profiles = blocks("as usual") | blocks("no skips, no norms", residual=False, norm="none")
claim(
    "as usual: first and last block within a factor of 2 on each of 5 seeds",
    all(0.5 < p.ratio < 2 for p in profiles["as usual"]),
)
claim(
    "without: the last block's gradient is more than 100,000 times the first's on each of 5 seeds",
    all(p.ratio > 1e5 for p in profiles["no skips, no norms"]),
)
display(smallest.reveal("in the first block, next to the input"))
depth.profiles(profiles, title="gradient norm before the first update")

# %% [markdown]
# The gradient is made at the loss, on the right, and is passed back to the left. Each block multiplies it by something;
# where that is a tenth or less, six blocks leave nothing. The gradient **vanishes**. (The line is the median of five
# seeds, the band their range. Mind the axis: from each line of the grid to the next it is a factor of ten or more.)
#
# ## 2 · Steer it
#
# Now take a model apart yourself. Choose the number of blocks, the activation (the function between two linear maps),
# the first weights (part 4 says what their names mean), the norm (`pre`: on the way into a layer, `post`: after the
# addition of the skip), and skips or none; press **Reset** and **Run**. Learning rate and `max_norm` act at once. The
# picture below the panel shows the gradient in each block before the first update.


# %%
def of_blocks(layers, norm, init, activation, residual):
    seen = depth.transformer_profile(
        layers, norm=norm, init=init, activation=activation, residual=residual
    )
    return depth.profiles(
        {"transformer": seen}, limits=(1e-10, 1e10), title="gradient before the first update"
    )


panel = explore(
    usual.replace(n_layers=4),
    "n_layers",
    "activation",
    "init",
    "norm",
    "residual",
    pinned={"no skips, no norms, seed 0": runs["no skips, no norms"][0]},
    floor=lowest_loss(),
)
depths = slide(
    of_blocks,
    layers=(2, 4, 6, 8, 12, 16),
    norm=("pre", "none", "post"),
    init=("default", "xavier", "he", "gpt2"),
    activation=("gelu", "relu", "tanh", "sigmoid"),
    residual=True,
    start={"layers": 8},
)
display(panel, depths)

# %% [markdown]
# **Read the plot.** (An open mark at the edge is a norm beyond it, or one that is not a number.) Take the skips away,
# then the norms as well. Then leave the norms out and keep the skips, with `init` "he". In which of these does the
# gradient vanish, in which does it explode, and which of them learns in the panel above?
#
# <details><summary>What there is to see</summary> Without skips and norms it vanishes. Skips without norms, started
# with "he", explode: each block adds more than was there. With norms and without skips the gradient is of nearly the
# same size in every block, and the model does not learn all the same.</details>
#
# The last of these is worth a measurement, because it is where a monitor of gradient norms is blind:

# %%
arms = {**runs, "norms alone": run_seeds(usual.replace(residual=False), 3)}
claim(
    "without skips no run gets below 2.8, with norms or without",
    all(
        h.final_loss > 2.8
        for label in ("no skips, no norms", "norms alone")
        for h in arms[label]
    ),
)
even = blocks("norms alone", residual=False)["norms alone"]
claim(
    "with norms alone all blocks' gradients lie within a factor of 20, on each of 5 seeds",
    all(p.norms.max() < 20 * p.norms.min() for p in even),
)
wild = blocks("skips alone", norm="none", init="he")["skips alone"]
claim(
    'skips alone, started with "he": a gradient above 10,000 on each of 5 seeds',
    all(not p.norms.max() < 1e4 for p in wild),  # a NaN is no smaller
)


@torch.no_grad()
def likeness(recipe):
    """Mean cosine between the states of two positions of one text, after the last block."""
    model, batch = make_model(recipe), next(NumberWords(recipe.seed))
    state = model.token(batch.inputs) + model.position.weight[: batch.inputs.shape[1]]
    for block in model.blocks:
        state = block(state)
    rows = nn.functional.normalize(state[0, : batch.mask[0].sum()], dim=-1)
    return float((rows @ rows.T).fill_diagonal_(0).sum() / (len(rows) * (len(rows) - 1)))


alone = [likeness(usual.replace(seed=s, residual=False)) for s in SEEDS]
skips = [likeness(usual.replace(seed=s)) for s in SEEDS]
claim("norms alone: all positions are nearly the same (cosine above 0.9)", min(alone) > 0.9)
claim("with skips they differ (cosine below 0.4)", max(skips) < 0.4)

# %% [markdown]
# Attention mixes the positions of a text. Without skips, six such mixtures leave the same state at every position: the
# last block can only learn how often each character occurs. No gradient has vanished. It is the *input* that did not
# arrive. (The cosine is 1 for two states in the same direction.) So a flat profile is needed, and it is not enough.
#
# ## 3 · Why powers
#
# A recurrent network (RNN) applies one layer again and again, once for each step of a sequence, so its depth is the
# length of the sequence. With a matrix that only turns vectors, multiplied by a number called *gain*, and no
# activation, each step back multiplies the length of the gradient by exactly the gain.


# %%
def of_steps(steps, gain, activation):
    seen = depth.recurrent_profile(steps, gain=gain, activation=activation)
    return depth.profiles(
        {"RNN": seen}, limits=(1e-12, 1e12), title="gradient at the state of each time step"
    )


for gain in (0.8, 1.0, 1.2):
    back = [
        depth.recurrent_profile(50, gain=gain, activation="linear", seed=s) for s in SEEDS
    ]
    check(
        f"gain {gain}: factor a step back, 5 seeds", np.mean([p.growth for p in back]), gain
    )
back = [depth.recurrent_profile(50, gain=1.0, activation="tanh", seed=s) for s in SEEDS]
claim(
    "gain 1 and tanh: below 0.9 a step on each of 5 seeds", max(p.growth for p in back) < 0.9
)
check("and 0.9 to the power of 50 is", 0.9**50, 0.005, rtol=0.05)
slide(
    of_steps,
    steps=(10, 25, 50, 100),
    gain=(0.8, 0.9, 1.0, 1.1, 1.2, 1.4),
    activation=("tanh", "linear", "relu"),
    start={"steps": 50, "gain": 0.9},
)

# %% [markdown]
# One layer's factor a little below 1 or a little above, and fifty of them make nothing or everything. With tanh, whose
# slope is 1 at most, the gradient shrinks even at gain 1.
#
# ### The cliff
#
# What does an exploding gradient look like in the loss? Pascanu, Mikolov and Bengio drew it for the smallest RNN there
# is, in *On the difficulty of training recurrent neural networks*: one unit, $x \leftarrow w \cdot \sigma(x) + b$,
# fifty times from $x = 0.5$ ($\sigma$ is the sigmoid), with the cost $(x - 0.7)^2$. Two weights: a landscape.

# %%
ground = depth.landscape()
check(
    "longest gradient on the grid / median",
    ground.norm.max() / np.median(ground.norm),
    between=(500, 2000),
)
check("the longest gradient: w", ground.steepest[0], 4.98, atol=0.05)
check("the longest gradient: b", ground.steepest[1], -2.60, atol=0.05)
check(
    "99 of 100 gradients are shorter than", np.percentile(ground.norm, 99), between=(12, 15)
)

free, clipped = (
    depth.descend(w=5.5, b=-2.0, max_norm=limit, updates=800) for limit in (None, 15.0)
)
hit = int(np.argmax(free.norm))
claim(
    "both take the same way until update 100", np.array_equal(free.w[:100], clipped.w[:100])
)
claim(
    "then one gradient is more than 1000 times as long as the first",
    free.norm[hit] > 1000 * free.norm[0],
)
claim(
    "the unclipped update there is longer than 10, the landscape is 3 wide",
    free.longest_step > 10,
)
claim("700 updates later its cost is still above 10", free.cost[-1] > 10)
claim("clipped, no update is longer than 0.015", clipped.longest_step < 0.0151)
claim("and in the last 100 its cost stays below 2", clipped.cost[-100:].max() < 2)

w, b = (
    axis.ravel() for axis in np.meshgrid(np.linspace(5, 6, 5), np.linspace(-2.4, -1.6, 5))
)
lost = {}
for lr in (0.0005, 0.001, 0.002):
    ends = [depth.descend(w, b, lr=lr, max_norm=limit).cost[-50:] for limit in (None, 15.0)]
    lost[lr] = [int((np.median(end, axis=0) > 1).sum()) for end in ends]  # a cost above 1
claim(
    "lr 0.0005: of 25 at least 15 end high without clipping, at most 11 with",
    lost[0.0005][0] >= 15 and lost[0.0005][1] <= 11,
)
claim(
    "lr 0.001: at least 12 without, at most 3 with",
    lost[0.001][0] >= 12 and lost[0.001][1] <= 3,
)
claim(
    "lr 0.002: at least 3 without, at most 2 with",
    lost[0.002][0] >= 3 and lost[0.002][1] <= 2,
)
depth.cliff_picture({"no clipping": free, "max_norm 15": clipped})

# %% [markdown]
# Both descents begin at the white disc and take the same way down to the foot of a wall (the dark wedge at the bottom of
# the map is the high ground above it). There they step over its edge, and up. On the wall the gradient is enormous: the unclipped update
# throws the weights off the picture (the cross, and dotted the direction), and 700 updates later they are not back. With
# `max_norm` 15, above 99 of 100 gradients, nothing changes on the way there. At the wall the update keeps its direction and
# stays short. So the descent hops up the wall and back, hundreds of times (the orange area is one line), comes forward along
# it at each hop, and gets to its low end. This picture is where gradient clipping by norm comes from.
#
# One start proves little, so the cell also takes 25, at three learning rates, 400 updates each. Unclipped, from a few of
# the starts to most of them end high up; clipped, fewer at each rate. Not every throw ends badly: some of the unclipped
# descents landed, by luck, somewhere that leads down. And at the lowest rate clipping leaves some behind: short steps
# take long.
#
# ## 4 · First weights
#
# Back to layers that differ. A *plain net* is a stack of linear maps with an activation after each, and nothing else:
# twenty layers of width 64, with `"default"` weights (what `nn.Linear` does by itself), or drawn after Xavier or He, as
# explained below. In which of them do the first and the last layer have gradients of about the same length: ReLU with
# the default weights, tanh with Xavier's, sigmoid with Xavier's? Decide before you look.


# %%
def of_layers(layers, activation, init, norm, residual):
    seen = depth.plain_profile(
        layers, activation=activation, init=init, norm=norm, residual=residual
    )
    return depth.profiles(
        {"plain net": seen}, limits=(1e-12, 1e12), title="gradient of each layer's weights"
    )


grid = [
    ("sigmoid", "default"),
    ("sigmoid", "xavier"),
    ("tanh", "default"),
    ("tanh", "xavier"),
    ("relu", "default"),
    ("relu", "he"),
    ("relu", "he_uniform"),
    ("gelu", "he"),
]
nets = {
    (act, init): [depth.plain_profile(20, activation=act, init=init, seed=s) for s in SEEDS]
    for act, init in grid
}


def ratios(*which):
    return [profile.ratio for profile in nets[which]]


claim(
    "tanh, Xavier: last / first within a factor of 4",
    all(0.25 < r < 4 for r in ratios("tanh", "xavier")),
)
claim(
    "ReLU, He, normal: within a factor of 20",
    all(1 / 20 < r < 20 for r in ratios("relu", "he")),
)
claim(
    "ReLU, He, uniform: within a factor of 20",
    all(1 / 20 < r < 20 for r in ratios("relu", "he_uniform")),
)
claim("GELU, He: within a factor of 40", all(1 / 40 < r < 40 for r in ratios("gelu", "he")))
claim("tanh, default: above 1000", min(ratios("tanh", "default")) > 1e3)
claim("ReLU, default: above 100,000", min(ratios("relu", "default")) > 1e5)
claim("sigmoid, Xavier: above 10,000,000,000", min(ratios("sigmoid", "xavier")) > 1e10)
claim(
    "sigmoid, default: above that again",
    min(ratios("sigmoid", "default")) > max(ratios("sigmoid", "xavier")),
)
slope = torch.tensor([-8.0, -3.0, 3.0], requires_grad=True)
nn.functional.gelu(slope).sum().backward()
claim(
    "GELU's slope at -8 is 0, and at -3 below 0.02 in size",
    slope.grad[0].abs() < 1e-6 and slope.grad[1].abs() < 0.02,
)
five = depth.profiles(
    {
        "tanh, Xavier": nets["tanh", "xavier"],
        "ReLU, He": nets["relu", "he"],
        "tanh, default": nets["tanh", "default"],
        "ReLU, default": nets["relu", "default"],
        "sigmoid, Xavier": nets["sigmoid", "xavier"],
    },
    title="20 layers, 5 seeds",
)
layers = slide(
    of_layers,
    layers=(2, 5, 10, 20, 50),
    activation=("relu", "tanh", "gelu", "sigmoid"),
    init=("default", "xavier", "he", "he_uniform"),
    norm=("none", "layer", "batch"),
    residual=False,
    start={"layers": 20},
)
display(five, layers)

# %% [markdown]
# Tanh with Xavier's weights is flat, ReLU with He's nearly so. The default weights are too small for both. Sigmoid is the
# worst even with Xavier's: its slope is a quarter at most, so each layer loses that and more. GELU is no exception to the
# rule that an activation has flat places: far to the left its slope is 0, like that of ReLU.
#
# Where do Xavier (Glorot and Bengio 2010) and He (He and others 2015) come from? Take one output of a layer, a sum over
# `fan_in` inputs, each times a weight. If all of them are independent with mean 0, the mean square of the sum is
# `fan_in` times the variance of the weights times the mean square of the inputs. So a variance of `1 / fan_in` keeps
# it. ReLU sets half to 0 and halves the mean square, so before ReLU it takes `2 / fan_in` (He). Going back, the sum is
# over the outputs, `fan_out`; Xavier takes the mean of both fans. Line by line, through twenty layers:

# %%
x, width = torch.randn(512, 64, generator=torch.Generator().manual_seed(0)), 64
kept, shrunk, draw = x, x, torch.Generator().manual_seed(1)
for _ in range(20):
    weight = torch.randn(width, width, generator=draw)  # mean 0, variance 1
    kept = torch.relu(kept @ (weight * math.sqrt(2 / width)))  # variance 2 / fan_in
    shrunk = torch.relu(shrunk @ (weight * math.sqrt(1 / width)))  # half of it
check(
    "mean square after 20 layers, variance 2 / fan_in",
    kept.square().mean(),
    between=(0.1, 10),
)
check(
    "with 1 / fan_in, as a share of that",
    shrunk.square().mean() / kept.square().mean(),
    0.5**20,
    rtol=0.01,
)

# %% [markdown]
# ### Exercise 1: draw the weights
#
# *8 minutes.* The checker looks at the size of what you draw. When you are stuck, add a cell (press *B*) and ask
# `exercises.get("init-gain").hint(1)`.


# %%
def draw_(weight, activation, distribution):
    """Fill `weight`, of shape (fan_out, fan_in), in place with random numbers of mean 0.

    What passes many such layers shall keep its mean square. `activation` is what follows: "linear" (nothing) or "relu",
    which halves it; `distribution` is "normal" or "uniform", with the same standard deviation.
    (Uniform between -a and a has the standard deviation a / √3.)
    """
    # BEGIN SOLUTION
    fan_out, fan_in = weight.shape
    std = math.sqrt((2 if activation == "relu" else 1) / fan_in)
    if distribution == "normal":
        weight.normal_(0, std)
    else:
        weight.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std)
    # END SOLUTION


# %%
exercises.get("init-gain").check(draw_)

# %% [markdown]
# ## 5 · Norms and skips
#
# First weights set the size once; norms and skips keep it while training moves the weights. Both are said to make depth
# harmless. First the norm, without skips: **batch norm** brings each unit to mean 0 and variance 1 over the batch. So
# nothing that goes *forward* through the layers can shrink or grow. And back?

# %% tags=["hide-input"]
back_through = predict(
    "Fifty layers, each a linear map, batch norm and ReLU. On its way back the gradient",
    {
        "keeps its length": "What goes forward keeps its size; the way back is another product.",
        "grows": "By the same factor in each layer, which is a little more than 1.",
        "shrinks": "ReLU stops half of it, but the norm before it makes up for more than that.",
    },
)
back_through

# %%
batch = [depth.plain_profile(50, norm="batch", samples=512, seed=s) for s in SEEDS]
check(
    "growth a layer back, batch norm, mean of 5 seeds",
    np.mean([p.growth for p in batch]),
    math.sqrt(math.pi / (math.pi - 1)),
    rtol=0.03,
)
claim(
    "over 50 layers that is more than 2000 times, on each of 5 seeds",
    all(p.ratio < 1 / 2000 for p in batch),
)
display(back_through.reveal("grows"))
depth.profiles({"batch norm, no skips": batch}, title="50 layers, 5 seeds")

# %% [markdown]
# Read it from the right: the gradient *grows* on its way back, by about $\sqrt{\pi/(\pi - 1)} \approx 1.21$ a layer.
# (Yang and others, *A Mean Field Theory of Batch Normalization*, derive it for wide layers.) A norm on the way forward is
# no norm on the way back.
#
# ### Skips
#
# **A skip** adds what the block computes to what was there. Take blocks $x + W_2\,\mathrm{relu}(W_1 x)$. With He's weights in
# both maps, the branch (what is added) has twice the mean square of its input, so the sum has three times as much: after n
# blocks a standard deviation of about $3^{n/2}$. Four ways to keep the addition small: torch's default weights; the branch
# divided by $\sqrt{\text{blocks}}$ (GPT-2 shrinks the weights of its branches so); a branch that begins as 0 (as in Fixup);
# a norm at the beginning of the branch.

# %%
size = {
    (n, branch): np.median([depth.residual_profile(n, branch, seed=s)[1] for s in SEEDS])
    for n in (10, 20, 50)
    for branch in ("he", "default", "scaled", "zero", "norm")
}
for n in (10, 20, 50):
    check(
        f"He: output after {n} blocks, its standard deviation / 3^{n // 2}",
        size[n, "he"] / 3 ** (n / 2),
        between=(1 / 5, 5),
    )
claim(
    "with torch's default weights below 6 at any of the depths",
    max(size[n, "default"] for n in (10, 20, 50)) < 6,
)
claim(
    "with the branch divided by √blocks: below 4",
    max(size[n, "scaled"] for n in (10, 20, 50)) < 4,
)
claim(
    "with a branch that begins as 0: 1 within 5 %",
    all(abs(size[n, "zero"] - 1) < 0.05 for n in (10, 20, 50)),
)
check(
    "with a norm in the branch: 50 blocks over 10; √5",
    size[50, "norm"] / size[10, "norm"],
    math.sqrt(5),
    rtol=0.15,
)
claim("and below 15", size[50, "norm"] < 15)

stacks = {
    label: [depth.residual_profile(20, branch, seed=s)[0] for s in SEEDS]
    for label, branch in [
        ("He", "he"),
        ("He, divided by √blocks", "scaled"),
        ("He, second map 0", "zero"),
        ("He, with a norm", "norm"),
    ]
}
claim(
    "20 blocks, He: every block's gradient above a billion, and within a factor of 20",
    all(p.norms.min() > 1e9 and p.norms.max() < 20 * p.norms.min() for p in stacks["He"]),
)
claim(
    "the other three: every block's below 10,000",
    all(p.norms.max() < 1e4 for label in list(stacks)[1:] for p in stacks[label]),
)
depth.profiles(stacks, title="20 blocks with skips, 5 seeds")

# %% [markdown]
# With He's weights the gradients of the blocks are all alike, and all of them enormous, because the loss sees enormous
# outputs. A flat profile again, and again it is not enough. Each of the other ways keeps the addition small. Behind a norm
# each block adds the same amount, and the sum grows like a square root.
#
# ### The norm before or after the addition
#
# The first transformer normalised after each addition (*post-norm*), most later ones on the way into each layer
# (*pre-norm*). Pre-norm is the last of the cases above: the blocks' outputs pile up in the sum, and the norm before the
# head divides by its size, so the more blocks, the less each one counts. Xiong and others (*On Layer Normalization in the
# Transformer Architecture*, 2020) computed it for the gradient in the last block: with pre-norm it falls like
# $1/\sqrt{L}$ with the number of blocks L, with post-norm it does not depend on it.

# %%
of_a_target = {
    norm: [
        np.mean(
            [
                depth.last_block_gradient(
                    n,
                    norm=norm,
                    activation="relu",
                    init="xavier",
                    width=64,
                    embedding=0.3,  # times the usual embeddings: what is added must outgrow them
                    seed=s,
                )
                for s in SEEDS
            ]
        )
        for n in (6, 12, 24)
    ]
    for norm in ("pre", "post")
}
pre, post = of_a_target["pre"], of_a_target["post"]
check(
    "pre-norm: factor for twice as many blocks, from 6 to 24; 1/√2",
    math.sqrt(pre[2] / pre[0]),
    math.sqrt(1 / 2),
    rtol=0.1,
)
claim("and it falls with each doubling", pre[0] > pre[1] > pre[2])
check("post-norm: largest of the three over the smallest", max(post) / min(post), 1, rtol=0.2)
claim("post-norm's is the longer one, twice and more at 24 blocks", post[2] > 2 * pre[2])
deepest = [depth.transformer_profile(24, seed=s) for s in SEEDS]
claim(
    "our model with 24 blocks: first and last within a factor of 4, on each of 5 seeds",
    all(0.25 < p.ratio < 4 for p in deepest),
)

# %% [markdown]
# Twice as many blocks, about $1/\sqrt{2}$ of the gradient with pre-norm; with post-norm it stays as long as it was. Xiong and
# others see in these long gradients the reason that post-norm models need a warmup. (The mean of 5 seeds, and of the
# gradient that *one* target sends to the last matrix, which is what they computed; in the gradient of a whole batch the
# targets partly cancel.)
#
# ## Said about this, and measured
#
# | People say | Measured in this lab | in part |
# |---|---|---|
# | Transformers are prone to exploding gradients. | With norms and skips, 24 blocks: first and last within a factor of 4. With "he" and without norms they explode. | 5, 2 |
# | Gradients grow exponentially with depth, in RNNs and transformers alike. | In an RNN without activation by exactly the gain a step; in our transformer not. | 3, 5 |
# | Uniformly drawn weights are bad. | Uniform with He's variance is as flat as normal. The variance counts. | 4 |
# | Avoid tanh. | tanh with Xavier's weights stays within a factor of 4; ReLU with torch's own weights loses 100,000. | 4 |
# | First of all, change to ReLU. | See the row above: the weights decide. | 4 |
# | Xavier's weights make deep sigmoid nets workable. | They gain some powers of ten; ten and more are still missing. | 4 |
# | Beyond 20 layers batch norm is indispensable, since it stabilises gradients. | Without skips they grow 1.2 times a layer, 2000 times and more over 50. | 5 |
# | Residual blocks can be stacked without end. | With He's weights the output grows to $10^{11}$ and more at 50 blocks. Scaled, begun at 0 or normalised it does not. | 5 |
# | Norms of healthy size mean that the model learns. | Norms without skips: all blocks within a factor of 20, and nothing learnt. | 2 |
# | GELU does not saturate. | To the left it does: its slope at -8 is 0. | 4 |
#
# ## What to remember

# %% tags=["hide-input"]
display(
    recall(
        "A deep net with tanh does not learn. It has torch's default weights, and the gradient of its first layer is a thousandth of that of its last. What do you try first?",
        {
            "Other first weights, after Xavier": "They keep the size layer by layer; with tanh twenty layers were flat.",
            "ReLU in place of tanh": "With torch's default weights it loses more than tanh.",
            "A lower `max_norm`": "A clip shortens all layers by one factor; the first stays a thousandth of the last.",
        },
        answer="Other first weights, after Xavier",
        pitfalls={"ReLU in place of tanh": "wrong-init-scale"},
    ),
    recall(
        "The gradients of all blocks are about equally long, and the loss stays where a model stays that knows only how often each character occurs. What follows?",
        {
            "The gradient is in order, so the learning rate is wrong": "A flat profile says nothing about what the blocks see.",
            "The gradient has vanished after all": "It is there, in every block.",
            "Nothing yet: perhaps the input does not arrive": "Norms without skips had flat profiles, and the same state at every position.",
        },
        answer="Nothing yet: perhaps the input does not arrive",
    ),
    recall(
        "From the lab on clipping: at the wall the gradient is (3000, 4000), and `max_norm` is 15. Which gradient does the step use?",
        {
            "(9, 12)": "One factor for both: the length is 15, the direction is kept.",
            "(15, 15)": "So it would be with a limit for each entry, which turns the gradient.",
            "(3000, 4000), and a shorter step": "The clip acts on the gradient; the step is learning rate times that.",
        },
        answer="(9, 12)",
        pitfalls={"(15, 15)": "value-clip-for-norm-clip"},
    ),
)

# %% [markdown]
# The second part, **05b_what_the_norm_hides**, measures gradients without being fooled by them: small ones that do no harm,
# zeros that are no fault, and one NaN that spoils everything.
