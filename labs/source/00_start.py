# %% [markdown]
# # Start here
#
# In this course you break the training of a real transformer, watch it happen, and mend it. The model is small, but
# nothing in it is faked: every curve is trained at the moment you look at it, on your own processor.
#
# You need to know what a gradient is and what backpropagation does. Everything else is measured here.
#
# **First minute.** Click the cell below and press *Shift + Enter*. Then press **Run** in the panel.

# %%
from gradlab import Recipe, explore
from gradlab.data import lowest_loss

panel = explore(Recipe(), floor=lowest_loss())
panel

# %% [markdown]
# That curve falls because a transformer is learning, right now, to read numbers aloud. While it runs, drag `lr`, the
# learning rate, to the right. The next update already uses the new value. Somewhere the curve stops falling; further
# to the right it jumps; further still it is gone.
#
# - **Pause** and **Step** let you look at one update at a time, **Reset** begins anew with the values you see.
# - **Pin** keeps the current run as a ghost behind the next one, so that you can compare the two.
# - The **share string** holds every setting of the panel. Send it to somebody: *Load* puts the same experiment in front
#   of them.
# - Everything works with the keyboard: *Tab* goes from control to control, the arrow keys move a slider.

# %% [markdown]
# ## What is being trained
#
# The task is a number and its English words, character by character. The model sees the beginning of a line and has to
# say the next character, at every place.

# %%
import math

from gradlab import check
from gradlab.data import CHARACTERS, NumberWords, decode

batch = next(NumberWords(seed=0, batch_size=4))
for row in batch.inputs:
    print(decode(row).strip())
print("\ninputs", tuple(batch.inputs.shape), "places with a target:", int(batch.mask.sum()))

check("lowest possible loss, on average", lowest_loss(), 0.271, rtol=0.002)
check("loss of a model that knows nothing", math.log(len(CHARACTERS)), 3.37, rtol=0.002)

# %% [markdown]
# The letters follow from the digits, so they can be learned; the digits themselves are random, so they cannot. On average
# no model can get below 0.271 nats a character here (the dotted line in the panel; a lucky batch may dip below it). A nat
# is the unit of a loss that is taken with the natural logarithm: a model that knows nothing, and gives all 29 characters
# the same chance, pays ln 29 = 3.37 of them.
#
# The model is a transformer of the ordinary kind: 4 blocks of attention and feed-forward layers, 32 numbers wide.

# %%
from gradlab.train import make_model

model = make_model(Recipe())
sizes = [parameter.numel() for parameter in model.parameters()]
print(f"{sum(sizes):,} parameters in {len(sizes)} tensors")

# %% [markdown]
# ## The four charts
#
# | chart | what it answers |
# |---|---|
# | **loss** | Does it learn? Falling is good, jumping is a warning, gone is divergence. |
# | **gradient norm** | How long is the gradient, before and after clipping? The dashed line is the threshold, `max_norm`. |
# | **clipped steps** | How often did clipping act among the last 25 updates? |
# | **update / parameter** | How far does one update move the weights, compared with their size? The line at −3 means a thousandth. |
#
# ## Three experiments
#
# Say aloud what you expect *before* you press Run. People who predict first remember what they saw; people who only
# watch often do not.
#
# 1. Switch clipping off (untick **clip**), set `lr` to 1, press **Reset**, then **Run**. How many updates does it live?
# 2. Press **Pin**, switch clipping on with `max_norm` 1, **Reset**, **Run**. What changed, and in which chart do you see
#    it first?
# 3. Clipping off again, but `lr` 0.3. Was clipping ever the point?
#
# The first of them without the panel, so that you can trust your eyes. `run` is what you use in your own
# scripts, too:

# %% tags=["nbval-ignore-output"]
from gradlab import run

run(Recipe(lr=1.0, max_norm=None), log_every=10)  # differs a little between machines

# %% [markdown]
# One run shows that something can happen. Three seeds, which means three models and three streams of numbers, show a
# little more:

# %%
from gradlab import claim, plot, run_seeds

lost = run_seeds(Recipe(lr=1.0, max_norm=None), seeds=3)
clipped = run_seeds(Recipe(lr=1.0, max_norm=1.0), seeds=3)
slower = run_seeds(Recipe(lr=0.3, max_norm=None), seeds=3)

claim(
    "lr 1 without clipping is lost before update 100",
    all(h.diverged and h.first_nonfinite_step < 100 for h in lost),
)
claim(
    "lr 1 with max_norm 1 survives these 150 updates", all(h.final_loss < 2 for h in clipped)
)
claim(
    "lr 0.3 without any clipping survives as well, and ends lower",
    max(h.final_loss for h in slower) < min(h.final_loss for h in clipped),
)
plot.runs(
    {"lr 1, no clipping": lost, "lr 1, max_norm 1": clipped, "lr 0.3, no clipping": slower},
    floor=lowest_loss(),
    top=5,
)

# %% [markdown]
# A sentence that this course states as a fact is checked by the cell beside it: `claim(...)` and `check(...)` measure,
# and they stop with an error where the sentence is not true on your machine. The third one should make you curious.
# Clipping saved the run at `lr` 1 for these 150 updates, and a smaller learning rate did so better. (Let the panel go on
# for some hundred more.) What clipping is for, and what it is not
# for, is the subject of the next lab.
#
# ## How a check speaks
#
# The labs ask you to write a few lines of code now and then, and a checker tries them. It does not say "wrong". It knows
# the mistakes that people really make here, tells yours by what your code did, and names it, with your own numbers and
# one thing to try. Here is an example. During *warmup* the learning rate rises in equal steps, so that the first update
# has `base_lr / warmup_steps` and the last one of the warmup has `base_lr`. Somebody wrote:

# %%
from gradlab import exercises


def lr_at(step, base_lr, warmup_steps):
    """The learning rate at `step`, which is 0 at the first update, 1 at the second, and so on.

    After the warmup it stays at `base_lr`. `warmup_steps` may be 0: then there is none.
    """
    return base_lr * min(1.0, step / max(warmup_steps, 1))


exercises.get("warmup").check(lr_at)

# %% [markdown]
# Mend it: change the function and run the cell again until the verdict is *right*. If you are stuck, add a cell (press
# *B*): `exercises.get("warmup").hint(1)` gives a nudge, `hint(2)` nearly the answer, and after that `solution()` shows one.
#
# A question with circles before its answers wants to be answered *before* you go on. Some are predictions: choose,
# press **Commit**, and a later cell lays your choice over what happened. Nobody keeps a score. Their code is folded away,
# because it knows the answers; run the bar with the three dots like any other cell.
#
# ## How to go on
#
# - **01_clipping** is next: why the run explodes, what clipping does to it, and how to choose `max_norm`.
# - Each lab takes half an hour or more. Run its cells from the top; *Kernel → Restart Kernel and Run All Cells* starts
#   over.
# - A panel that does not answer has lost its kernel, or the kernel is busy with another cell. Run the panel's cell again.
# - Nothing here needs a GPU, and nothing leaves your machine.
