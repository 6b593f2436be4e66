"""Mistakes with autocast and the loss scale."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "mixed precision"

MIXED_PRECISION = (
    Pitfall(
        id="clip-before-unscale",
        name="Clipping scaled gradients",
        section=SECTION,
        belief="The scaler takes care of the limit; or scaled gradients make the limit so large that nothing is "
               "clipped.",
        happens="The opposite: at scale 65,536 a limit of 1 acts as 1.5e-5, and every step is clipped. SGD freezes: "
                "its first update was 1.5e-6 instead of 0.1, its loss after 200 steps 1.90 instead of 0.070. Adam "
                "hides it: first update 0.271 instead of 0.340, final loss 7e-4 instead of 1e-8.",
        told_by=("order", "value"),
        told_apart="The clip acts while the loss scale is still in the gradients; by value only a fixture with a "
                   "scale shows it. A check stays silent for a limit multiplied by the scale, which is correct (from "
                   "max_norm = scale/100 up), for a disabled scaler, and when a norm is only logged.",
        messages={
            "": "Clip saw norm {norm} = {scale} × {norm_true}, so your limit of {max_norm} acted as {max_norm_eff}.",
        },
        experiment="Print the norm that clip returns, then run once more with twice the loss scale.",
        threads=("Lightning-AI/pytorch-lightning#9694", "milesial/Pytorch-UNet#468", "pytorch/examples#1196"),
        lab="04_mixed_precision",
        level="error",
    ),
    Pitfall(
        id="unscale-twice",
        name="Unscaling twice",
        section=SECTION,
        belief="unscale_ is a reading, so it may be repeated; or every micro-batch needs one.",
        happens="torch raises: unscale_() has already been called on this optimizer since the last update(). It "
                "raises in the next window too, if a skipped step took update() with it. Divided by hand, the "
                "gradient is divided twice, and is 1/scale of the true one.",
        told_by=("order", "value"),
        told_apart="Two unscalings of one optimizer before the next update(); by value the update is 1/scale of the "
                   "right one, and only a fixture with a scale shows it. A check stays silent for one unscaling each "
                   "with several optimizers, and for scaler.step after unscale_, which does not repeat it.",
        messages={
            "": "unscale_ ran {n} {n:time|times} for this optimizer since the last update(); the gradient is now "
                "{ratio} of the true one.",
            "value": "Your gradient was divided by the scale of {scale} more than once: its norm is {norm}, the true "
                     "one {norm_true}.",
            "raised": "unscale_ ran on line {line_first} and again on line {line_second}, for the same optimizer and "
                      "within the same window.",
            "update-missing": "update() never ran after the step: unscale_ ran on line {line_first}, and for the "
                              "scaler that is still the same step when line {line_second} asks for it again.",
        },
        experiment="Print the gradient norm before and after every line that unscales.",
        threads=("huggingface/accelerate#641", "microsoft/Swin-Transformer#311", "Haian-Jin/LVSM#19"),
        lab="04_mixed_precision",
        level="error",
    ),
    Pitfall(
        id="backward-after-unscale",
        name="A backward pass after unscaling",
        section=SECTION,
        belief="Once unscaled, the window can go on.",
        happens="Nothing raises. A scaled gradient is added to an unscaled one: the norm went from 5.3 to 3.5e5 (× "
                "65,537), and the weights moved by 3.5e4 at learning rate 0.1. A clip afterwards restores the size "
                "but not the direction, for the first micro-batch counts 1/65,536. Adam hides the size, too. No "
                "silent case is known in public; the thread below is its loud cousin.",
        told_by=("order",),
        told_apart="A backward pass follows the unscaling, before the step. A check stays silent when that backward "
                   "pass touches only another optimizer's parameters.",
        messages={
            "": "Backward on line {line} ran after unscale_: its gradient is {scale} times larger than the {n} "
                "already there (norm {norm_a} to {norm_b}).",
            "value": "A gradient {scale} times too large joined one that was already unscaled: the sum has norm "
                     "{norm}, the true one {norm_true}.",
        },
        experiment="Print the gradient norm after every backward pass and after unscale_.",
        threads=("microsoft/Swin-Transformer#311",),
        lab="04_mixed_precision",
        level="error",
    ),
    Pitfall(
        id="scaler-bypassed",
        name="Stepping past the scaler",
        section=SECTION,
        belief="optimizer.step() and scaler.step(optimizer) are the same.",
        happens="Without unscale_ the step is scale times too large (it moved 3,981 instead of 0.061), and the only "
                "error comes later, at update(). After unscale_ there is no error at all, but an overflow is not "
                "skipped: the weights became non-finite. Adam hides the size.",
        told_by=("order", "value"),
        told_apart="The loss was scaled, and the step ran outside scaler.step; by value a fixture with a scale shows "
                   "the scaled kind, and one with an infinite gradient the other. A check stays silent for a disabled "
                   "scaler, for fused optimizers, which scaler.step drives itself, and for a second optimizer that "
                   "never saw a scaled loss.",
        messages={
            "": "optimizer.step() on line {line} ran on gradients still multiplied by {scale}, and no inf check was "
                "recorded: the weights moved by {moved}.",
            "scaled": "The step used gradients still multiplied by {scale}: norm {norm}, where the true one is "
                      "{norm_true}.",
            "unscaled": "The gradients had been divided by {scale}, but the step ran outside the scaler: had one of "
                        "them been infinite, the weights would be too.",
            "overflow": "The gradients had been divided by {scale}, one of them was infinite, and the step ran outside "
                        "the scaler, which would have skipped it: the infinity went into the weights.",
        },
        experiment="Put an inf into one gradient just before your step and print a weight after it.",
        threads=("huggingface/accelerate#357", "pytorch/pytorch#67590"),
        lab="04_mixed_precision",
        level="error",
    ),
    Pitfall(
        id="scaler-dtype-mismatch",
        name="The wrong dtype for a scaler, or for none",
        section=SECTION,
        belief="Mixed precision always needs a scaler, or never does.",
        happens="float16 underflows: of a peaked softmax's logit gradients 84.8 % became zero at scale 1, and 24.0 % "
                "at 2^16. bfloat16 has the range of float32, so a scaler only adds work and may skip steps. Autocast "
                "picks bfloat16 on a CPU by itself and float16 on a GPU.",
        told_by=("order",),
        told_apart="Autocast's dtype against whether a loss was scaled; bfloat16 with a scaler is worth knowing and "
                   "no more. A check stays silent for a scaler with enabled=False, and for float16 inference.",
        messages={
            "": "Autocast runs in {dtype} {with_or_without} a GradScaler; {fraction} of this window's gradient "
                "entries are exactly zero.",
            "without-scaler": "Autocast ran in {dtype} without a GradScaler in {n_backward} backward "
                              "{n_backward:pass|passes}: gradients that are too small for {dtype} become zero on "
                              "their way.",
            "with-scaler": "Autocast runs in {dtype}, which has the range of float32, and your losses are multiplied "
                           "by {scale} on top.",
        },
        experiment="Count the gradient entries that are exactly zero, once at loss scale 1 and once at 65536.",
        threads=("huggingface/accelerate#1036", "decoderesearch/SAELens#723", "engichang1467/Open-Rig3R#35"),
        lab="04_mixed_precision",
        level="warn",
    ),
    Pitfall(
        id="forward-outside-autocast",
        name="A forward pass outside autocast",
        section=SECTION,
        belief="A scaler is mixed precision; or whatever is computed near the autocast block runs in its dtype.",
        happens="Only what runs inside the block is computed in 16 bits. The rest stays float32, with a loss scale "
                "that has nothing to do and 4 bytes for each activation that is kept. Nothing fails.",
        told_by=("value",),
        told_apart="Autocast is off, or has another dtype, while the loss function runs. A check stays silent for "
                   "backward passes inside the block, which change nothing, and for parts that are switched to float32 "
                   "on purpose.",
        messages={
            "": "Autocast was off in {n_off} of {n} forward {n:pass|passes}: they ran in float32.",
            "dtype": "Autocast ran your forward pass in {dtype}; float16 is asked for.",
        },
        experiment="Print the dtype of the model's output, inside your block and outside it.",
        threads=("huggingface/transformers#43302", "intel/auto-round#2393"),
        lab="04_mixed_precision",
        level=None,
    ),
    Pitfall(
        id="overflow-not-skipped",
        name="An update made from an overflow",
        section=SECTION,
        belief="A lower loss scale repairs the gradients that overflowed.",
        happens="It only helps the next backward pass. An infinity in 1 entry of a gradient made that weight infinite "
                "in 1 update, and the loss NaN in the next forward pass.",
        told_by=("value",),
        told_apart="The update is made although a gradient is infinite or NaN. A check stays silent where it is left "
                   "out by other means, by gradients set to None, say.",
        messages={
            "": "The update of step {i} is made although its gradients overflowed: infinities go into the weights.",
            "reversed": "At step {i} your answer is the opposite: good updates are left out, and those of an overflow "
                        "are made.",
        },
        experiment="Put an inf into one gradient, make the update, and print the loss of the next forward pass.",
        threads=("NVIDIA/apex#43", "fastai/fastai#1608"),
        lab="04_mixed_precision",
        level=None,
    ),
    Pitfall(
        id="loss-scale-wrong-way",
        name="A loss scale that moves the wrong way, or not at all",
        section=SECTION,
        belief="A larger scale is always the safer one; or a scale that was found once stays right.",
        happens="An overflow says that the scale is too large, and a larger one overflows again: every update is "
                "skipped from then on. A scale that only falls loses small gradients: of a peaked softmax 24.0 % were "
                "zero in float16 at 2^16, 56.4 % at 2^8.",
        told_by=("value", "trace"),
        told_apart="The scale after an overflow, and after enough steps without one. A check stays silent for a static "
                   "scale, and for one at a lower bound that was set on purpose.",
        messages={
            "": "After the overflow at step {i} your scale went from {scale_before} to {scale}: the next backward pass "
                "overflows all the more.",
            "swapped": "After {n_good} good {n_good:step|steps} in a row your scale went down, from {scale_before} "
                       "to {scale}.",
            "never-halves": "The overflow at step {i} left your scale at {scale}: the next backward pass overflows "
                            "just the same.",
            "never-grows": "After {n_good} good {n_good:step|steps} in a row your scale is still {scale}: one that "
                           "never grows loses small gradients for ever after the first overflow.",
        },
        experiment="Print the scale after each of ten steps of which the third overflows.",
        threads=("deepspeedai/DeepSpeed#697", "keras-team/tf-keras#644"),
        lab="04_mixed_precision",
        level=None,
    ),
    Pitfall(
        id="loss-scale-grows-too-soon",
        name="A loss scale that grows too soon",
        section=SECTION,
        belief="Every step without an overflow is a reason to try a larger scale.",
        happens="Each doubling too far costs an update, which is skipped. With a growth interval of 1 the scale "
                "overflowed in about every second step; with 2,000, torch's default, at most one step in 2,000 is "
                "lost to trying.",
        told_by=("value", "trace"),
        told_apart="The scale grows although fewer good steps than the interval have passed since it last changed. A "
                   "check stays silent for an interval of 1 that was chosen.",
        messages={
            "": "Your scale grew at step {i}, after {n_good} good {n_good:step|steps} in a row; the interval is "
                "{growth_interval}.",
            "not-restarted": "Your scale grew at step {i}, right after it had grown: the count did not begin again, "
                             "and the interval is {growth_interval}.",
            "kept-count": "Your scale grew at step {i}, {n_good} good {n_good:step|steps} after the overflow at step "
                          "{last}; the interval is {growth_interval}, and the count went on over the overflow.",
        },
        experiment="Print the count beside the scale for ten steps of which the third overflows.",
        threads=("facebookresearch/metaseq#4", "pytorch/pytorch#33366"),
        lab="04_mixed_precision",
        level=None,
    ),
    Pitfall(
        id="scaled-norm-reported",
        name="A norm with the loss scale still in it",
        section=SECTION,
        belief="The norm of what lies in .grad is the norm of the gradient.",
        happens="Between the backward pass and the unscaling every norm is that of the scaled gradient, at the usual "
                "scale 65,536 times too large. It jumps by a factor of 2 whenever the scale does, and no two logs can "
                "be compared.",
        told_by=("value",),
        told_apart="The norm is the right one times the loss scale. A check stays silent where the limit was "
                   "multiplied by the scale as well.",
        messages={
            "": "Your norm came out as {norm} = {scale} × {norm_true}: the loss scale is still in it.",
            "twice": "Your norm came out as {norm} = {norm_true} / {scale}: the loss scale was divided out more often "
                     "than it was in.",
        },
        experiment="Print the norm for the same gradients at two loss scales.",
        threads=("deepspeedai/DeepSpeed#8588", "facebookresearch/fairseq#4555"),
        lab="04_mixed_precision",
        level=None,
    ),
)
