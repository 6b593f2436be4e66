"""Right training steps, in some of the many ways there are to clip."""

import torch
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_, get_total_norm

import gradlab
from programs import right


@right("training-step")
def clips_by_hand(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.sqrt(sum((g ** 2).sum() for g in grads))
    if norm > max_norm:
        for g in grads:
            g.mul_(max_norm / norm)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clips_by_hand_with_new_tensors(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    params = [p for p in model.parameters() if p.grad is not None]
    norm = torch.cat([p.grad.flatten() for p in params]).norm()
    coefficient = min(1.0, max_norm / (norm.item() + 1e-6))
    for p in params:
        p.grad = p.grad * coefficient
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clips_with_foreach(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    norm = torch.stack(torch._foreach_norm(grads)).norm()
    torch._foreach_mul_(grads, torch.clamp(max_norm / (norm + 1e-6), max=1.0))
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clips_in_two_calls(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    norm = get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    clip_grads_with_norm_(model.parameters(), max_norm, norm)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clips_with_gradlab(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    gradlab.ClipByGlobalNorm(max_norm, nonfinite="skip")(model.parameters())
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clips_with_gradlab_that_refuses_infinity(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    gradlab.ClipByGlobalNorm(max_norm)(model.parameters())
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clips_and_refuses_infinity(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    clip_grad_norm_(model.parameters(), max_norm, error_if_nonfinite=True)
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clips_what_the_optimizer_holds(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    params = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    print("norm", clip_grad_norm_(params, max_norm).item())
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def clips_scaled_gradients_at_a_scaled_limit(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    clip_grad_norm_(model.parameters(), max_norm * scaler.get_scale())
    scaler.step(optimizer)
    scaler.update()


@right("training-step")
def skips_by_itself_what_is_not_finite(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    norm = clip_grad_norm_(model.parameters(), max_norm)
    if torch.isfinite(norm):
        scaler.step(optimizer)
    scaler.update()


@right("training-step")
def reads_norms_before_and_after(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    norms = [clip_grad_norm_(model.parameters(), float("inf"))]
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    norms.append(clip_grad_norm_(model.parameters(), max_norm))
    scaler.step(optimizer)
    norms.append(clip_grad_norm_(model.parameters(), float("inf")))
    scaler.update()
    return norms
