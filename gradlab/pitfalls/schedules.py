"""Mistakes in the learning rate's clock, in what the optimizer holds, and in what the ranks share."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "schedules and sets"

SCHEDULES = (
    Pitfall(
        id="scheduler-off-by-one",
        name="A schedule that is one update off",
        section=SECTION,
        belief="The first step uses the first value I had in mind.",
        happens="A linear warmup from 0 makes the first update with learning rate 0: the weights moved by 0.0, yet "
                "Adam's step count and moments advanced. A scheduler that moves before the optimizer skips the first "
                "value: 0.5, 0.25 and so on instead of 1.0, 0.5 (torch warns).",
        told_by=("order", "trace", "value"),
        told_apart="The scheduler moves before the first step, or every group has learning rate 0 at a step (worth "
                   "knowing, no more), or the list of rates is shifted. A check stays silent for the step() that "
                   "building a scheduler makes, for a run resumed from a checkpoint, and for a group frozen by rate "
                   "0; a reviewer raised it wrongly on saforem2/ezpz#128.",
        messages={
            "": "Update 1 used learning rate {lr}; your schedule's first value is {lr_planned}, and the weights moved "
                "by {moved}.",
            "zero-first": "Update 1 used learning rate 0 and moved nothing, although the optimizer counted it; update "
                          "2 used {lr_second}.",
            "skipped-first": "Update 1 used learning rate {lr}; your schedule's first value, {lr_first}, was never "
                             "used.",
            "late-end": "Update {i} used learning rate {lr} where {lr_planned} was planned: the warmup ends late.",
            "early-end": "Update {i} used learning rate {lr} where {lr_planned} was planned: the warmup ends early.",
            "decay-early": "Update {i} used learning rate {lr} where {lr_planned} was planned: the decay reaches 0 one "
                           "update too early.",
            "decay-late": "Update {i} used learning rate {lr} where {lr_planned} was planned: the decay reaches 0 one "
                          "update too late.",
        },
        experiment="Print the learning rate that the first three updates and the last of the warmup really use.",
        threads=("huggingface/transformers#34754", "google-research/bert#1293", "verl-project/verl#3674"),
        lab="02_warmup",
        level="warn",
    ),
    Pitfall(
        id="scheduler-wrong-clock",
        name="A schedule that counts something else than updates",
        section=SECTION,
        belief="A scheduler step for each turn of the loop is a step for each update.",
        happens="With k micro-batches it runs k times too fast; a warmup of 16,000 steps was reported to have lasted "
                "1,000. With a scaler it also ticks on skipped steps: under constant overflow, 2 updates against 20 "
                "ticks.",
        told_by=("order",),
        told_apart="More scheduler steps than updates, or a skipped scaler.step followed by a scheduler step. A check "
                   "stays silent for schedulers that move once an epoch, for ReduceLROnPlateau, for a framework that "
                   "guards it, and for one or two skips while the scale settles; torch's own warning is a false alarm "
                   "there.",
        messages={
            "": "The scheduler moved {n_sched} {n_sched:time|times} for {n_update} {n_update:update|updates}; at this "
                "rate it ends at update {end} of {total}.",
            "per-micro-batch": "The scheduler moved {n_sched} {n_sched:time|times} for {n_update} "
                               "{n_update:update|updates}, once for each of {n_backward} backward passes.",
            "on-skipped-step": "The scheduler moved {n_sched} {n_sched:time|times} for {n_update} "
                               "{n_update:update|updates}: it also moved for the {n_skip} {n_skip:step|steps} that "
                               "the scaler skipped.",
            "value": "Your schedule is over after update {end} of {total}: it does not count updates.",
        },
        experiment="Print the learning rate beside the number of updates made so far, for ten turns of the loop.",
        threads=("Lightning-AI/pytorch-lightning#1476", "starVLA/starVLA#210", "pytorch/pytorch#44511"),
        lab="02_warmup",
        level="warn",
    ),
    Pitfall(
        id="decay-out-of-place",
        name="A decay that does not lie between the warmup and the end",
        section=SECTION,
        belief="A decay needs the number of the update and the length of the run, and the warmup is another matter.",
        happens="A decay that counts from update 1 is under way when the warmup ends: with a warmup of a fifth the "
                "rate drops from its peak to 0.90 of it in one update. One that counts from the warmup's end and is "
                "spread over the whole run stops at 0.10 of the peak, and one without an end rises again: a cosine "
                "that is run to 1.5 times its length is back at half of the peak.",
        told_by=("value", "trace"),
        told_apart="The rate right after the warmup is below the peak by more than a stride of the decay, or is not "
                   "near 0 at the last update, or rises after it has fallen. A check stays silent for a decay to a "
                   "smallest rate above 0, for restarts and cycles, for a warmup that is multiplied onto a decay on "
                   "purpose, and for a run that is to be continued.",
        messages={
            "": "Update {i} used learning rate {lr} where {lr_planned} was planned: the decay began to count at update "
                "1, and {share} of it was over when the warmup ended.",
            "stretched": "Update {i} used learning rate {lr} where {lr_planned} was planned: the decay is spread over "
                         "{n} updates, and {n_true} lie between the warmup and the end.",
            "rises-again": "Update {i} used learning rate {lr}, after {lr_before} at update {j}: the rate falls and "
                           "then rises again.",
        },
        experiment="Plot the rates of all updates, and of half as many again after the last one.",
        threads=("huggingface/transformers#4940", "wandb/senpai#965"),
        lab="02_warmup",
        level=None,
    ),
    Pitfall(
        id="optimizer-set-mismatch",
        name="An optimizer that holds other parameters than the model",
        section=SECTION,
        belief="The optimizer follows the model.",
        happens="It holds the tensors it was given. A head replaced after Adam was built moved by 0.0 in 50 steps "
                "while the trunk trained, and its gradient, never cleared, grew. .to(), .half() and .double() keep "
                "the same parameters; deepcopy and FSDP wrapping do not.",
        told_by=("set",),
        told_apart="Parameters receive a gradient, window after window, that no optimizer seen so far holds, or an "
                   "optimizer holds some that the model no longer has. A layer whose gradient vanishes moves a "
                   "little; this one does not move at all. A check stays silent for frozen layers, moving averages of "
                   "weights, discriminators, probes, and optimizers that take turns.",
        messages={
            "": "{n} {n:parameter|parameters} received a gradient but {n:belongs|belong} to no optimizer (first: "
                "{name}); {n:it has|they have} not moved since step 0.",
            "held-only": "Your optimizer holds {n} {n:parameter|parameters} that the model no longer has (first: "
                         "{name}).",
            "value": "{n} {n:parameter|parameters} (first: {name}) moved by 0 in {n_steps} {n_steps:step|steps} "
                     "although {n:it has a gradient|they have gradients}.",
        },
        experiment="Print which names of model.named_parameters() the optimizer's param_groups do not hold.",
        threads=("huggingface/accelerate#3256", "huggingface/accelerate#2665", "pytorch/pytorch#149205",
                 "huggingface/transformers#3532"),
        lab="05_vanishing_exploding",
        level="warn",
    ),
    Pitfall(
        id="ddp-sync-scope",
        name="Ranks that synchronise at the wrong time",
        section=SECTION,
        belief="Gradients are averaged wherever I put no_sync, and whichever object I call.",
        happens="The forward pass decides. no_sync around the backward pass only: 4 all-reduces a window instead of "
                "1, and the ranks stay equal. The flag flipped between forward and backward: still 1 all-reduce, but "
                "on the wrong micro-batch; weights differed by 0.05 after 10 windows. A leftover stepped inside "
                "no_sync: by 0.016. The inner module called: no synchronisation at all, 0.127 after 10 steps (two "
                "gloo ranks).",
        told_by=("order", "trace"),
        told_apart="The flag at the forward pass against the backward pass, or a step whose last backward pass was "
                   "not synchronised; in a run, a checksum of the parameters differs between ranks. A check stays "
                   "silent for FSDP2, where no_sync is another switch, for static_graph, and for a single process.",
        messages={
            "": "The last backward before step {i} ran with sync {flag_fwd} at its forward pass; rank 0 and rank 1 "
                "now differ by {diff}.",
            "backward-only": "A window of {n_backward} micro-batches averaged its gradients {n_sync} "
                             "{n_sync:time|times}: sync was on at every forward pass.",
            "flag-late": "In a window of {n_backward} micro-batches sync was {flag_fwd} at the last forward pass and "
                         "{flag_bwd} at its backward pass; the forward pass decides.",
            "leftover-unsynced": "Step {i} used {r} {r:micro-batch|micro-batches} whose gradients the ranks never "
                                 "averaged.",
            "inner-module": "None of {n_backward} backward {n_backward:pass|passes} was averaged over the ranks: the "
                            "forward pass went through the inner module.",
        },
        experiment="Print the sum of all parameters on every rank after each of the first three steps.",
        threads=("karpathy/build-nanogpt#30", "huggingface/accelerate#1726", "jingyaogong/minimind#853"),
        lab="06_diagnosis",
        level="error",
    ),
)
