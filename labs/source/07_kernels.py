# %% [markdown]
# # Kernels
#
# How a GPU computes the norm of a gradient, what each of the well-known tricks changes about it and what it leaves, and
# how little a clip has to do when there is nothing to clip. You write three kernels: functions that run on a GPU, here in
# Python.
#
# *About 90 minutes, with three exercises. You need backpropagation and no CUDA; and no GPU either.*
#
# ## 1 · A norm that passes its test
#
# Somebody wrote `specimen` for a GPU. It adds the squares of many numbers: every *block* of threads adds 32 of them, and the
# blocks' sums are added afterwards. You do not have to understand it yet; section 2 has the words.

# %%
import os

# Numba is to simulate CUDA in this notebook, with a GPU or without. That is settled when it is imported.
os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")

import math
import statistics
import time

import numpy as np
import torch
from gradlab_kernels import ClipPlan, ladder
from IPython.display import display
from matplotlib import rc_context
from numba import cuda, float64

from gradlab import Recipe, check, claim, exercises, plot, predict, recall
from gradlab.data import NumberWords
from gradlab.model import cross_entropy
from gradlab.train import make_model


def specimen(values, sums):
    if cuda.threadIdx.x == 0:
        total = float64(0)
        for k in range(32):
            total += float64(values[k]) ** 2
        sums[cuda.blockIdx.x] = total


def norm_by(kernel, values):
    """The norm of `values` by a kernel that leaves a sum of squares for each block of 32."""
    sums = np.zeros(math.ceil(len(values) / 32))  # a place for each block
    ladder.launch(kernel, len(sums), 32, values, sums)
    return math.sqrt(sums.sum())


check(
    "64 ones have norm 8, and it finds",
    norm_by(specimen, np.ones(64, np.float32)),
    8.0,
    rtol=1e-9,
)
check("256 ones, norm 16", norm_by(specimen, np.ones(256, np.float32)), 16.0, rtol=1e-9)

# %% [markdown]
# The test is green, to nine digits. Now the same kernel in a training run of our transformer. We look at one gradient, that
# of the position embedding, which has 672 numbers, and plot the norm that the kernel finds beside the true one:


