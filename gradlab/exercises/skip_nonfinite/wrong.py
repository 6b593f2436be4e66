"""Guarded steps that are known to be wrong, in the order in which they are looked for, and what they are told."""

import math
from collections.abc import Callable

import torch

from gradlab.exercises.fingerprints import same
from gradlab.exercises.mistakes import Diagnosis, Wrong
from gradlab.exercises.skip_nonfinite.situations import GRADIENTS, MAX_NORM, weights
from gradlab.exercises.trial import Trial


def program(*, skip: Callable = lambda model, loss, norm: not norm.isfinite(), clip: bool = True, clear: str = "first",
            otherwise: Callable = lambda model, optimizer: False, before: Callable = lambda model: None) -> Callable:
    """A step that is left out if `skip(model, loss, norm)`; `otherwise` is done then.

    `before` is done right after the backward pass. `clear`: "first", "after" (a step that was made), or "never".
    """
    def step(model, optimizer, loss, max_norm):
        if clear == "first":
            optimizer.zero_grad()
        loss.backward()
        before(model)
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.cat([grad.flatten() for grad in grads]).norm()
        if skip(model, loss, norm):
            return otherwise(model, optimizer)
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        if clear == "after":
            optimizer.zero_grad()
        return True
    return step


def give_numbers(model) -> None:
    for p in model.parameters():
        if p.grad is not None:
            p.grad.nan_to_num_(0.0, 0.0, 0.0)


def zeros_in_a_step(model, optimizer) -> bool:
    for p in model.parameters():
        if p.grad is not None:
            p.grad.zero_()
    optimizer.step()
    return False


def step_of_the_finite(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    bad = [p for p in model.parameters() if p.grad is not None and not p.grad.isfinite().all()]
    for p in bad:
        p.grad = None
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return not bad


def step_with_the_rest(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    good = all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    give_numbers(model)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return bool(good)


def look_afterwards(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return bool(weights(model).isfinite().all())


def look_at_the_norm_afterwards(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return bool(norm.isfinite())


def weights_put_back(model, optimizer, loss, max_norm):
    before = [p.detach().clone() for p in model.parameters()]
    if look_at_the_norm_afterwards(model, optimizer, loss, max_norm):
        return True
    with torch.no_grad():
        for p, value in zip(model.parameters(), before, strict=True):
            p.copy_(value)
    return False


def told(mine: Trial, right: Trial) -> dict:
    """What the messages quote of the first call that went wrong."""
    pairs = zip(mine.facts["calls"], right.facts["calls"], strict=True)
    place = next((place for place, pair in enumerate(pairs) if not same(*pair)), 0)
    (update, answer), fate = mine.facts["calls"][place], mine.facts["fates"][place]
    norm = {"nan": math.nan, "inf": math.inf, "loss": math.nan}.get(fate, torch.tensor(GRADIENTS[place]).norm())
    return {"i": place + 1, "norm": norm, "max_norm": MAX_NORM, "n": update.numel(),
            "n_bad": int((~update.isfinite()).sum()), "n_moved": int((update != 0).sum()), "moved": update.norm(),
            "loss": mine.facts["losses"][place], "answer": answer, "norm_true": torch.tensor(GRADIENTS[place]).norm(),
            "norm_before": torch.tensor(GRADIENTS[place - 1]).norm()}


def kept(mine: Trial, right: Trial) -> dict:
    """As `told`, for a bad gradient that is still in `.grad`; fails where it is not."""
    facts = told(mine, right)
    if mine.facts["finite"][facts["i"] - 1]:
        raise ValueError("what is in .grad is finite")
    return facts


def spoilt_state(mine: Trial, right: Trial) -> Diagnosis | None:
    """A good batch left out after a bad one, although its own gradient was finite."""
    facts = told(mine, right)
    place = facts["i"] - 1
    (update, answer), wanted = mine.facts["calls"][place], right.facts["calls"][place][1]
    before = mine.facts["fates"][:place]  # a good batch, which went well, and a bad one
    if answer == wanted or wanted != "True" or update.any() or not any(before) or all(before):
        return None
    return Diagnosis(None, f"Batch {facts['i']} is in order and was left out, and no gradient was to blame: after a "
                           "batch that is left out the optimizer's state must be what it was, its momentum too",
                     "Print `optimizer.state` after a batch that was left out.")


UNSEEN = "nonfinite-unseen"
WRONG = (
    Wrong("clip-cures-nonfinite", "stepped", program(skip=lambda *_: False), told),
    Wrong("clip-cures-nonfinite", "cured", program(skip=lambda *_: False, before=give_numbers), told,
          "Update {i} was made although its gradient had norm {norm}: the entry that is no number was given a value."),
    Wrong(UNSEEN, "loss-only", program(skip=lambda model, loss, norm: not loss.isfinite()), told),
    Wrong(UNSEEN, "nan-only", program(skip=lambda model, loss, norm: norm.isnan()), told),
    Wrong(UNSEEN, "", program(skip=lambda model, loss, norm: any(
        p.grad is not None and p.grad.isinf().any() for p in model.parameters())), told),
    Wrong(UNSEEN, "one-tensor", program(skip=lambda model, loss, norm: not model.first.grad.isfinite().all()),
          told),
    Wrong(UNSEEN, "after-step", look_afterwards, told),
    Wrong(UNSEEN, "after-step", look_at_the_norm_afterwards, told),
    Wrong("zeroed-not-skipped", "", program(otherwise=zeros_in_a_step), told),
    Wrong("zeroed-not-skipped", "part", step_of_the_finite, told),
    Wrong("zeroed-not-skipped", "rest", step_with_the_rest, told,
          "Batch {i} was to be left out, and the weights moved by {moved}: the entries that were not finite were given "
          "a value, and the step was made."),
    Wrong("skipped-gradient-kept", "", program(clear="after"), kept),
    Wrong("missing-zero-grad", "value", program(clear="never"), told,
          "The gradient of batch {i} has norm {norm_true}, and that of the batch before it, {norm_before}, is still in "
          "the sum."),
    Wrong("clip-missing", "", program(clip=False), told),
    Wrong(None, "state spoilt", weights_put_back, told,
          "Batch {i} moved the weights by {moved}, and its own gradient has norm {norm}: you put the weights back, and "
          "the optimizer's momentum still holds the bad gradient.",
          "Print `optimizer.state` after a batch that was left out."),
    Wrong(None, "over the limit", program(skip=lambda model, loss, norm: not norm <= MAX_NORM), told,
          "Batch {i} was left out, and its gradient is finite, norm {norm}: over the limit of {max_norm}, which is "
          "what the clip is for.",
          "Print the norm of each gradient beside whether it is finite."),
)
