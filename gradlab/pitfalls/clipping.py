"""Mistakes in what a clip computes: the wrong operation, the wrong norm, a limit or a gradient that is no number."""

from gradlab.pitfalls.pitfall import Pitfall

SECTION = "clipping"

CLIPPING = (
    Pitfall(
        id="value-clip-for-norm-clip",
        name="Clamping entries instead of scaling by the norm",
        section=SECTION,
        belief="Clamping the entries and scaling by the norm are the same, or clamping is the stricter one.",
        happens="Clamping turns the gradient: cosine 0.95 for [10, .1, .1, -.1] at 0.5. It is not stricter: a million "
                "entries of spread 0.4 kept norm 326 of 400 at 0.5, where clipping by the norm leaves 0.5.",
        told_by=("value",),
        told_apart="The direction turns and entries sit at ±max_norm, on a gradient far over the limit. A check stays "
                   "silent where it is chosen, as in older recipes for recurrent nets and reinforcement learning.",
        messages={
            "": "{n_hit} {n_hit:entry sits|entries sit} exactly at ±{max_norm}, the norm is {norm}, and the direction "
                "turned by {angle}°.",
            "clamped": "Every entry was clamped to ±{max_norm}, each by itself; the norm of all went from {norm} to "
                       "{norm_after}.",
        },
        experiment="Print the largest entry divided by the smallest, before and after your clip.",
        threads=("Happy-Algorithms-League/hal-cgp#210", "Lightning-AI/pytorch-lightning#5460",
                 "ymcui/Eval-on-NN-of-RC#3"),
        lab="01_clipping",
        level="info",
    ),
    Pitfall(
        id="wrong-norm",
        name="The wrong measure of size",
        section=SECTION,
        belief="Any measure of size will do: the largest entry, the sum of squares, the sum of the layers' norms.",
        happens="Without the root, norm 10 at limit 1 is scaled by 0.01 instead of 0.1, and norm 7.4 is clipped at "
                "limit 50. Squaring twice was reported as the root cause of a convergence gap of 2.7 times. A signed "
                "maximum can be negative, and then turns the gradient around. A helper in the notebooks of a book, "
                "appendix D of rasbt/LLMs-from-scratch, takes the signed maximum.",
        told_by=("value",),
        told_apart="Each kind has a result of its own on one gradient far over the limit and one under it. A check "
                   "stays silent for the norm of the tensors' norms, which is the global norm; davda54/sam#16 and "
                   "pytorch/pytorch#6047 reported it as a bug and were wrong.",
        messages={
            "": "Your norm is {norm_yours}, the square root of the sum of squares is {norm_true}: the ratio {ratio} "
                "looks like {looks_like}.",
            "not-rooted": "Your norm is {norm_yours}, the true one {norm_true}: yours is the true one squared.",
            "l1": "Your norm is {norm_yours}, the true one {norm_true}: yours is the sum of the entries' sizes.",
            "signed-max": "Your norm is {norm_yours}, the true one {norm_true}: yours is the largest entry, signs "
                          "included.",
            "abs-max": "Your norm is {norm_yours}, the true one {norm_true}: yours is the size of the largest entry.",
            "sum-of-norms": "Your norm is {norm_yours}, the true one {norm_true}: yours is the sum of the tensors' "
                            "norms.",
        },
        experiment="Compute your norm of the single gradient [3, -4], and then of [-30, 40].",
        threads=("paiml/entrenar#311",),
        lab="01_clipping",
        level=None,
    ),
    Pitfall(
        id="always-normalise",
        name="Rescaling what was under the limit",
        section=SECTION,
        belief="Clipping means making the norm equal to max_norm.",
        happens="Small gradients are blown up, 6.7 times on the known gradient under the limit, and SGD can no longer "
                "settle. A clip that drops to another target than its limit jumps: with limit 10 and target 1, norm "
                "9.9 stays 9.9 but 10.1 becomes 1.0.",
        told_by=("value",),
        told_apart="A gradient under the limit changes; without that fixture it looks like a loss scale left in. A "
                   "check stays silent for normalised gradient descent by design, and in a window that really is over "
                   "the limit.",
        messages={
            "": "The norm was {norm}, under your limit {max_norm}, yet you multiplied the gradient by {coef}.",
            "jump": "The norm was {norm}, over your limit {max_norm}, and came out as {norm_after}: a gradient just "
                    "under the limit now ends larger than one just over it.",
        },
        experiment="Plot the norm after clipping against the norm before it, from 0 to twice max_norm.",
        threads=("DingfanChen/GS-WGAN#5", "pytorch/pytorch#151554", "google-deepmind/optax#594"),
        lab="01_clipping",
        level=None,
    ),
    Pitfall(
        id="max-norm-not-positive",
        name="A limit of zero or below",
        section=SECTION,
        belief="0 means off, and a negative limit cannot do harm.",
        happens="In torch 0 makes every gradient zero, and -1 turns [3, 4] into [-0.6, -0.8], uphill. Reported: 0 of "
                "34,701 parameters moved; 96.5 % of the entries changed sign. OpenNMT reads 0 as off.",
        told_by=("order", "value"),
        told_apart="The limit given to clip is not above 0. A check stays silent for a framework's own 0 that means "
                   "off and never reaches the clip, and for inf, which only measures.",
        messages={
            "": "max_norm={max_norm} multiplied every gradient by {coef}; the weights moved by {moved}.",
            "zero": "max_norm=0 left {n_params} {n_params:gradient|gradients} with nothing but zeros.",
            "negative": "max_norm={max_norm} multiplied every gradient by {coef}: the step now goes uphill.",
            "off": "max_norm={max_norm} was taken for off: no gradient changed, and nothing told the caller.",
            "chosen": "Your limit came out as {max_norm}: clipping with it leaves zeros, or turns the gradients "
                      "around.",
        },
        experiment="Print one gradient before and after your clip, signs included.",
        threads=("strands-labs/robots#2028", "pytorch/pytorch#31367", "OpenNMT/OpenNMT-py#1140"),
        lab="01_clipping",
        level="error",
    ),
    Pitfall(
        id="clip-cures-nonfinite",
        name="Clipping as a cure for inf and NaN",
        section=SECTION,
        belief="Clipping turns inf and NaN into something safe; or the scaler's inf check makes clipping needless.",
        happens="One NaN among 1,000 entries made all 1,000 NaN; one inf gave 999 zeros and a NaN. "
                "error_if_nonfinite=True raises before anything is touched. Even max_norm=inf turns a gradient with "
                "one inf into all NaN. And the scaler skips only steps that are not finite: a finite spike of 3,000 "
                "times the usual size moved the weights 3,000 times as far.",
        told_by=("value", "trace"),
        told_apart="The norm given to clip is not finite, and a step follows. A check stays silent while a scaler is "
                   "finding its scale, and where a guard then skips the step.",
        messages={
            "": "The norm was {norm} before clipping; after it {n_bad} of {n} {n:entry is|entries are} NaN and "
                "{n_zero} {n_zero:is|are} zero.",
            "nan": "The gradient held a NaN, so its norm is NaN; after clipping {n_bad} of {n} {n:entry is|entries "
                   "are} NaN.",
            "inf": "The gradient held an inf, so its norm is inf; after clipping {n_bad} of {n} {n:entry is|entries "
                   "are} NaN and {n_zero} {n_zero:is|are} zero.",
            "cured": "The norm was {norm}, and no clip can repair that: the gradients you left have norm {norm_after}, "
                     "made up from an entry that is no number.",
            "spike-ignored": "Every entry was finite, so no check stopped this gradient: the step used norm {norm}, "
                             "{ratio} times your limit of {max_norm}.",
            "in-threshold": "Your max_norm came out as {max_norm}: {n_bad} of the {n} {n:norm|norms} it was chosen "
                            "from {n_bad:is|are} not finite.",
            "stepped": "Clip saw norm {norm} (limit {max_norm}), and a step used what it left.",
        },
        experiment="Clip the gradient [1, 2, inf] to 1 and print it; then put NaN in place of inf.",
        threads=("pytorch/pytorch#46849", "facebookresearch/habitat-lab#2226", "ml-explore/mlx-lm#1658"),
        lab="05_vanishing_exploding",
        level="error",
    ),
    Pitfall(
        id="low-precision-norm",
        name="The norm in half precision",
        section=SECTION,
        belief="The norm can be computed in the gradient's own dtype, with the usual 1e-8.",
        happens="100,000 float16 entries of 300 have norm 94,868, above float16's largest number, 65,504: torch "
                "returned inf and zeroed every gradient silently. By hand, g*g in float16 overflows at a single 300; "
                "a running bfloat16 sum gave 195 for 317. In float16 1e-8 is 0.0.",
        told_by=("value", "trace"),
        told_apart="The norm is inf, or far off, while every gradient is finite. A check stays silent for float32 "
                   "parameters under autocast, whose gradients are float32; torch's own norm in bfloat16 was within "
                   "0.1 %.",
        messages={
            "": "The norm came out as {norm} in {dtype}; in float32 it is {norm32}, which makes the coefficient "
                "{coef} and not {coef_yours}.",
            "overflow": "The largest number in {dtype} is {largest}, and your norm went through something larger: in "
                        "float32 it is {norm32}, and your coefficient became {coef_yours}.",
            "underflow": "Squares of gradients this small are 0 in {dtype}: your norm came out as {norm}, in float32 "
                         "it is {norm32}.",
            "wrong-size": "Your norm came out as {norm}, from sums in {dtype}; in float32 it is {norm32}.",
        },
        experiment="Square one float16 entry of 300, and one of 0.0001, and print both.",
        threads=("tracel-ai/burn#5699", "facebookresearch/fairscale#263", "NVIDIA-NeMo/Automodel#825"),
        lab="04_mixed_precision",
        level="warn",
    ),
)
