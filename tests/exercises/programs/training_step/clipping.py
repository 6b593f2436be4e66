"""Training steps that clip the wrong gradients, each by itself, or their entries."""

import torch
from torch.nn.utils import clip_grad_norm_, get_total_norm

import gradlab
from programs import wrong
from programs.training_step.halves import gradients, update


@wrong("training-step", "exhausted-parameters")
def logs_from_the_same_generator(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    params = model.parameters()
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    norm = sum(p.grad.norm() ** 2 for p in params if p.grad is not None) ** 0.5
    print("norm before clipping", norm)
    clip_grad_norm_(params, max_norm)
    update(optimizer, scaler)


@wrong("training-step", "exhausted-parameters")
def filters_once(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    trainable = filter(lambda p: p.requires_grad, model.parameters())
    for p in trainable:
        p.grad = None
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(trainable, max_norm)
    update(optimizer, scaler)


@wrong("training-step", "exhausted-parameters")
def maps_once(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    params = map(lambda named: named[1], model.named_parameters())
    before = get_total_norm([p.grad for p in params if p.grad is not None])
    after = clip_grad_norm_(params, max_norm)
    update(optimizer, scaler)
    return before, after


@wrong("training-step", "clip-set-mismatch")
def clips_weights_only(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_([p for name, p in model.named_parameters() if "weight" in name], max_norm)
    update(optimizer, scaler)


@wrong("training-step", "clip-set-mismatch")
def clips_the_last_layer_only(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    *_, last = model.children()
    clip_grad_norm_(last.parameters(), max_norm)
    update(optimizer, scaler)


@wrong("training-step", "clip-set-mismatch")
def clips_matrices_only(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    clip_grad_norm_(filter(lambda p: p.ndim > 1, model.parameters()), max_norm)
    update(optimizer, scaler)


@wrong("training-step", "clip-set-mismatch")
def clips_everything_twice(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    params = list(model.parameters()) + [p for group in optimizer.param_groups for p in group["params"]]
    clip_grad_norm_(params, max_norm)
    update(optimizer, scaler)


@wrong("training-step", "clip-set-mismatch")
def clips_one_layer_twice(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    first = next(model.children())
    clip_grad_norm_([*model.parameters(), *first.parameters()], max_norm)
    update(optimizer, scaler)


@wrong("training-step", "clip-set-mismatch", "value")
def measures_one_layer_and_scales_all(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    *_, last = model.children()
    norm = get_total_norm([p.grad for p in last.parameters()])
    for p in model.parameters():
        if p.grad is not None:
            p.grad *= (max_norm / norm).clamp(max=1)
    update(optimizer, scaler)


@wrong("training-step", "clip-set-mismatch", "value")
def clips_one_layer_by_hand(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    *_, last = model.parameters()
    norm = last.grad.norm()
    if norm > max_norm:
        last.grad.mul_(max_norm / norm)
    update(optimizer, scaler)


@wrong("training-step", "per-tensor-norm")
def clips_tensor_by_tensor(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    for p in model.parameters():
        clip_grad_norm_(p, max_norm)
    update(optimizer, scaler)


@wrong("training-step", "per-tensor-norm")
def clips_tensor_by_tensor_by_hand(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    for p in model.parameters():
        if p.grad is not None and p.grad.norm() > max_norm:
            p.grad *= max_norm / p.grad.norm()
    update(optimizer, scaler)


@wrong("training-step", "per-tensor-norm")
def clips_layer_by_layer(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    for layer in model.children():
        clip_grad_norm_(layer.parameters(), max_norm)
    update(optimizer, scaler)


@wrong("training-step", "value-clip-for-norm-clip")
def clips_values(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    torch.nn.utils.clip_grad_value_(model.parameters(), max_norm)
    update(optimizer, scaler)


@wrong("training-step", "value-clip-for-norm-clip")
def clamps(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    for p in model.parameters():
        if p.grad is not None:
            p.grad.clamp_(-max_norm, max_norm)
    update(optimizer, scaler)


@wrong("training-step", "value-clip-for-norm-clip")
def puts_clamped_copies(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    for p in model.parameters():
        if p.grad is not None:
            p.grad = torch.minimum(torch.maximum(p.grad, torch.tensor(-max_norm)), torch.tensor(max_norm))
    update(optimizer, scaler)


@wrong("training-step", "value-clip-for-norm-clip")
def clips_values_with_gradlab(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    gradients(model, optimizer, scaler, micro_batches, loss_fn)
    gradlab.ClipByValue(max_norm, nonfinite="torch")(model.parameters())
    update(optimizer, scaler)
