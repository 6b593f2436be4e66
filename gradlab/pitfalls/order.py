"""Mistakes in the order of events inside one step, and the clip that is not there at all."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "order"

ORDER = (
    Pitfall(
        id="clip-missing",
        name="No clip yet",
        section=SECTION,
        belief="The limit is given, so something will keep to it.",
        happens="max_norm is a number that nobody reads until some code compares it with the norm. On three known "
                "gradients, one far over the limit, the update without a clip was 14.8 times the right one; on the "
                "two under the limit it was the same. The first thread below found it out with a limit of 1e-9, which "
                "made no difference to the loss.",
        told_by=("order", "value"),
        told_apart="The same update as with a clip after the step, before the backward pass or over no tensors, on "
                   "every gradient there is: only the order of events tells them apart, and here no clip happened. A "
                   "check stays silent outside an exercise that asks for clipping, for leaving it out is no mistake.",
        messages={
            "": "Nothing was clipped: the step used norm {norm}, and the limit you were given is {max_norm}.",
            "unchanged": "The gradients you were given still have norm {norm}, and the limit is {max_norm}: nothing "
                         "was written into these tensors.",
            "rebound": "You made new tensors; the ones you were given still have norm {norm}, and the limit is "
                       "{max_norm}.",
            "of-gradients": "You gave the gradients themselves to torch's clip. It looks at the .grad of each tensor "
                            "it is given, and these have none: the norm is still {norm}, and the limit is {max_norm}.",
            "line-of-gradients": "The clip on line {line} was given the gradients themselves. It looks at the .grad of "
                                 "each tensor it is given, and these have none: the norm is still {norm}, and the "
                                 "limit is {max_norm}.",
        },
        experiment="Print the norm of all gradients just before the step, beside max_norm.",
        threads=("mlcommons/training#723", "msalhab96/SpeeQ#50"),
        lab="01_clipping",
        level=None,
    ),
    Pitfall(
        id="clip-after-step",
        name="Clipping after the step",
        section=SECTION,
        belief="Clipping anywhere near step() protects the update.",
        happens="The optimizer has already used the unclipped gradient. After 200 steps the weights were the same, "
                "bit for bit, as without any clipping, for SGD, SGD with momentum and Adam.",
        told_by=("order",),
        told_apart="The update is that of no clipping at all, so only the order tells: backward, step, clip, and then "
                   "the gradients are cleared without another step. A check stays silent when only the norm is "
                   "measured after the step, with max_norm=inf or by a logger.",
        messages={
            "": "Your clip on line {line_clip} ran after the step on line {line_step}, which had already used norm "
                "{norm}; your limit was {max_norm}.",
            "value": "Your clip ran when the step had already used norm {norm}; your limit was {max_norm}.",
            "by-hand": "You shrank the gradients on line {line_clip}, after the step on line {line_step} had already "
                       "used norm {norm}.",
        },
        experiment="Print one weight before and after your clip, and again before and after your step.",
        threads=("awslabs/graphstorm#1366", "awslabs/graphstorm#1382", "VGraphRNN/VGRNN#4"),
        lab="01_clipping",
        level="error",
    ),
    Pitfall(
        id="clip-before-backward",
        name="Clipping before the backward pass",
        section=SECTION,
        belief="Clipping is a setting, to be applied before the gradient is computed.",
        happens="It acts on gradients that do not exist yet (it returns 0.0 and raises nothing), on zeros, or on what "
                "the last window left. Where gradients had been cleared first, the weights were the same, bit for "
                "bit, as without clipping.",
        told_by=("order",),
        told_apart="The update is that of no clipping at all, so only the order tells: clip, backward, step, and no "
                   "clip after the last backward. A check stays silent when a second, correct clip follows later in "
                   "the window, and when the top of the loop only reads a norm.",
        messages={
            "": "When clip ran, {n_none} of {n_params} {n_params:gradient|gradients} did not exist yet (it saw norm "
                "{norm}); the gradient you stepped with had norm {norm_step}.",
            "none": "When clip ran, none of the {n_params} {n_params:gradient|gradients} existed yet, so there was "
                    "nothing to clip; the gradient you stepped with had norm {norm_step}.",
            "zeros-or-stale": "When clip ran, it saw norm {norm}: zeros, or what the window before had left. This "
                              "window's gradient came later, and you stepped with norm {norm_step}.",
            "partial": "Clip ran after {n_seen} of {n_backward} micro-batches and never again: it saw norm {norm}, and "
                       "the gradient you stepped with had norm {norm_step}.",
        },
        experiment="Print how many parameters have a gradient that is not None on the line of your clip.",
        threads=("simchowitzlabpublic/nano-world-model#22", "yandex-research/tabm#20"),
        lab="01_clipping",
        level="error",
    ),
    Pitfall(
        id="missing-zero-grad",
        name="Gradients that are never cleared",
        section=SECTION,
        belief="backward() replaces the gradient, or step() uses it up.",
        happens="Gradients add up for ever. After 200 steps without clipping SGD ended at loss 0.247 instead of "
                "0.095, SGD with momentum at NaN instead of 0.003, and Adam at 22.2 instead of 1e-6, its norm grown "
                "from 2.1 to 513. Clipping hides it: at max_norm 0.1 SGD ended at 0.689 instead of 0.688, Adam at "
                "0.0148 instead of 0.0003.",
        told_by=("order", "value"),
        told_apart="Two updates use the same gradient with a backward pass between them and no clearing; by value it "
                   "shows where the limit is not reached. A check stays silent for p.grad = None by hand and for "
                   "model.zero_grad(), for several backward passes before one step, and for momentum written by hand.",
        messages={
            "": "Step {i} used the sum of {n_windows} {n_windows:window|windows}: nothing cleared the gradient since "
                "step {j}, and its norm grew from {norm_j} to {norm_i}.",
            "sum": "Step {i} used the sum of {n_windows} {n_windows:window|windows}: nothing cleared the gradient "
                   "since step {j}. Their sum has norm {norm}.",
            "value": "Your gradient has norm {norm}, while this window's micro-batches alone give {norm_true}: the "
                     "gradient of the step before, norm {norm_before}, is still in the sum.",
        },
        experiment="Print the gradient norm just before the first backward pass of steps 1, 2 and 3.",
        threads=("wenet-e2e/wekws#72", "meta-pytorch/torchforge#71", "pytorch/pytorch#47175"),
        lab="03_accumulation",
        level="error",
    ),
    Pitfall(
        id="zero-grad-before-step",
        name="Gradients cleared before they are used",
        section=SECTION,
        belief="Zeroing is tidying up, so its place does not matter; or each micro-batch needs its own.",
        happens="Cleared between the backward pass and the step, nothing is left to apply; cleared in every "
                "micro-batch, only the last one survives, still divided by their number. SGD does not move. With "
                "momentum, or Adam, and set_to_none=False the model coasts on what it remembers: the first such step "
                "moved it by 0.10 and 0.15, the 20th by 0.014 and 0.026, and it looked alive.",
        told_by=("order", "value"),
        told_apart="No backward pass survives to the step, or fewer than the divisor read from the loss; the update "
                   "is zero, or the last micro-batch over k. A check stays silent for clearing between the forward "
                   "and the backward pass, and where a gradient is thrown away on purpose: SAM, GANs, diagnostics.",
        messages={
            "": "Of {n_backward} backward {n_backward:pass|passes} in this window, {n_lost} {n_lost:was|were} cleared "
                "before the step, so the update used {n_left} of them, divided by {divisor}.",
            "lost": "Of {n_backward} backward {n_backward:pass|passes} in this window, {n_lost} {n_lost:was|were} "
                    "cleared before the step, so the update used {n_left} of them.",
            "nothing-left": "This window ran {n_backward} backward {n_backward:pass|passes}, and everything "
                            "{n_backward:it|they} left in the gradients was cleared before the step.",
            "last-only": "Of {n_backward} micro-batches only the last was still in the gradient at the step, and it "
                         "was divided by {divisor}.",
        },
        experiment="Print the gradient norm just after each backward pass and just before the step.",
        threads=("bytetriper/RAE#67", "ultralytics/ultralytics#11217"),
        lab="03_accumulation",
        level="error",
    ),
)
