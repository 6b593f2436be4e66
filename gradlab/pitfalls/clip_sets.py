"""Mistakes in what a clip is given: no tensors, the wrong ones, one at a time, or only this rank's."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "clipping"

CLIP_SETS = (
    Pitfall(
        id="exhausted-parameters",
        name="Parameters that can be read only once",
        section=SECTION,
        belief="model.parameters() is a list.",
        happens="It is read once. Used up, it gives clip nothing to do, and clip returns 0.0. torch warns for a "
                "generator but not for filter or map.",
        told_by=("set",),
        told_apart="Clip is given 0 tensors while the optimizer holds gradients; the update is that of no clipping at "
                   "all. A check stays silent in a window where every gradient really is None, and on a rank that "
                   "owns no parameters.",
        messages={
            "": "clip received 0 tensors and returned {norm}; your optimizer holds {n_params} "
                "{n_params:gradient|gradients} with norm {norm_true}.",
            "read-twice": "You went over the parameters twice: the first time they were {n_params} "
                          "{n_params:tensor|tensors} with norm {norm}, the second time none, so no gradient changed.",
        },
        experiment="Print len(list(parameters)) twice, on the line of your clip.",
        threads=("pytorch/pytorch#148259", "PixArt-alpha/PixArt-alpha#160", "pytorch/torchtitan#1258"),
        lab="01_clipping",
        level="error",
    ),
    Pitfall(
        id="clip-set-mismatch",
        name="Clipping other parameters than the optimizer's",
        section=SECTION,
        belief="Whatever I pass to clip is what gets updated.",
        happens="Missing: a loop over layers clipped out_proj twice and embeddings and LayerNorms never; the norm was "
                "4926 before and after max_norm=1. Extra: gradients that no optimizer clears piled up (the norm over "
                "model.parameters() rose from 0.74 to 45 in 100 steps) and pushed the useful part from 0.33 to 0.24 "
                "although the limit was 1.0. Duplicate: the norm was √2 times too large and everything scaled twice, "
                "from 5 to 0.1 instead of 1.0.",
        told_by=("set", "value"),
        told_apart="What was clipped against what the optimizers that step in this window hold: missing, extra with a "
                   "gradient, or repeated. A check stays silent for frozen parameters without a gradient, for one "
                   "clip over two optimizers, for a limit per network, and for tied weights.",
        messages={
            "": "You clipped {n_clip} {n_clip:tensor|tensors}, the optimizer updates {n_opt}: {n_missing} never "
                "clipped, {n_extra} extra, {n_dup} twice.",
            "missing": "You clipped {n_clip} {n_clip:tensor|tensors}, the optimizer updates {n_opt}: {n_missing} "
                       "{n_missing:was|were} never clipped (first: {name}).",
            "extra": "You clipped {n_clip} {n_clip:tensor|tensors}, the optimizer updates {n_opt}: {n_extra} "
                     "{n_extra:counts|count} in the norm but {n_extra:is|are} never updated (first: {name}).",
            "duplicate": "You clipped {n_clip} {n_clip:tensor|tensors}, the optimizer updates {n_opt}: {n_dup} "
                         "{n_dup:was|were} given twice, so counted and scaled twice (first: {name}).",
            "value": "Your clip went by norm {norm}, while the gradients that the optimizer uses have norm "
                     "{norm_true}.",
        },
        experiment="Print the number of distinct tensors you clip and the number in optimizer.param_groups.",
        threads=("lucidrains/audiolm-pytorch#256", "lucidrains/magvit2-pytorch#10"),
        lab="01_clipping",
        level="warn",
    ),
    Pitfall(
        id="per-tensor-norm",
        name="A norm for each tensor",
        section=SECTION,
        belief="Clip each tensor, layer or group to max_norm, and the whole is clipped.",
        happens="12 tensors each clipped to 1.0 had a global norm of 3.46 = √12 and cosine 0.75 to the true "
                "direction. Under Adam a constant factor for each tensor cancels; a varying one does not.",
        told_by=("value", "order"),
        told_apart="By value the direction turns, on a gradient far over the limit; by order there are many clips on "
                   "separate sets in one window. A check stays silent where this is chosen: adaptive gradient "
                   "clipping, LARS-like rules, DINO's clip for each parameter.",
        messages={
            "": "Each of {k} tensors now has norm at most {max_norm}, but together they have {norm_global}, and the "
                "direction turned by {angle}°.",
            "separate": "{k} clips of this window each limited other tensors to {max_norm}; together those may reach "
                        "norm {bound}.",
        },
        experiment="Print the norm over all gradients after clipping, and two gradients' sizes relative to each other.",
        threads=("huggingface/transformers#614", "NYUMedML/headCT_foundation#3", "nvidia-cosmos/cosmos-rl#120"),
        lab="01_clipping",
        level="info",
    ),
    Pitfall(
        id="rank-local-norm",
        name="Each rank clips with its own norm",
        section=SECTION,
        belief="Each rank can clip with the norm it sees.",
        happens="Sharded gradients: W equal shards end at √W times max_norm (1.41, 2.00, 2.83 for W = 2, 4, 8), "
                "unequal ones also turn (cosine 0.95, 0.91, 0.89). Data-parallel ranks that clip before averaging end "
                "too small (0.70, 0.49, 0.38 instead of 1). The ranks were simulated.",
        told_by=("trace", "value"),
        told_apart="The norm that clip returns differs between ranks. A check stays silent for DTensor norms, where "
                   "only the logged number is local and the clip is right, for DDP after its all-reduce, and for "
                   "clipping by value.",
        messages={
            "": "Rank {a} clipped with norm {norm_a}, rank {b} with {norm_b}; the joint norm after clipping is "
                "{norm_joint}, not {max_norm}.",
            "before-averaging": "{n_ranks} ranks each clipped to {max_norm} before their gradients were averaged; the "
                                "average has norm {norm_joint}.",
        },
        experiment="Print the norm that clip returns, on every rank, for one step.",
        threads=("sgl-project/SpecForge#663", "pytorch/torchtitan#596", "radixark/miles_diffusion#35"),
        lab="06_diagnosis",
        level="warn",
    ),
)
