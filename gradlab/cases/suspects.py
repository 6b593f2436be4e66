"""Suspects: the options that a case offers as diagnoses, each a pitfall's name and what the name means."""

from gradlab import pitfalls

# What is done in such a loop, for those who do not know the name. Of what it does to a run a gloss says nothing: that
# is to be found from the trace.
GLOSSES = {
    "missing-zero-grad": "each update uses the sum of all gradients since the run began",
    "zero-grad-before-step": "what a backward pass has left is thrown away before the optimizer sees it",
    "clip-before-backward": "the clip runs while the gradient of this batch does not exist yet",
    "clip-after-step": "the optimizer has used the gradient by the time it is limited",
    "clip-each-micro-batch": "after every backward pass the limit meets what is summed so far",
    "wrong-accumulation-divisor": "the sum over the micro-batches is divided by another number than theirs, or by none",
    "mean-of-means": "micro-batches with few and with many targets get the same weight",
    "leftover-micro-batches": "what is left at the end of an epoch is weighted as if it were a whole window",
    "clip-before-unscale": "the limit meets gradients that are still multiplied by the loss scale",
    "scaler-bypassed": "the optimizer makes the update itself, and nobody divides the loss scale out",
    "scaler-dtype-mismatch": "float16 without loss scaling, or loss scaling where the dtype does not need it",
    "exhausted-parameters": "an iterator gives the parameters out once, and whoever asks next gets none",
    "low-precision-norm": "squares are summed in 16 bits, where large sums overflow and small squares vanish",
    "clip-cures-nonfinite": "what the limit meets is infinite or NaN, and what it leaves of that is used",
    "max-norm-not-positive": "the factor of the clip is zero, or turns the gradient around",
    "reported-norm-is-pre-clip": "the clip is as it should be, and the log shows the norm before it",
    "scheduler-off-by-one": "updates run at the learning rate that was meant for their neighbours",
    "scheduler-wrong-clock": "the learning rate moves once a micro-batch or once an epoch, say",
    "optimizer-set-mismatch": "some weights that the model uses were never given to the optimizer",
}


def suspect(id: str) -> str:
    """What a case's question offers for a pitfall: "Clipping after the step: the optimizer has ...".

    Errors: KeyError for a pitfall without a gloss.
    """
    return f"{pitfalls.get(id).name}: {GLOSSES[id]}"
