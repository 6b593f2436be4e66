"""Mistakes in making one update from several micro-batches."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "accumulation"

ACCUMULATION = (
    Pitfall(
        id="clip-each-micro-batch",
        name="Clipping every micro-batch",
        section=SECTION,
        belief="Clipping each micro-batch is the same as clipping the window.",
        happens="After each backward pass the whole running sum is clipped, so early micro-batches shrink again and "
                "again: four of one length counted .024, .040, .074 and .134 instead of .081 each, and the update had "
                "cosine 0.83 to the right one. Clipped each alone, the four meet the limit singly and their sum does "
                "not.",
        told_by=("order", "value"),
        told_apart="Backward and clip take turns inside one window; by value, the running sum and each alone have "
                   "results of their own on a gradient far over the limit. A check stays silent for clipping per "
                   "example with noise added (DP-SGD), for a step per chunk or minibatch (truncated backpropagation, "
                   "PPO), and when a norm is only logged.",
        messages={
            "": "Clip ran {n_clip} {n_clip:time|times} in a window of {n_backward} "
                "{n_backward:micro-batch|micro-batches}; micro-batch 1 now counts {w_first} and the last counts "
                "{w_last}.",
            "running-sum": "After each of {n_backward} micro-batches you clipped everything summed so far; "
                           "micro-batch 1 now counts {w_first} and the last counts {w_last}.",
            "each-alone": "Each of {n_backward} micro-batches was limited to {max_norm} on its own; the gradient you "
                          "stepped with has norm {norm_after}.",
            "counted": "Clip ran {n_clip} {n_clip:time|times} in a window of {n_backward} "
                       "{n_backward:micro-batch|micro-batches}, each time on everything summed so far.",
        },
        experiment="Print the norm of the summed gradient before and after each clip of one window.",
        threads=("huggingface/transformers#986", "huggingface/transformers#1563", "tenstorrent/tt-metal#17568"),
        lab="03_accumulation",
        level="error",
    ),
    Pitfall(
        id="wrong-accumulation-divisor",
        name="The wrong divisor for accumulated losses",
        section=SECTION,
        belief="No division is needed; or divide by the micro-batch's index; or divide the gradient inside the loop.",
        happens="Without it the gradient is k times too large. Divided by the index, micro-batches count 1, 1/2, 1/3 "
                "and so on. Divided inside the loop with k = 4, they count 1/256, 1/64, 1/16 and 1/4, together 0.33. "
                "SGD feels it. Adam does not (20 steps with 4 times the gradient: update ratio 1.0000), but the limit "
                "then bites k times earlier, and clipping that acts hides the missing division.",
        told_by=("value", "order"),
        told_apart="By value it shows where the limit is not reached. In a running loop a divisor was read from the "
                   "loss and differs from the number of backward passes; where none was read there is no finding. A "
                   "check stays silent for sum-reduced losses, for one division of the gradients at the end, and for "
                   "a learning rate scaled to match.",
        messages={
            "": "You summed {n_backward} {n_backward:micro-batch|micro-batches} and divided by {divisor}: the "
                "gradient is {ratio} times the window's mean.",
            "none": "You summed {n_backward} micro-batches and divided by nothing: your gradient has norm {norm}, "
                    "their mean has {norm_true}.",
            "by-index": "Of {n_backward} micro-batches the first counts {w_first} and the last {w_last}: the divisor "
                        "changed from one to the next.",
            "in-loop": "Your division ran once for each of {n_backward} micro-batches, on everything summed so far: "
                       "the first now counts {w_first} and the last {w_last}.",
        },
        experiment="Give every micro-batch the same data and compare the gradient with that of one of them alone.",
        threads=("karpathy/nanoGPT#168", "karpathy/nanoGPT#605", "paiml/aprender#2123"),
        lab="03_accumulation",
        level="warn",
    ),
    Pitfall(
        id="mean-of-means",
        name="The mean of unequal means",
        section=SECTION,
        belief="The mean of the micro-batch means is the mean over the window.",
        happens="Only if every micro-batch holds the same number of valid targets. With 10 and 100 tokens the "
                "gradient was wrong by 178 % and its norm 2.17 times the right one; weighted by tokens the error was "
                "1e-7, with equal sizes 2e-7. Adam does not save you, because the direction changes.",
        told_by=("value",),
        told_apart="It shows only where the counts differ; a wrong divisor shows with equal counts too. In a running "
                   "loop it takes the target counts to see it. A check stays silent for equal lengths, for objectives "
                   "per sequence (DPO, reinforcement learning), and where micro-batches are meant to count alike.",
        messages={
            "": "Your micro-batches had {n_1} and {n_2} targets but equal weight; a target in the short one counts "
                "{ratio} times as much.",
            "value": "Your micro-batches hold unequal numbers of targets and count alike: your gradient has norm "
                     "{norm}, the mean over all targets gives {norm_true}.",
        },
        experiment="Move one example from a long micro-batch to a short one and look whether the gradient stays.",
        threads=("huggingface/transformers#34191", "meta-pytorch/torchtune#1875", "ml-explore/mlx-lm#1413"),
        lab="03_accumulation",
        level="info",
    ),
    Pitfall(
        id="leftover-micro-batches",
        name="The short last window",
        section=SECTION,
        belief="The last, short window takes care of itself.",
        happens="With 10 micro-batches in windows of 4, the windows of an epoch weigh 1, 1 and 0.5 if you step at the "
                "end. If you do not, the rest leaks into the next epoch: 1, 1, then 1.5, 1, and 0.5 carried on (exact "
                "arithmetic). Adam dampens a single half-sized gradient; SGD takes half a step.",
        told_by=("value", "order"),
        told_apart="The number of backward passes in a window differs from its divisor only where an epoch ends or "
                   "begins; in every window it is a wrong divisor. A check stays silent for loaders with drop_last, "
                   "for a divisor that adapts to the short window, and for windows counted across epochs on purpose.",
        messages={
            "": "The last window of epoch {e} held {r} {r:micro-batch|micro-batches} but was divided by {k}; its "
                "update is {ratio} of a full one.",
            "window": "The window of step {i} held {r} {r:micro-batch|micro-batches} but was divided by {k}; its "
                      "update is {ratio} of a full one.",
            "carried": "{r} {r:micro-batch|micro-batches} of one epoch {r:was|were} left in the gradients when the "
                       "next began, so its first window summed {total} and divided by {k}.",
            "never-used": "The last {r} {r:micro-batch|micro-batches}, fewer than a window of {k}, never reached an "
                          "update.",
            "unclipped": "The short window of step {i} went past the clip: its gradient has norm {norm}, and the limit "
                         "is {max_norm}.",
        },
        experiment="Print the number of backward passes before each step over two epochs.",
        threads=("huggingface/transformers#39659", "Lightning-AI/pytorch-lightning#19987", "jingyaogong/minimind#749"),
        lab="03_accumulation",
        level="warn",
    ),
    Pitfall(
        id="batch-statistics-differ",
        name="BatchNorm sees the micro-batch",
        section=SECTION,
        belief="k micro-batches of b are exactly one batch of k·b, and checkpointing changes nothing but memory.",
        happens="With BatchNorm, 4 micro-batches of 8 gave a gradient 52 % off that of one batch of 32. A "
                "checkpointed BatchNorm saw its batch twice: num_batches_tracked 2 instead of 1, its running mean 1.9 "
                "times as far.",
        told_by=("value", "trace"),
        told_apart="The accumulated gradient differs from the full batch's only in a model with BatchNorm, or its "
                   "num_batches_tracked grows faster than the forward passes. A check stays silent for LayerNorm and "
                   "GroupNorm, BatchNorm in eval mode or frozen, SyncBatchNorm, and an extra forward pass on purpose.",
        messages={
            "": "BatchNorm counted {n_tracked} {n_tracked:batch|batches} for {n_forward} forward "
                "{n_forward:pass|passes}; its statistics come from {b} samples and not {kb}.",
            "checkpoint": "BatchNorm counted {n_tracked} {n_tracked:batch|batches} for {n_forward} forward "
                          "{n_forward:pass|passes}: some batches went through it twice.",
            "value": "Your micro-batches of {b} gave a gradient {percent} % off that of one batch of {kb}: BatchNorm "
                     "takes its statistics from {b} samples at a time.",
        },
        experiment="Print num_batches_tracked of a BatchNorm layer before and after one window.",
        threads=("pytorch/pytorch#96136", "m2lines/Samudra#572"),
        lab="03_accumulation",
        level="info",
    ),
    Pitfall(
        id="wrong-noise-scale",
        name="A noise scale from the wrong parts",
        section=SECTION,
        belief="The noise scale can be read off two gradient norms in whatever way they are divided.",
        happens="A squared norm is signal + noise / batch size. On a linear model whose noise scale was 137 by exact "
                "count, 200 pairs of squared norms gave it within 3 % when signal and noise were averaged first and "
                "divided last; the mean of the single ratios was off by more than 30 % on at least one of 3 seeds.",
        told_by=("value",),
        told_apart="The number is what the same norms give when one part is taken wrongly: the norm for its square, "
                   "the sizes exchanged, the noise left in the signal, a mean of ratios. A check stays silent for any "
                   "order of the arithmetic that gives the ratio of the two means.",
        messages={
            "": "You got {yours} for a noise scale of {true}.",
            "mean-of-ratios": "You got {yours}: the mean of {n} single estimates, which run from {lowest} to "
                              "{highest}. Where the signal of an update is nearly 0, its ratio is anything; signal and "
                              "noise by themselves are right on average, and give {true}.",
            "one-update": "You got {yours} from a single one of {n} updates; single estimates run from {lowest} to "
                          "{highest}.",
            "updates-picked": "You got {yours}: updates whose own signal is not above 0 were left out or set to 0. "
                              "They are as low by chance as others are too high, and only together are they right on "
                              "average: all {n} give {true}.",
            "given-up": "You got {yours}, because of an update whose own signal is not above 0. A single one may be; "
                        "it is the mean over all {n} that has to be above 0, and then the noise scale is {true}.",
            "sign-dropped": "You got {yours}: the estimate of the signal is {signal}, and its sign was dropped. A "
                            "squared length below 0 says that there is too much noise to see it.",
            "not-squared": "You got {yours}: norms went in as they are, and it is squared norms that are signal + "
                           "noise / B.",
            "square-of-mean": "You got {yours}: the norms were averaged and then squared. The mean of the squares is "
                              "larger than the square of the mean; with it the same norms give {true}.",
            "sizes-swapped": "You got {yours}: the batch sizes {b} and {big} went to the wrong norms. The micro-batch, "
                             "{b}, has the longer gradient, because it is noisier.",
            "window-as-signal": "You got {yours}: you divided by the squared norm of the window's gradient, {large}. "
                                "That holds the signal and the noise of {big} examples; the signal alone is {signal}.",
            "micro-batch-as-signal": "You got {yours}: you divided by the squared norm of the micro-batch's gradient, "
                                     "{small}. That holds the signal and the noise of {b} examples; the signal alone "
                                     "is {signal}.",
            "window-without-noise": "You got {yours}: the noise was taken as {b} times the difference of the squared "
                                    "norms, as if the window of {big} had none; it has {b} / {big} of the "
                                    "micro-batch's.",
            "upside-down": "You got {yours}, which is signal over noise; a batch size is noise over signal, here "
                           "{true}.",
            "sign": "You got {yours}: a batch size below 0. The squared norm of the micro-batch is {small} on average, "
                    "that of the window {large}, and noise is what makes the first one larger.",
            "noise-only": "You returned {yours}, the noise itself; the noise scale is how many times larger than the "
                          "signal it is, here {true}.",
            "signal-only": "You returned {yours}, the signal itself; the noise scale is how many times larger the "
                           "noise is, here {true}.",
            "below-zero": "You got {yours}: the estimate of the signal is {signal}, and a squared length below 0 says "
                          "that there is too much noise to see it.",
        },
        experiment="Choose a signal and a noise, compute signal + noise / B for both batch sizes, and put these in as "
                   "squared norms.",
        threads=("paiml/entrenar#125",),
        lab="03_accumulation",
        level=None,
    ),
)
