"""Training steps that clip by a wrong norm, by a wrong rule or at a wrong limit."""

import torch
from torch.nn.utils import clip_grad_norm_, get_total_norm

from programs import wrong
from programs.training_step.halves import gradients, update


def clipping_by(measure):
    """A step that clips by hand with its own idea of a norm: `measure(grads)`."""
    def step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
        gradients(model, optimizer, scaler, micro_batches, loss_fn)
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        norm = measure(grads)
        if norm > max_norm:
            for g in grads:
                g *= max_norm / norm
        update(optimizer, scaler)
    return step


for name, variant, measure in (
    ("forgets_the_root", "not-rooted", lambda grads: sum((g * g).sum() for g in grads)),
    ("squares_the_norm", "not-rooted", lambda grads: torch.cat([g.flatten() for g in grads]).norm() ** 2),
    ("adds_up_sizes", "l1", lambda grads: sum(g.abs().sum() for g in grads)),
    ("takes_the_largest_entry", "signed-max", lambda grads: max(g.max() for g in grads)),
    ("sorts_the_entries", "signed-max", lambda grads: torch.cat([g.flatten() for g in grads]).sort().values[-1]),
    ("takes_the_largest_size", "abs-max", lambda grads: max(g.abs().max() for g in grads)),
    ("adds_up_the_norms", "sum-of-norms", lambda grads: sum(g.norm() for g in grads)),
    ("takes_l1_of_the_norms", "sum-of-norms", lambda grads: torch.stack([g.norm() for g in grads]).norm(1)),
    ("takes_the_largest_norm", "", lambda grads: max(g.norm() for g in grads)),
    ("averages_the_norms", "", lambda grads: torch.stack([g.norm() for g in grads]).mean()),
    ("takes_the_root_mean_square", "", lambda grads: torch.cat([g.flatten() for g in grads]).square().mean().sqrt()),
):
    clipping_by_it = clipping_by(measure)
    clipping_by_it.__name__ = name
    wrong("training-step", "wrong-norm", variant)(clipping_by_it)


@wrong("training-step", "wrong-norm", "l1")
def asks_torch_for_l1(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_(model.parameters(), max_norm, norm_type=1)
    update(optimizer, scaler)


@wrong("training-step", "wrong-norm", "abs-max")
def asks_torch_for_the_largest_magnitude(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_(model.parameters(), max_norm, norm_type=float("inf"))
    update(optimizer, scaler)


@wrong("training-step", "always-normalise")
def normalises(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    params = [p for p in model.parameters() if p.grad is not None]
    norm = torch.cat([p.grad.flatten() for p in params]).norm()
    for p in params:
        p.grad.mul_(max_norm / norm)
    update(optimizer, scaler)


@wrong("training-step", "always-normalise")
def normalises_with_foreach(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = get_total_norm(grads)
    torch._foreach_div_(grads, norm)
    torch._foreach_mul_(grads, max_norm)
    update(optimizer, scaler)


@wrong("training-step", "always-normalise", "jump")
def drops_to_norm_one(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = get_total_norm(grads)
    if norm > max_norm:
        for g in grads:
            g /= norm
    update(optimizer, scaler)


@wrong("training-step", "always-normalise", "jump")
def drops_to_norm_one_at_once(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    params = [p for p in model.parameters() if p.grad is not None]
    norm = torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in params]))
    for p in params:
        p.grad = torch.where(norm > max_norm, p.grad / norm, p.grad)
    update(optimizer, scaler)


@wrong("training-step", "max-norm-not-positive", "negative")
def clips_at_a_negative_limit_by_hand(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    torch._foreach_mul_(grads, min(1.0, -max_norm / get_total_norm(grads).item()))
    update(optimizer, scaler)


@wrong("training-step", "max-norm-not-positive", "negative")
def clips_at_a_negative_limit(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_(model.parameters(), -max_norm)
    update(optimizer, scaler)


@wrong("training-step", "max-norm-not-positive")
def clips_at_zero(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_(model.parameters(), max_norm=0)
    update(optimizer, scaler)


@wrong("training-step", "clip-cures-nonfinite")
def replaces_infinity_before_the_check(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    for p in model.parameters():
        if p.grad is not None:
            p.grad.nan_to_num_()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    update(optimizer, scaler)


@wrong("training-step", "clip-cures-nonfinite")
def zeroes_infinity_before_the_check(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    for p in model.parameters():
        if p.grad is not None:
            p.grad[~torch.isfinite(p.grad)] = 0
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm)
    update(optimizer, scaler)
