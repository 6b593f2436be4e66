"""Rules about what was cleared or clipped, asked before gradients are compared, and about how the sum is made up."""

import math
from collections.abc import Sequence

import torch

from gradlab.exercises.accumulate_tokens.shares import shares
from gradlab.exercises.accumulate_tokens.wrong import DIVIDED, divisor, first_and_last, norms
from gradlab.exercises.mistakes import Diagnosis, say
from gradlab.exercises.trial import Trial
from gradlab.ledger import Backward, Clip, Edit, Event, ZeroGrad
from gradlab.pitfalls.pitfall import written


def cleared(mine: Trial, right: Trial) -> Diagnosis | None:
    """What backward passes had left was cleared, and nobody had used it."""
    wasted = [event for event in mine.ledger.of(ZeroGrad) if event.lost]
    found = shares(mine) if mine.fault is None else None
    if not wasted or found is None or all(found.of_target) or _put_back(mine.ledger[wasted[-1].index + 1:]):
        return None
    n_backward, n_lost = len(mine.ledger.of(Backward)), len({place for event in wasted for place in event.lost})
    passes = f"{n_backward} backward pass{'' if n_backward == 1 else 'es'}"
    left = "all of them" if n_lost == n_backward else f"{n_lost} of them"
    return Diagnosis("zero-grad-before-step", f"You ran {passes}, and what {left} left in the gradients was cleared "
                     f"again {_place(wasted[-1])}, before anyone could step with it")


def _put_back(events: Sequence[Event]) -> bool:
    """Whether gradients were made by hand in these events, out of tensors in which the program keeps sums of its own.

    Then clearing `.grad` loses nothing, and what is missing in the sums went missing elsewhere.
    """
    return any(isinstance(event, Edit) and (event.factor is None or not event.norm_before > 0) for event in events)


def _place(event: Event) -> str:
    """Where it happened; of an edit that leaves no trace only the line before it is known."""
    return f"on line {event.where.line}" if event.after is None else f"after line {event.after.line}"


def clipped(mine: Trial, right: Trial) -> Diagnosis | None:
    """A clip that acted; what it left of the gradient looks like the work of a divisor."""
    clips, passes = [clip for clip in mine.ledger.of(Clip) if _limited(clip)], mine.ledger.of(Backward)
    if not clips or not passes or mine.fault is not None:
        return None
    clip = clips[0]
    if clip.index < passes[-1].index:
        return say("clip-each-micro-batch", "counted", n_clip=len(mine.ledger.of(Clip)), n_backward=len(passes))
    lengths = f"norm {written(clip.norm)} before it and {written(clip.norm * clip.coefficient)} after it"
    whose = f", the first of {len(clips)}," if len(clips) > 1 else ""
    return Diagnosis(None, f"The gradient was clipped {_place(clip)}{whose} and is no longer that of a mean: {lengths}",
                     "Print the norm of the gradient before and after that line.", "clipped")


def _limited(clip: Clip) -> bool:
    """Whether a clip shortened the gradient; one by hand may be a weight or a divisor unless it left a round norm."""
    left = clip.norm * clip.coefficient
    return clip.coefficient < 1 and (clip.how != "by hand" or math.isclose(left, float(f"{left:.2g}"), rel_tol=1e-4))


def idle(mine: Trial, right: Trial) -> Diagnosis | None:
    """Nothing was computed at all."""
    if mine.fault is not None or mine.result["gradient"].any() or mine.ledger.of(Backward):
        return None
    return Diagnosis(None, "There is no gradient: no backward pass ran",
                     "Print a parameter's .grad at the end of your function.")


def spoilt(mine: Trial, right: Trial) -> Diagnosis | None:
    """Numbers that are none, from a micro-batch without targets."""
    if mine.result["gradient"].isfinite().all() or 0 not in mine.fixture.counts:
        return None
    return Diagnosis(None, f"Micro-batch {mine.fixture.counts.index(0) + 1} holds no target that counts, and you "
                           "divided by that number: 0 / 0 is NaN, and so is every gradient it is added to",
                     "Print the number of targets that count in each micro-batch, and its loss.")


def uneven(mine: Trial, right: Trial) -> Diagnosis | None:
    """How the gradient is made up of the micro-batches' gradients."""
    found = shares(mine)
    if found is None:
        return None
    if found.stale:
        return say("missing-zero-grad", "value", **norms(mine, right))
    if 0 in found.of_target:
        lost = [place + 1 for place, share in enumerate(found.of_target) if not share]
        return Diagnosis(None, f"Of {len(found.counts)} micro-batches with targets, number {', '.join(map(str, lost))} "
                               "is not in your gradient", "Count the backward passes.")
    if found.even:
        told = {name: written(value) for name, value in divisor(mine, right).items()}
        return Diagnosis("wrong-accumulation-divisor", DIVIDED.format_map(told))
    if len(set(found.counts)) == 1:
        return say("wrong-accumulation-divisor", "by-index", **first_and_last(mine, right))
    listed = ", ".join(f"{written(share)} in the micro-batch of {count}"
                       for share, count in zip(found.of_target, found.counts, strict=True))
    return Diagnosis(None, f"Targets do not count alike. Each counts {listed}; right is "
                           f"{written(1 / sum(found.counts))} for all",
                     "Compute the gradient of all tokens in one batch and compare.")


def unexplained(mine: Trial, right: Trial) -> str:
    """How a wrong gradient differs from the right one, in size and direction."""
    yours, true = (trial.result["gradient"].double() for trial in (mine, right))
    if not yours.isfinite().all():
        return f"{int((~yours.isfinite()).sum())} of {yours.numel()} entries of your gradient are no finite numbers"
    angle = math.degrees(math.acos(torch.nn.functional.cosine_similarity(yours, true, dim=0).clamp(-1, 1)))
    return (f"Your gradient has norm {written(yours.norm())}, that of the mean over all targets has "
            f"{written(true.norm())}, and they point {angle:.0f}° apart. No weights of the micro-batches give that "
            "gradient: look at the loss of one micro-batch alone")
