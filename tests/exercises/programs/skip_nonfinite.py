"""Answers to "skip-nonfinite"."""

import copy
import math

import torch

from programs import right, unnamed, wrong

NAME = "skip-nonfinite"


def clip(model, max_norm):
    return torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)


def finite(model):
    return all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@right(NAME)
def look_at_every_entry(model, optimizer, loss, max_norm):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if not finite(model):
        return False
    clip(model, max_norm)
    optimizer.step()
    return True


@right(NAME)
def let_torch_refuse(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    try:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm, error_if_nonfinite=True)
    except RuntimeError:
        return False
    optimizer.step()
    return True


@right(NAME)
def cleared_at_the_end_of_each_call(model, optimizer, loss, max_norm):
    loss.backward()
    norm = clip(model, max_norm).item()
    good = math.isfinite(norm)
    if good:
        optimizer.step()
    optimizer.zero_grad()
    return good


@right(NAME)
def step_and_put_everything_back(model, optimizer, loss, max_norm):
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    model.zero_grad()
    loss.backward()
    clip(model, max_norm)
    optimizer.step()
    if all(p.isfinite().all() for p in model.parameters()):
        return True
    model.load_state_dict(weights)
    optimizer.load_state_dict(state)
    return False


@right(NAME)
def with_autograd_and_a_clip_by_hand(model, optimizer, loss, max_norm):
    parameters = [p for p in model.parameters() if p.requires_grad]
    grads = torch.autograd.grad(loss, parameters)
    norm = torch.cat([g.flatten() for g in grads]).norm()
    if norm.isnan() or norm.isinf():
        return torch.tensor(False)
    for p, g in zip(parameters, grads, strict=True):
        p.grad = g * min(1.0, max_norm / (norm.item() + 1e-6))
    optimizer.step()
    return torch.tensor(True)


