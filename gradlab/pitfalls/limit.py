"""Mistakes in reading the norm that clip returns, and in choosing the limit."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "limit"

LIMIT = (
    Pitfall(
        id="reported-norm-is-pre-clip",
        name="Reading the returned norm as the clipped one",
        section=SECTION,
        belief="The log shows norm 13 with max_norm 2, so clipping is broken.",
        happens="The norm that clip returns is the one before clipping; 13.0 becomes 1.9999998 (torch adds 1e-6 to "
                "the divisor). Of all misunderstandings in the threads read for this list it is the most frequent.",
        told_by=("value",),
        told_apart="Only an answer or a plot's label shows it; in a running loop there is nothing to report. A real "
                   "clip after the step may stand behind the same complaint, so the order comes first.",
        messages={
            "": "{norm} is the norm clip found; multiply by the coefficient {coef} and you get {norm_post}, which is "
                "what the step used.",
            "value": "You gave {norm_yours} for the norm after clipping; {norm} is what clip found, and {coef} is "
                     "what it multiplied by.",
            "returned": "You returned {norm_post}, the norm that is left; the norm before clipping was {norm}, and "
                        "only that one tells how far over the limit it was.",
        },
        experiment="Print the norm that clip returns, then measure the norm again on the next line.",
        threads=("verl-project/verl#2282", "pytorch/torchtitan#1500", "hiyouga/LlamaFactory#3996"),
        lab="01_clipping",
        level=None,
    ),
    Pitfall(
        id="always-clipped",
        name="A limit that sets the size of the step",
        section=SECTION,
        belief="max_norm=1 is the number, whatever the norms are.",
        happens="If every step is clipped, SGD (momentum 0.9, 250 steps) has a new step size: at learning rate 0.1 "
                "loss 2.22 unclipped, 2.57 at limit 0.01, back to 2.18 with learning rate 10. That is also how it "
                "helps: at learning rate 1, NaN unclipped, 2.33 at limit 1.0, 2.14 at 0.25. Adam does not notice: "
                "limit 0.01 with every step clipped gave 2.222, 1.862 and 2.429 at three learning rates, limit 1.0 "
                "with 1 % clipped 2.224, 1.906 and 2.461. Reported by google-research/tuning_playbook: aim near the "
                "90th percentile of the norms, and over 50 % clipped lower the learning rate; for Adam these figures "
                "disagree.",
        told_by=("trace",),
        told_apart="The share of steps clipped over a run; never a warning, for it may be wanted. A check stays "
                   "silent for the first steps of a run and for a recipe that normalises gradients on purpose, and "
                   "says at most that Adam-like optimizers do not notice.",
        messages={
            "": "{percent} % of steps were clipped, median norm {norm_med} against {max_norm}: with {optimizer} that "
                "means {consequence}.",
            "sgd": "{percent} % of steps were clipped, median norm {norm_med} against {max_norm}: with SGD the limit "
                   "is now part of your step size.",
            "adam": "{percent} % of steps were clipped, median norm {norm_med} against {max_norm}: {optimizer} "
                    "divides most of that out again.",
            "chosen": "At max_norm={max_norm}, {percent} % of the steps you chose it from would be clipped; their "
                      "median norm is {norm_med}.",
        },
        experiment="Draw the norms of a run on a logarithmic axis, and your limit across them.",
        threads=("wandb/senpai#978", "microsoft/Swin-Transformer#73", "facebookresearch/detr#198"),
        lab="01_clipping",
        level="info",
    ),
    Pitfall(
        id="adam-needs-no-clip",
        name="Adam makes clipping pointless",
        section=SECTION,
        belief="Adam rescales gradients itself, so clipping is pointless.",
        happens="Half true. A constant factor cancels; a spike does not. One gradient of 30 times the usual size cuts "
                "later steps to 0.73, 0.32 and 0.15, and takes 1,345, 363 and 103 steps to come back to 0.9, for β2 = "
                ".999, .99 and .95 (recursion of the second moment). With one spike of 1,000 times at step 5 the run "
                "ended at loss 1.03 unclipped and 0.0004 clipped.",
        told_by=("trace",),
        told_apart="A squared norm far above the running second moment, and small updates after it. Clipping every "
                   "step by the same factor really does nothing here.",
        messages={
            "": "The gradient at step {i} was {ratio} times its usual size; your effective learning rate stayed under "
                "90 % for {n} {n:step|steps}.",
            "final": "The gradient at step {i} was {ratio} times its usual size: the run ended at loss "
                     "{loss_unclipped} without clipping and at {loss_clipped} with it.",
        },
        experiment="Multiply the gradient of one step by 30 and plot the size of the next 100 updates.",
        threads=("Jongchan/tensorflow-vdsr#27", "fizyr/keras-retinanet#942", "allenai/OLMo#266"),
        lab="01_clipping",
        level=None,
    ),
    Pitfall(
        id="clip-after-warmup-only",
        name="Clipping only after the warmup",
        section=SECTION,
        belief="Warmup makes the early steps safe, so clipping can start afterwards.",
        happens="One spike of 1,000 times during warmup, then 100 steps with clipping on: SGD with momentum ended at "
                "9e4, against 0.004 when every step was clipped (and 0.88 when none was, for the limit then blocks "
                "the way back); Adam at 1.03 against 0.0004. The spike was made by hand.",
        told_by=("trace",),
        told_apart="The first clip comes more than one window after the first step, and norms exceeded the limit "
                   "before it. A check stays silent for a limit that starts high and falls, and for a run resumed "
                   "from a checkpoint.",
        messages={
            "": "Clipping started at step {i}; before it {n} {n:step|steps} exceeded {max_norm}, the largest by "
                "{ratio} times.",
            "value": "Step {i} used norm {norm}, unclipped, although your limit is {max_norm}; a small learning rate "
                     "was its only protection.",
        },
        experiment="Plot the gradient norm of the warmup steps alone, with your limit drawn across.",
        threads=("rasbt/LLMs-from-scratch#427",),
        lab="02_warmup",
        level="info",
    ),
)