# %%
def gradients(recipe, updates):
    """One gradient, at each of some updates by SGD."""
    model, data = make_model(recipe), NumberWords(seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(updates):
        batch = next(data)
        optimizer.zero_grad()
        cross_entropy(model(batch.inputs), batch.targets).backward()
        yield model.position.weight.grad.flatten().numpy().copy()
        optimizer.step()


places = list(gradients(Recipe(), 25))
true = np.array([np.linalg.norm(values.astype(float)) for values in places])
logged = np.array([norm_by(specimen, values) for values in places])
off = np.abs(logged / true - 1)

with rc_context(plot.STYLE):
    picture = plot.Picture("the norm that the kernel logs and the true one, over 25 updates")
    axes = picture.subplots()
    axes.plot(true, color=plot.COLOURS[0], label="norm")
    axes.plot(logged, color=plot.COLOURS[1], linestyle="--", label="as the kernel has it")
    axes.set(title="gradient norm of one tensor", xlabel="step", ylim=(0, None))
    axes.legend()

claim("it is off by more than 10 % in most updates", np.mean(off > 0.1) > 0.5)
claim("and by more than 40 % in some", off.max() > 0.4)
picture

# %% [markdown]
# A plausible curve, and a wrong one. In every block the kernel reads `values[0]` to `values[31]`, so that 21 blocks add the
# first 32 numbers 21 times. A test on ones cannot see it, whichever numbers are read. A public puzzle accepted a kernel that
# was wrong, too (srush/GPU-Puzzles#28). So from here on the numbers are random or come from real gradients, most counts are
# no multiple of the block, and besides the result we look at what the kernel *did*.
#
# ## 2 · The machine
#
# A GPU runs one function, the *kernel*, in thousands of threads. Each asks who it is and chooses its share of the work. A
# kernel returns nothing: what it finds it writes into arrays that it was given.
#
# | word | meaning |
# |---|---|
# | thread | runs the kernel once |
# | block | up to 1024 threads that have some fast *shared memory* in common and can wait for each other |
# | warp | 32 neighbouring threads of a block, its *lanes* 0 to 31; they can hand each other numbers |
# | launch, grid | a launch starts a kernel; the grid is all its blocks. They run in any order, and cannot wait for each other |
# | register | room for one number in a thread: where its variables are. No other thread sees it |
# | global memory | where gradients are; all threads see it, and it is the slowest of the three |
# | `cuda.threadIdx.x`, `cuda.blockDim.x` | the thread's number in its block, from 0; and how many threads a block has |
# | `cuda.blockIdx.x`, `cuda.gridDim.x` | the number of the thread's block, from 0; and how many blocks there are |
# | `cuda.grid(1)`, `cuda.gridsize(1)` | the thread's number in the whole grid; and how many threads the grid has |
#
# The `.x` and the `(1)` are there because grids may also have two or three dimensions. Ours have one.
#
# Whatever your machine has, the kernels of the next sections run on its processor, one thread after the other, and everything
# they do is counted. Times would mean nothing there, so there are none. Counts are exact: they are what the kernel asks for,
# here as on a GPU. Section 6 uses the GPU, if it finds one, and says so if not. The machine also watches: where two threads
# touch the same number, one of them writes, and nothing settles who comes first, there is a *race*, and it names them. A GPU
# does not.
#
# We take 2003 numbers from a real gradient. This is the simplest kernel for their norm:

# %%
batch, model = next(NumberWords(seed=0)), make_model(Recipe())
cross_entropy(model(batch.inputs), batch.targets).backward()
gradient = torch.cat([p.grad.flatten() for p in model.parameters()])[:2003]

display(ladder.source("atomic"))
atomic = ladder.run("atomic", gradient)
check("error of the norm, against float64", atomic.error, between=(0, 1e-9))
check("elements read", atomic.counts.reads, 2003, rtol=0)
check("bytes read", atomic.gradient_bytes, 4 * 2003, rtol=0)
check("atomic additions", atomic.counts.atomics, 2003, rtol=0)
check("threads", atomic.counts.threads, 63 * 32, rtol=0)

# %% [markdown]
# An *atomic* addition reads, adds and writes as one step that no other thread sees half done. `total[0] += x` would lose
# numbers: two threads read the same old value, and one sum overwrites the other. But all 2003 atomics go to one address,
# where they have to come one after the other.
#
# ## 3 · A tree in shared memory
#
# Better: each block adds its own numbers first, and only the block's sum goes to global memory. In the block, half of the
# threads add the other half's numbers to their own, then a quarter, and so on. In a block of 8, where `0 += 4` means that
# thread 0 adds what thread 4 has put there:
#
# ```
# round 1   0 += 4   1 += 5   2 += 6   3 += 7
# round 2   0 += 2   1 += 3
# round 3   0 += 1
# ```
#
# A thread reads what *another* one has written, and threads do not run in step. `cuda.syncthreads()` is a *barrier*: nobody
# goes on before all threads of the block have come, and what was written before it can be read after it. All of them, also
# those that have nothing to add.
#
# ### Exercise 1: write the tree
#
# *15 minutes.* `cuda.shared.array(64, float64)` is an array for the whole block; its size is fixed, so take room for the
# largest block. In the end one thread writes the block's sum. When you are stuck: `exercises.get("block-sum").hint(1)`.


# %%
def block_sum(values, sums):
    """Write to `sums[b]` the sum of the squares of the elements of block b, added by all its threads.

    Thread `cuda.grid(1)` has the element of that number, if there is one. Blocks have 32 or 64 threads.
    """
    # BEGIN SOLUTION
    shared = cuda.shared.array(64, float64)
    thread, i = cuda.threadIdx.x, cuda.grid(1)
    x = float64(0)
    if i < values.size:
        x = float64(values[i])
    shared[thread] = x * x
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        half //= 2
    if thread == 0:
        sums[cuda.blockIdx.x] = shared[0]
    # END SOLUTION


# %%
exercises.get("block-sum").check(block_sum)

# %% [markdown]
# What a forgotten barrier does is worth seeing once. Here the one before the tree is left out, and nothing else is wrong:


# %%
def without_a_barrier(values, sums):
    shared = cuda.shared.array(32, float64)
    thread, i = cuda.threadIdx.x, cuda.grid(1)
    shared[thread] = float64(values[i]) ** 2
    half = 16
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        half //= 2
    if thread == 0:
        sums[cuda.blockIdx.x] = shared[0]


try:
    norm_by(without_a_barrier, places[0])
except ladder.KernelError as error:
    print(error)

# %% [markdown]
# On a GPU nobody tells you. The sum is right as long as the hardware happens to run the threads in a lucky order, which it
# may do for years, until the next model of chip. NVIDIA's `compute-sanitizer --tool racecheck` looks for such races there.
#
# The tree needs half of the threads in its first round, a quarter in the second. The machine has no clock, so it counts time
# in accesses to memory, atomics and exchanges in a warp: between two barriers a block takes as long as its busiest thread,
# and the others wait.

# %% tags=["hide-input"]
waiting = predict(
    "In blocks of 32, which share of their time do threads of the tree spend waiting for the busiest one?",
    {
        "about a tenth": "There are only a few rounds.",
        "about a third": "In the first round half of the threads work, and there are four more rounds.",
        "about three quarters": "After the first round most threads only come to the barrier.",
    },
)
waiting

# %%
tree = ladder.run("tree", gradient)
check("error of the norm", tree.error, between=(0, 1e-9))
check("atomics, one a block", tree.counts.atomics, 63, rtol=0)
check("barriers, six a block", tree.counts.barriers, 63 * 6, rtol=0)
check("bytes of the gradient read, as before", tree.gradient_bytes, 4 * 2003, rtol=0)
check("share of time spent waiting", tree.counts.idle, between=(0.70, 0.80))
waiting.reveal("about three quarters")

# %% [markdown]
# ## 4 · The tricks, and the one that counts
#
# Tutorials on reductions spend their chapters on the tree. The best-known trick takes it out of shared memory: the 32
# threads of a warp can *shuffle*, hand each other a number from register to register, and need no barrier for it.
# `shfl_down_sync(EVERYONE, value, step)` is the `value` of the lane `step` places further up. Below, two functions that the
# kernel calls come first; `@cuda.jit(device=True)` marks such functions.

# %%
display(ladder.source("shuffle"))
shuffle = ladder.run("shuffle", gradient)
check("error of the norm", shuffle.error, between=(0, 1e-9))
check("barriers, one a block", shuffle.counts.barriers, 63, rtol=0)
check("reads of shared memory: tree", tree.counts.shared_reads, 63 * 63, rtol=0)
check("reads of shared memory: shuffle", shuffle.counts.shared_reads, 63, rtol=0)
check("bytes of the gradient read, as before", shuffle.gradient_bytes, 4 * 2003, rtol=0)

# %% [markdown]
# Six barriers have become one, and shared memory is hardly used. But every thread still reads a single number, and then a
# whole block meets to add 32 of them. The other idea has nothing to do with trees. Let a grid of a fixed size *stride* over
# all the numbers: thread k takes the numbers k, k + grid, k + 2 · grid, and so on. It adds them up in a register, alone,
# and the block meets once, at the very end.

# %% tags=["hide-input"]
batching = predict(
    "Four blocks of 32 threads stride over the 2003 numbers. How many atomics and barriers are left, of the tree's 63 and 378?",
    {
        "about half of each": "The work stays the same, in larger pieces.",
        "4 and 4": "One for each block, however many numbers there are.",
        "none": "A thread that adds alone would not need to meet anybody.",
    },
)
batching

# %%
stride = ladder.run("stride", gradient, blocks=4)
check("error of the norm", stride.error, between=(0, 1e-9))
check("atomics", stride.counts.atomics, 4, rtol=0)
check("barriers", stride.counts.barriers, 4, rtol=0)
check("bytes of the gradient read, as before", stride.gradient_bytes, 4 * 2003, rtol=0)
double = ladder.run("stride", torch.cat([gradient, gradient]), blocks=4)
check("atomics for twice as many numbers", double.counts.atomics, 4, rtol=0)
display(batching.reveal("4 and 4"))

rungs = {"atomic": atomic, "tree": tree, "shuffle": shuffle, "stride": stride}
charts = {
    "atomics and barriers": [r.counts.atomics + r.counts.barriers for r in rungs.values()],
    "time waiting, %": [100 * r.counts.idle for r in rungs.values()],
    "gradient bytes read": [r.gradient_bytes for r in rungs.values()],
}
with rc_context(plot.STYLE):
    picture = plot.Picture("three bar charts over the rungs atomic, tree, shuffle and stride")
    for axes, (title, heights) in zip(picture.subplots(1, 3), charts.items(), strict=True):
        axes.bar(list(rungs), heights, color=plot.COLOURS[: len(rungs)])
        axes.set(title=title)
        axes.margins(y=0.12)
        axes.tick_params(axis="x", labelsize=8)
        axes.bar_label(axes.containers[0], fmt="{:.0f}", fontsize=8.5)

waits = [rung.counts.idle for rung in rungs.values()]
claim(
    "shuffling threads wait less than those of the tree, striding ones least",
    waits[3] < waits[2] < waits[1],
)
picture

# %% [markdown]
# **Read the plot, from right to left.** On which rung are fewer bytes read? And which idea made the first chart shrink by the
# largest factor?
#
# <details><summary>What there is to see</summary>
# On none: a norm has to read every number once, 4 bytes each, and no kernel can do with less. What the rungs change is how much
# stands between the threads and their next read. Atomics and barriers together became 4.5 times fewer by the tree, 3.5 times
# by the shuffle, which has exchanges in a warp in their place, and 16 times by the stride; with more numbers that last factor
# grows, for the 8 stay. (The threads of the atomic rung hardly wait in the second chart, for they stand in a queue not in
# their block but in front of one address in memory, and that queue is not counted.)</details>
#
# ### Exercise 2: the norm in one launch
#
# *25 minutes.* Until now each block ended with an atomic addition, and nobody took the root. Who could? No block knows when
# the others are done, and no barrier reaches across blocks. There is a way all the same, and production kernels use it:
#
# 1. thread 0 of each block writes the block's sum of squares to `partial[b]`, a place of its own;
# 2. the same thread calls `cuda.threadfence()`: what it has written reaches global memory before what it does next;
# 3. it draws a ticket: `cuda.atomic.add(ticket, 0, 1)` returns what stood there before. Who draws the last number knows
#    that all others have written, adds up their sums, takes the root, and puts the ticket back to 0.
#
# Here a thread has many numbers, as in the stride. When you are stuck: `exercises.get("grid-norm").hint(1)`.


# %%
def grid_norm(values, partial, ticket, norm):
    """Leave the norm of all values, √(Σ x²), in `norm[0]`; and 0 in `ticket[0]`, for the next launch.

    Blocks have 32 threads; there may be fewer threads than values, or more. `partial` has a place for each
    block; `partial` and `norm` hold nothing in particular before, `ticket[0]` is 0.
    """
    # BEGIN SOLUTION
    shared = cuda.shared.array(32, float64)
    thread = cuda.threadIdx.x
    mine = float64(0)
    i = cuda.grid(1)
    while i < values.size:
        x = float64(values[i])
        mine += x * x
        i += cuda.gridsize(1)
    shared[thread] = mine
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if thread < half:
            shared[thread] += shared[thread + half]
        cuda.syncthreads()
        half //= 2
    if thread == 0:
        partial[cuda.blockIdx.x] = shared[0]
        cuda.threadfence()
        if cuda.atomic.add(ticket, 0, 1) == cuda.gridDim.x - 1:
            total = float64(0)
            for block in range(cuda.gridDim.x):
                total += partial[block]
            norm[0] = math.sqrt(total)
            ticket[0] = 0
    # END SOLUTION


# %%
exercises.get("grid-norm").check(grid_norm)

# %% [markdown]
# ## 5 · Wider, and all tensors at once
#
# Two rungs are left. A thread can load four numbers with one instruction of 128 bits. And a model has not one gradient but
# many, most of them small: ours, made narrow so that it fits here, has 45 tensors with 4,008 numbers in all.

# %% tags=["hide-input"]
wide = predict(
    "Loading four numbers at a time: what becomes of the number of loads, and of the bytes?",
    {
        "a quarter of the loads, the same bytes": "The same numbers, in fewer and larger requests.",
        "a quarter of both": "Each load would bring four numbers for the price of one.",
        "the same loads, a quarter of the bytes": "The numbers would be packed more tightly.",
    },
)
wide

# %%
vector = ladder.run("vector", gradient, blocks=4)
check("loads, one number at a time", stride.counts.loads, 2003, rtol=0)
check("loads, four at a time and three at the end", vector.counts.loads, 500 + 3, rtol=0)
check("bytes of the gradient read", vector.gradient_bytes, 4 * 2003, rtol=0)

narrow = make_model(Recipe(d_model=8))
cross_entropy(narrow(batch.inputs), batch.targets).backward()
tensors = [p.grad for p in narrow.parameters()]
one_by_one, together = ladder.run("stride", tensors), ladder.run("lists", tensors)
check("tensors", len(tensors), 45, rtol=0)
check("numbers in them", together.elements, 4008, rtol=0)
check("launches, a tensor at a time", one_by_one.counts.launches, 45, rtol=0)
check("launches, with a table of where they lie", together.counts.launches, 1, rtol=0)
claim("both find the norm", max(one_by_one.error, together.error) < 1e-9)
wide.reveal("a quarter of the loads, the same bytes")

# %% [markdown]
# A launch costs the processor some microseconds, whatever it launches, and small tensors leave most of a GPU empty. So in
# models as small as ours one would expect most from this last rung, one launch for everything, and in large ones from the
# stride. That is an expectation; the counts alone do not show it.
#
# ## 6 · What others measured, and what this machine can
#
# These figures are published by others. Nothing in this table was measured here:
#
# | rung | published | source |
# |---|---|---|
# | tree, one number a thread | 639 GB/s | simveit/effective_reduction, one H100, 2³⁰ integers |
# | shuffles, one number a thread | 661 to 883 GB/s | the same |
# | many numbers a thread | 3227 GB/s | the same; NVIDIA's own library there: 3191 GB/s |
# | and 128-bit loads | 3231 GB/s | the same |
# | a ladder of six rungs on an RTX 3090 | 1, 25, 36, 38, 63, 98 % of its memory's speed | MasterSkepticista/parallel_reductions_cuda |
#
# On the one chip shuffles gain at most 38 % over the tree, and many numbers a thread are 3.7 to 5 times as fast as one; on the
# other chip the way up has more steps. Such figures belong to a chip, the counts above do not. If there is an NVIDIA GPU in
# your machine, here are its own:

# %% tags=["nbval-ignore-output"]
speeds = ladder.on_gpu()
print(
    "\n".join(f"{name:8} {speed:7.0f} GB/s" for name, speed in speeds.items())
    or f"Not timed: {ladder.missing()}."
)

# %% [markdown]
# ## 7 · The clip that does nothing
#
# Clipping is a norm, a decision, and perhaps a multiplication of every gradient. In a run that goes well the norm lies below
# the limit most of the time, and the coefficient is 1. PyTorch multiplies by it all the same: the decision lies on the
# GPU, and asking for it would make the processor wait.
#
# P numbers of 4 bytes: the norm reads 4 · P bytes. Multiplying reads them again and writes them, 8 · P.

# %% tags=["hide-input"]
nothing = predict(
    "Nothing has to be clipped. How many bytes an element does a clip move at the least?",
    {
        "0": "If nothing changes, nothing would have to be read.",
        "4": "The norm has to be read before anybody knows that there is nothing to do.",
        "8": "What was read would have to be written back.",
        "12": "The norm, and then the multiplication.",
    },
)
nothing

# %%
small = make_model(Recipe(d_model=8, n_layers=1))
cross_entropy(small(batch.inputs), batch.targets).backward()
tensors = [p.grad for p in small.parameters()]
moved = {
    (rung, max_norm): ladder.run(rung, tensors, max_norm=max_norm)
    for rung in ("always", "clip")
    for max_norm in (1e6, 0.01)
}
for rung, unclipped, clipped in (("always", 12, 12), ("clip", 4, 12)):
    check(
        f"{rung}: bytes an element, nothing to clip",
        moved[rung, 1e6].bytes_per_element,
        unclipped,
        rtol=0,
    )
    check(
        f"{rung}: bytes an element, clipped",
        moved[rung, 0.01].bytes_per_element,
        clipped,
        rtol=0,
    )
check("launches of always", moved["always", 1e6].counts.launches, 2 * len(tensors), rtol=0)
check("launches of clip", moved["clip", 1e6].counts.launches, 2, rtol=0)
display(nothing.reveal("4"))
ladder.source(ladder.RUNGS["clip"].kernels[1])

# %% [markdown]
# `clip` are the kernels of this course's package, `gradlab_kernels`, as they stand. The decision stays on the GPU here, too.
# The second kernel, shown above, is launched in any case; each of its threads looks at the coefficient, and if it is 1 they
# leave.
#
# ### Exercise 3: clip, or leave
#
# *15 minutes.* Write the second kernel for one array. The comment in `multi_scale` about NaN is worth a thought: what should
# happen to the gradients if the norm is NaN, and what does your comparison answer then? When you are stuck:
# `exercises.get("clip-kernel").hint(1)`.


# %%
def clip_kernel(grads, norm, max_norm):
    """Scale `grads` in place by max_norm / (norm[0] + 1e-6), if that is below 1; else leave at once.

    The grid does not depend on the number of gradients. If the norm is NaN, every gradient becomes NaN,
    as in PyTorch. Who leaves neither reads gradients nor writes them.
    """
    # BEGIN SOLUTION
    coefficient = max_norm / (norm[0] + 1e-6)
    if coefficient >= 1:
        return
    i = cuda.grid(1)
    while i < grads.size:
        grads[i] *= coefficient
        i += cuda.gridsize(1)
    # END SOLUTION


# %%
exercises.get("clip-kernel").check(clip_kernel)

# %% [markdown]
# Does it show in time? The machine that counts cannot say. But the package has the same design for the processor, compiled by
# Numba, and there the memory is as real as on a GPU. Forty gradients of 65,536 numbers, and a limit that is far away; each
# is called 15 times, in turns, and the shortest counts. The times differ from machine to machine, so nothing is claimed of
# them: see whether yours agree with the bytes.

# %% tags=["nbval-ignore-output"]
torch.set_num_threads(1)
large = [torch.nn.Parameter(torch.zeros(65_536)) for _ in range(40)]
draw = torch.Generator().manual_seed(0)
for parameter in large:
    parameter.grad = torch.randn(65_536, generator=draw)
before = [parameter.grad.clone() for parameter in large]
plan = ClipPlan(large)
plan.clip_(1e6)  # the first call compiles


def seconds(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


turns = [
    (
        seconds(lambda: torch.nn.utils.clip_grad_norm_(large, 1e6)),
        seconds(lambda: plan.clip_(1e6)),
    )
    for _ in range(15)
]
theirs, ours = map(min, zip(*turns, strict=True))
claim(
    "every gradient has kept its bits",
    all(torch.equal(p.grad, old) for p, old in zip(large, before, strict=True)),
)
print(
    f"torch {1e3 * theirs:.2f} ms, leaving at once {1e3 * ours:.2f} ms: {theirs / ours:.1f} times, on this processor"
)

# %% [markdown]
# By bytes it is 12 against 4, a factor of 3; caches, threads and the cost of calling move it up or down. No time on this page
# was measured on a GPU unless section 6 says so.
#
# ## 8 · How little of a training step this is
#
# Before you replace anything: how much of *your* step is the clip? Here is one of our model, on this processor:


# %% tags=["nbval-ignore-output"]
def shares(model, clip, steps=40):
    """The share of each training step that the clip takes."""
    optimizer, found = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), []
    for _ in range(steps):
        began = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(model(batch.inputs), batch.targets).backward()
        clipping = seconds(clip)
        optimizer.step()
        found.append(clipping / (time.perf_counter() - began))
    return found


plan = ClipPlan(model.parameters())
by_torch = statistics.median(
    shares(model, lambda: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0))
)
by_plan = statistics.median(shares(model, lambda: plan.clip_(1.0)))
print(f"of a step, the median: {by_torch:.1%} by PyTorch, {by_plan:.1%} by the package")

