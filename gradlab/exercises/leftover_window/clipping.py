"""What is known to go wrong with the clip: by the order of events, by lengths, and by the results of wrong programs."""

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from gradlab.exercises.leftover_window.shares import shares
from gradlab.exercises.mistakes import Diagnosis, Wrong, say
from gradlab.exercises.training_step.of_gradients import of_gradients
from gradlab.exercises.trial import Trial
from gradlab.pitfalls.pitfall import written

# What the recorded order of events may be told for.
OF_ORDER = ("exhausted-parameters", "clip-set-mismatch", "clip-after-step", "clip-before-backward",
            "clip-each-micro-batch", "per-tensor-norm", "value-clip-for-norm-clip")
KNOWN = ("clip-missing", *OF_ORDER)


def recorded(mine: Trial, right: Trial) -> Diagnosis | None:
    """The most important finding about a clip where every gradient is over the limit."""
    if not mine.fixture.tight:
        return None
    if found := of_gradients(mine, right):
        return found
    for finding in mine.ledger.findings("info"):
        if finding.pitfall in OF_ORDER:
            return Diagnosis(finding.pitfall, finding.message, finding.experiment, finding.variant)
    return None


def unclipped(mine: Trial, right: Trial) -> Diagnosis | None:
    """Updates over the limit: all of them, or only those of the short windows."""
    fixture = mine.fixture
    if not fixture.tight or mine.fault is not None or len(mine.result["updates"]) != len(fixture.windows):
        return None
    norms = [update.norm().item() for update in mine.result["updates"]]
    over = [number for number, norm in enumerate(norms) if norm > 1.001 * fixture.max_norm]
    if len(over) == len(norms):
        found = shares(mine)
        whole = found is not None and bool(((found.sum(1) - 1).abs() < 1e-3).all())
        return say("clip-missing", norm=norms[0], max_norm=fixture.max_norm) if whole else None
    if over and all(len(fixture.windows[number]) < fixture.k for number in over):
        return say("leftover-micro-batches", "unclipped", i=over[0] + 1, norm=norms[over[0]], max_norm=fixture.max_norm)
    return None


def too_long(mine: Trial, right: Trial) -> Diagnosis | None:
    """Any other update over the limit."""
    norms = [update.norm().item() for update in mine.result["updates"]]
    over = [number for number, norm in enumerate(norms) if norm > 1.001 * mine.fixture.max_norm]
    if not over:
        return None
    return Diagnosis(None, f"Update {over[0] + 1} has norm {written(norms[over[0]])}; the limit is "
                           f"{written(mine.fixture.max_norm)}", "Print the norm of the gradient just before each step.",
                     "too long")


def too_short(mine: Trial, right: Trial) -> Diagnosis | None:
    """Updates that were at the limit and were divided then."""
    sizes, norms = map(len, mine.fixture.windows), [update.norm().item() for update in mine.result["updates"]]
    if not mine.fixture.tight or len(norms) != len(mine.fixture.windows):
        return None
    factors = [norm / mine.fixture.max_norm for norm in norms]
    if any(abs(factor * size - 1) > 1e-3 for factor, size in zip(factors, sizes, strict=True)):
        return None
    return Diagnosis(None, f"Your first update has norm {written(norms[0])}, the limit over {mine.fixture.k}: the "
                           "gradient was divided after it had been clipped",
                     "Print the norm of the gradient after the clip and just before the step.", "divided after")


def _windows(micro_batches, accumulation_steps):
    return [micro_batches[start:start + accumulation_steps]
            for start in range(0, len(micro_batches), accumulation_steps)]


def clipped_running_sum(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in _windows(micro_batches, accumulation_steps):
        optimizer.zero_grad()
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
            clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()


def clipped_each_alone(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in _windows(micro_batches, accumulation_steps):
        sums = [torch.zeros_like(parameter) for parameter in model.parameters()]
        for batch in window:
            optimizer.zero_grad()
            (loss_fn(model, batch) / len(window)).backward()
            clip_grad_norm_(model.parameters(), max_norm)
            for total, parameter in zip(sums, model.parameters(), strict=True):
                total += parameter.grad
        for total, parameter in zip(sums, model.parameters(), strict=True):
            parameter.grad = total
        optimizer.step()


def weights(mine: Trial, right: Trial) -> dict:
    """How much the first and the last micro-batch of the first window count, and the norm of its update."""
    found, window = shares(mine), mine.fixture.windows[0]
    return {"n_backward": len(window), "w_first": found[0, window[0]].item(), "w_last": found[0, window[-1]].item(),
            "n_clip": len(window), "max_norm": mine.fixture.max_norm, "norm_after": mine.result["updates"][0].norm()}


def clipped_by_value(model, optimizer, micro_batches, loss_fn, accumulation_steps, max_norm):
    for window in _windows(micro_batches, accumulation_steps):
        optimizer.zero_grad()
        for batch in window:
            (loss_fn(model, batch) / len(window)).backward()
        clip_grad_value_(model.parameters(), max_norm)
        optimizer.step()


def clamped(mine: Trial, right: Trial) -> dict:
    mean = mine.fixture.gradients[:mine.fixture.k].mean(0)
    return {"max_norm": mine.fixture.max_norm, "norm": mean.norm(), "norm_after": mine.result["updates"][0].norm()}


WRONG = (
    Wrong("clip-each-micro-batch", "running-sum", clipped_running_sum, weights),
    Wrong("clip-each-micro-batch", "each-alone", clipped_each_alone, weights),
    Wrong("value-clip-for-norm-clip", "clamped", clipped_by_value, clamped),
)