@wrong(NAME, "clip-cures-nonfinite", "stepped")
def trust_the_clip(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    clip(model, max_norm)
    optimizer.step()
    return True


@wrong(NAME, "clip-cures-nonfinite", "stepped")
def a_comparison_that_is_never_true(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    norm = clip(model, max_norm)
    if norm == float("nan"):
        return False
    optimizer.step()
    return True


@wrong(NAME, "clip-cures-nonfinite", "cured")
def nan_to_num(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    for p in model.parameters():
        if p.grad is not None:
            p.grad = torch.nan_to_num(p.grad, nan=0.0, posinf=0.0, neginf=0.0)
    clip(model, max_norm)
    optimizer.step()
    return True


@wrong(NAME, "clip-cures-nonfinite", "cured")
def masked(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    for p in model.parameters():
        if p.grad is not None:
            p.grad[~p.grad.isfinite()] = 0
    clip(model, max_norm)
    optimizer.step()
    return True


@wrong(NAME, "nonfinite-unseen", "loss-only")
def look_at_the_loss(model, optimizer, loss, max_norm):
    if not torch.isfinite(loss):
        return False
    optimizer.zero_grad()
    loss.backward()
    clip(model, max_norm)
    optimizer.step()
    return True


@wrong(NAME, "nonfinite-unseen", "loss-only")
def look_at_the_loss_as_a_number(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    value = loss.item()
    loss.backward()
    clip(model, max_norm)
    good = not (math.isnan(value) or math.isinf(value))
    if good:
        optimizer.step()
    return good


@wrong(NAME, "nonfinite-unseen", "nan-only")
def look_for_nan(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    norm = clip(model, max_norm)
    if torch.isnan(norm):
        return False
    optimizer.step()
    return True


@wrong(NAME, "nonfinite-unseen", "nan-only")
def look_for_nan_in_each_gradient(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if any(p.grad.isnan().any() for p in model.parameters() if p.grad is not None):
        return False
    clip(model, max_norm)
    optimizer.step()
    return True


@wrong(NAME, "nonfinite-unseen")
def look_for_infinity(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    norm = clip(model, max_norm)
    if math.isinf(norm):
        return False
    optimizer.step()
    return True


@wrong(NAME, "nonfinite-unseen")
def look_for_infinity_in_each_gradient(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if any(torch.isinf(p.grad).any() for p in model.parameters() if p.requires_grad):
        return False
    clip(model, max_norm)
    optimizer.step()
    return True


@wrong(NAME, "nonfinite-unseen", "one-tensor")
def look_at_the_first(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if not next(model.parameters()).grad.isfinite().all():
        return False
    clip(model, max_norm)
    optimizer.step()
    return True


@wrong(NAME, "nonfinite-unseen", "one-tensor")
def returns_within_the_loop(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()

    def good():
        for p in model.parameters():
            if p.grad is not None:
                return bool(torch.isfinite(p.grad).all())
        return True

    if not good():
        return False
    clip(model, max_norm)
    optimizer.step()
    return True


@wrong(NAME, "nonfinite-unseen", "after-step")
def look_at_the_weights_afterwards(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    clip(model, max_norm)
    optimizer.step()
    return all(bool(p.isfinite().all()) for p in model.parameters())


@wrong(NAME, "nonfinite-unseen", "after-step")
def look_at_the_norm_afterwards(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    norm = clip(model, max_norm)
    optimizer.step()
    return bool(norm.isfinite())


@wrong(NAME, "zeroed-not-skipped")
def zeros_and_a_step(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    good = bool(clip(model, max_norm).isfinite())
    if not good:
        optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    return good


@wrong(NAME, "zeroed-not-skipped")
def times_nought(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    good = finite(model)
    for p in model.parameters():
        if not good and p.grad is not None:
            p.grad = torch.zeros_like(p.grad)
    clip(model, max_norm)
    optimizer.step()
    return good


@wrong(NAME, "zeroed-not-skipped", "part")
def only_the_good_parameters(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    good = True
    for p in model.parameters():
        if p.grad is not None and not torch.isfinite(p.grad).all():
            p.grad, good = None, False
    clip(model, max_norm)
    optimizer.step()
    return good


@wrong(NAME, "zeroed-not-skipped", "part")
def good_gradients_kept(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    kept = {p: p.grad for p in model.parameters() if p.grad is not None}
    bad = [p for p, grad in kept.items() if grad.isnan().any() or grad.isinf().any()]
    for p in bad:
        p.grad = None
    clip(model, max_norm)
    optimizer.step()
    return len(bad) == 0


@wrong(NAME, "zeroed-not-skipped", "rest")
def numbers_for_nans_and_an_honest_answer(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    good = True
    for p in model.parameters():
        if p.grad is not None:
            good = good and bool(p.grad.isfinite().all())
            p.grad = torch.nan_to_num(p.grad, nan=0.0, posinf=0.0, neginf=0.0)
    clip(model, max_norm)
    optimizer.step()
    return good


@wrong(NAME, "zeroed-not-skipped", "rest")
def zeros_where_it_is_not_finite(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    bad = 0
    for p in model.parameters():
        if p.grad is not None:
            off = ~p.grad.isfinite()
            bad += int(off.sum())
            p.grad[off] = 0.0
    clip(model, max_norm)
    optimizer.step()
    return bad == 0


@wrong(NAME, "skipped-gradient-kept")
def cleared_after_a_step_only(model, optimizer, loss, max_norm):
    loss.backward()
    norm = clip(model, max_norm)
    if not torch.isfinite(norm):
        return False
    optimizer.step()
    optimizer.zero_grad()
    return True


@wrong(NAME, "skipped-gradient-kept")
def cleared_with_the_step(model, optimizer, loss, max_norm):
    loss.backward()
    good = finite(model)
    if good:
        clip(model, max_norm)
        optimizer.step()
        for p in model.parameters():
            p.grad = None
    return good


@wrong(NAME, "missing-zero-grad", "value")
def never_cleared(model, optimizer, loss, max_norm):
    loss.backward()
    norm = clip(model, max_norm)
    if not torch.isfinite(norm):
        return False
    optimizer.step()
    return True


@wrong(NAME, "missing-zero-grad", "value")
def never_cleared_either(model, optimizer, loss, max_norm):
    loss.backward()
    good = bool(torch.isfinite(clip(model, max_norm)))
    if good:
        optimizer.step()
    return good


@wrong(NAME, "clip-missing")
def without_a_clip(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if not finite(model):
        return False
    optimizer.step()
    return True


@wrong(NAME, "clip-missing")
def measured_and_not_clipped(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if not torch.isfinite(clip(model, math.inf)):
        return False
    optimizer.step()
    return True


@unnamed(NAME, "its momentum too")
def only_the_weights_put_back(model, optimizer, loss, max_norm):
    kept = copy.deepcopy(model.state_dict())
    optimizer.zero_grad()
    loss.backward()
    clip(model, max_norm)
    optimizer.step()
    if all(p.isfinite().all() for p in model.parameters()):
        return True
    model.load_state_dict(kept)
    return False


@unnamed(NAME, "over the limit")
def leaves_long_ones_out(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if not clip(model, max_norm) <= max_norm:
        return False
    optimizer.step()
    return True


@unnamed(NAME, "moved no weight")
def always_out(model, optimizer, loss, max_norm):
    return False


@unnamed(NAME, "returned None")
def without_an_answer(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if torch.isfinite(clip(model, max_norm)):
        optimizer.step()


@unnamed(NAME, "you returned False")
def the_other_way_round(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if torch.isfinite(clip(model, max_norm)):
        optimizer.step()
        return False
    return True


@unnamed(NAME, "is asked for")
def clipped_by_value(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    if not finite(model):
        return False
    torch.nn.utils.clip_grad_value_(model.parameters(), max_norm)
    optimizer.step()
    return True