# %% [markdown]
# The clip grows with the number of parameters, the rest of the step with the parameters and the batch. A report on a kernel of this kind, NVIDIA-NeMo/Automodel#3685, gives 0.6 % between the fastest and
# the slowest way, end to end. These kernels are worth knowing for what they teach, which holds for every
# operation that reads much and computes little: count the bytes, then the launches, then the meetings, and only then the
# instructions.
#
# | said about this | counted or measured above |
# |---|---|
# | "Optimise the tree." | it changes barriers and shared memory, not one byte of what is read |
# | "Shuffles are the trick." | they leave 63 of 378 barriers; batching leaves 4, and 4 of 63 atomics |
# | "128-bit loads read less." | a quarter of the loads, the same bytes |
# | "Multiplying by 1 costs nothing." | 8 of 12 bytes an element |
# | "Clipping slows training down." | your share of a step is printed above |
# | "It passes the test." | so did the specimen, on ones |
#
# ## 9 · What to remember
#
# Three questions, answered from memory. The package with the real kernels is in `kernels/`, with a reading order, and
# `python -m gradlab_kernels.ladder` prints this ladder's counts, and its times on a GPU.

# %% tags=["hide-input"]
display(
    recall(
        "A reduction kernel gives the right sum in a thousand runs. Does it need all of its barriers?",
        {
            "No: a thousand runs would have shown it": "On the hardware of today. The order of threads is not promised, and the next chip has another.",
            "It cannot be said from results": "A race is a matter of order, not of values: look at who reads what others write between two barriers.",
            "Yes, or the sum would be wrong": "A missing barrier may go unnoticed for years, and one may be too many.",
        },
        answer="It cannot be said from results",
        pitfalls={"No: a thousand runs would have shown it": "missing-barrier"},
    ),
    recall(
        "Your norm kernel reads each number once and reaches a quarter of the memory's speed. What do you try first?",
        {
            "A better tree": "The tree decides about meetings inside a block. With one number a thread there are too many meetings, whatever the tree.",
            "Many numbers for each thread": "Then a thread reads most of the time, and the block meets once.",
            "Half precision for the sum": "It saves no byte of what is read, and loses the sum.",
        },
        answer="Many numbers for each thread",
    ),
    recall(
        "The scaling kernel begins with `if not coefficient < 1: return`. The norm is NaN. What happens?",
        {
            "It leaves, and the gradients stay as they are": "Every comparison with NaN is false, so `not` makes it leave. One NaN is in there, and nothing tells the optimizer.",
            "All gradients become NaN": "They do with `if coefficient >= 1: return`, which NaN passes.",
            "An error": "Comparisons with NaN raise nothing.",
        },
        answer="It leaves, and the gradients stay as they are",
        pitfalls={"All gradients become NaN": "nan-slips-through"},
    ),
)
