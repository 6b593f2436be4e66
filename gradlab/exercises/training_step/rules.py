"""Rules about what happened in which order, asked before updates are compared with those of known wrong steps."""

import math

from gradlab.exercises.mistakes import Diagnosis
from gradlab.exercises.training_step import evidence
from gradlab.exercises.trial import Trial
from gradlab.ledger import Backward, Clip, Finding, Skip, Step
from gradlab.pitfalls.pitfall import written

# A wrong sum shows where nothing is clipped, and a recorded one explains a wrong update only there: over the limit
# the clip may hide the sum, and be what is wrong.
SUMS = ("zero-grad-before-step", "missing-zero-grad", "wrong-accumulation-divisor")

# What a recorded step may be told. The rest of the catalogue is about whole runs.
KNOWN = (
    "exhausted-parameters", "clip-set-mismatch", "clip-after-step", "clip-before-backward", "clip-each-micro-batch",
    "unscale-twice", "backward-after-unscale", "scaler-bypassed", "clip-before-unscale", "max-norm-not-positive",
    "per-tensor-norm", "value-clip-for-norm-clip", *SUMS,
)


def refused(mine: Trial, right: Trial) -> Diagnosis | None:
    """An error that says too little about its cause."""
    fault = mine.fault
    if fault is None or fault.line is None:
        return None
    if "_scale is None" in fault.text:
        return Diagnosis(None, f"Line {fault.line}, `{fault.source}`, found no loss scale: no loss went through "
                               "`scaler.scale` before it",
                         "Print a gradient with the scaler on and with the scaler off.", "no scale")
    if "step() has already been called" in fault.text:
        return Diagnosis(None, f"`scaler.step` ran on line {fault.line} while the step before was still open: no "
                               "`scaler.update()` had ended it",
                         "Print scaler.get_scale() after each of two calls of your function.", "no update")
    others = any(state.backwards for state in mine.ledger.leftover)  # have a gradient, so this one is frozen
    if "does not require grad" in fault.text or "NoneType" in fault.text and others:
        return Diagnosis(None, f"Line {fault.line}, `{fault.source}`, met a parameter without a gradient "
                               f"({fault.kind}: {fault.text}). A frozen layer has none",
                         "Print p.requires_grad and p.grad for every parameter.", "frozen")
    return None


def unmoved(mine: Trial, right: Trial) -> Diagnosis | None:
    """No step was made at all."""
    if mine.fault is not None or any(update.any() for update in mine.result["updates"]):
        return None
    if mine.ledger.of(Step) or mine.ledger.of(Skip):
        return None
    backwards = len(mine.ledger.of(Backward)) // 2
    if not backwards:
        return Diagnosis(None, "No backward pass ran and no step was made: your function left everything as it was",
                         variant="no step")
    passes = f"{backwards} backward pass{'es' * (backwards > 1)}"
    return Diagnosis(None, f"After {passes} your function ended without a step: the weights did not move",
                     "Print a weight before and after your function.", "no step")


def often(mine: Trial, right: Trial) -> Diagnosis | None:
    """More than one step in a call."""
    if mine.fault is not None or mine.facts["steps"][0] < 2:
        return None
    steps = mine.ledger.of(Step)[:mine.facts["steps"][0]]
    lines = list(dict.fromkeys(str(step.where.line) for step in steps))
    where = f"line{'s' * (len(lines) > 1)} {' and '.join(lines)}"
    return Diagnosis(None, f"Your function made {len(steps)} steps in one call, on {where}; its {mine.fixture.k} "
                           "micro-batches together are one update",
                     "Print a weight after every line that steps.", "two steps")


def recorded(mine: Trial, right: Trial) -> Diagnosis | None:
    """The most important finding on the recorded order of events."""
    for finding in mine.ledger.findings("info"):
        if finding.pitfall in KNOWN and not (mine.fixture.over and finding.pitfall in SUMS) and not _past(finding):
            return Diagnosis(finding.pitfall, finding.message, finding.experiment, finding.variant)
    return None


def past_the_scaler(mine: Trial, right: Trial) -> Diagnosis | None:
    """A step outside the scaler that used an infinite gradient; one that never did is no reason for a wrong update."""
    for finding in mine.ledger.findings("error"):
        if _past(finding):
            return Diagnosis(finding.pitfall, finding.message, finding.experiment, finding.variant)
    return None


def _past(finding: Finding) -> bool:
    return finding.pitfall == "scaler-bypassed" and finding.variant in ("unscaled", "overflow")


def other_limit(mine: Trial, right: Trial) -> Diagnosis | None:
    """A clip at another limit than the one given; max_norm times the scale is right for scaled gradients."""
    given = mine.fixture.max_norm
    for clip in mine.ledger.of(Clip):
        scales = {scale for state in clip.gradients for scale in state.scales}
        wanted = given * max(scales, default=1.0)
        if clip.how == "norm" and clip.max_norm is not None and not math.isclose(clip.max_norm, wanted, rel_tol=1e-3):
            inside = "gradients without a loss scale" if wanted == given else "gradients that hold the loss scale"
            return Diagnosis(None, f"The clip on line {clip.where.line} ran with max_norm {written(clip.max_norm)} on "
                                   f"{inside}; the limit you were given is {written(given)}",
                             "Print the norm of the gradient after your clip, in two situations.", "own limit")
    return None


def scaled_again(mine: Trial, right: Trial) -> Diagnosis | None:
    """A loss that went through `scaler.scale` more than once."""
    scale, backwards = mine.fixture.scale, mine.ledger.of(Backward)
    if scale == 1 or not backwards:
        return None
    if not scale**1.5 < backwards[0].norm / mine.fixture.gradients[0, 0].norm().item() < math.inf:
        return None
    return Diagnosis(None, f"The loss of line {backwards[0].where.line} was multiplied by {written(scale)} more than "
                           f"once: its gradient has norm {written(backwards[0].norm)}, and the scaler divides once",
                     "Print the loss before and after every line that scales it.", "scaled twice")


RULES = (refused, unmoved, often, scaled_again, recorded, other_limit, past_the_scaler)


def unexplained(mine: Trial, right: Trial) -> str:
    """How a wrong update differs from the right one, in size and direction."""
    told = evidence.update(mine, right)
    yours, true = written(told["norm"]), written(told["norm_true"])
    if not math.isfinite(told["norm"]):
        return f"The weights are no finite numbers after your {told['call']} update; the right one has norm {true}"
    if not told["norm_true"]:
        return (f"Your {told['call']} update moved the weights by {yours}, although one of its gradients is infinite; "
                "the scaler would have left it out")
    if not told["norm"]:
        return f"Your {told['call']} update left the weights where they were; the right one moves them by {true}"
    apart = f"they point {told['angle']:.0f}° apart" if told["angle"] >= 0.5 else "they point the same way"
    return f"Your {told['call']} update has norm {yours}, the right one {true}; {apart}"
