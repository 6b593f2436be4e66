"""The training steps that are known to be wrong, in the order in which they are looked for."""

import torch

from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.training_step import evidence as told
from gradlab.exercises.training_step import programs
from gradlab.exercises.training_step.parts import adding_up, clipping, clipping_by, finishing, norm, scale_by, sharing


def limited(tensors, max_norm):
    """Scale these tensors so that their common norm is at most `max_norm`, whatever its sign."""
    scale_by((max_norm / norm(tensors)).clamp(max=1), tensors)


CLIPS = (
    Wrong("clip-missing", "", clipping(lambda grads, max_norm: None), told.update),
    Wrong("per-tensor-norm", "", clipping(lambda grads, max_norm: [limited([g], max_norm) for g in grads]),
          told.per_tensor),
    Wrong("value-clip-for-norm-clip", "",
          clipping(lambda grads, max_norm: [g.clamp_(-max_norm, max_norm) for g in grads]), told.by_value),
    Wrong("wrong-norm", "not-rooted", clipping_by(lambda grads: norm(grads) ** 2), told.clipped),
    Wrong("wrong-norm", "l1", clipping_by(lambda grads: sum(g.abs().sum() for g in grads)), told.clipped),
    Wrong("wrong-norm", "signed-max", clipping_by(lambda grads: max(g.max() for g in grads)), told.clipped),
    Wrong("wrong-norm", "abs-max", clipping_by(lambda grads: max(g.abs().max() for g in grads)), told.clipped),
    Wrong("wrong-norm", "sum-of-norms", clipping_by(lambda grads: sum(g.norm() for g in grads)), told.clipped),
    Wrong("wrong-norm", "", clipping_by(lambda grads: max(g.norm() for g in grads)),
          told.looks_like("the largest of the tensors' norms")),
    Wrong("wrong-norm", "", clipping_by(lambda grads: sum(g.norm() for g in grads) / len(grads)),
          told.looks_like("the mean of the tensors' norms")),
    Wrong("wrong-norm", "", clipping_by(lambda grads: torch.cat([g.flatten() for g in grads]).square().mean().sqrt()),
          told.looks_like("the root of the mean square")),
    Wrong("always-normalise", "", clipping_by(norm, always=True), told.clipped),
    Wrong("always-normalise", "jump", clipping_by(norm, target=1.0), told.clipped),
    Wrong("max-norm-not-positive", "negative", clipping(lambda grads, max_norm: limited(grads, -max_norm)),
          told.negative),
    Wrong("clip-set-mismatch", "value", clipping(lambda grads, max_norm: limited(grads[:1], max_norm)),
          told.subset(slice(0, 2))),
    Wrong("clip-set-mismatch", "value", clipping(lambda grads, max_norm: limited(grads[1:], max_norm)),
          told.subset(slice(2, 4))),
    Wrong("clip-set-mismatch", "value", clipping_by(lambda grads: norm(grads[:1])), told.subset(slice(0, 2))),
    Wrong("clip-set-mismatch", "value", clipping_by(lambda grads: norm(grads[1:])), told.subset(slice(2, 4))),
    Wrong(None, "own limit", clipping(lambda grads, max_norm: limited(grads, 1.0)), told.update,
          "Your update has norm {norm}, and the limit you were given is {max_norm}: you clip at a limit of your own.",
          "Call your function with two values of max_norm and compare the updates."),
)

SUMS = (
    Wrong("missing-zero-grad", "", adding_up(programs.never_cleared), told.update,
          "Your gradient has norm {norm}, while these micro-batches alone give {norm_true}: the gradient of the step "
          "before, norm {norm_before}, is still in the sum."),
    Wrong("missing-zero-grad", "value", programs.cleared_at_the_end, told.update,
          "You cleared the gradients at the end, too late for those that were there when your function was called, "
          "norm {norm_before}: your first gradient has norm {norm}, these micro-batches alone give {norm_true}."),
    Wrong("wrong-accumulation-divisor", "none", sharing(lambda place, k: 1.0), told.update),
    Wrong("wrong-accumulation-divisor", "by-index", sharing(lambda place, k: 1 / (place + 1)), told.shares),
    Wrong("wrong-accumulation-divisor", "in-loop", adding_up(programs.divided_in_the_loop), told.shares),
    Wrong("wrong-accumulation-divisor", "", sharing(lambda place, k: k**-2), told.divisor),
    Wrong("wrong-accumulation-divisor", "", sharing(lambda place, k: 1 / 4), told.divisor),
    Wrong("wrong-accumulation-divisor", "", sharing(lambda place, k: 1 / 2), told.divisor),
    Wrong("clip-each-micro-batch", "", programs.clipped_running_sum, told.shares,
          "What was summed so far was clipped after each of {n_backward} micro-batches; the first now counts {w_first} "
          "and the last {w_last}."),
    Wrong("clip-each-micro-batch", "each-alone", programs.clipped_each_alone, told.each_alone),
    Wrong(None, "running total", adding_up(programs.running_total), told.shares,
          "Of {n_backward} micro-batches the first counts {w_first} and the last {w_last}: the first one's loss is in "
          "every loss that you called backward on.",
          "Print the loss on the line of your backward pass."),
    *(Wrong(None, "lost", sharing(share), told.update,
            "Of {n_backward} micro-batches only the " + which + " is in your update" + divided + ".",
            "Count the backward passes of one call.")
      for which, divided, share in (
          ("first", "", lambda place, k: float(place == 0)),
          ("first", ", divided by {n_backward}", lambda place, k: (place == 0) / k),
          ("last", "", lambda place, k: float(place == k - 1)),
          ("last", ", divided by {n_backward}", lambda place, k: (place == k - 1) / k))),
)

SCALES = (
    Wrong("clip-before-unscale", "", finishing(programs.clipped_before_unscaling), told.update,
          "Your update has norm {norm}, the right one {norm_true}: {norm} is the limit of {max_norm} divided by the "
          "loss scale of {scale}, as if the gradients had still held the scale when you compared them with it."),
    Wrong("unscale-twice", "value", finishing(programs.unscaled_twice), told.update),
    Wrong("unscale-twice", "value", finishing(programs.unscaled_before_step_does), told.update),
    *(Wrong("backward-after-unscale", "", programs.unscaled_after(place), told.late(place),
            "A gradient {scale} times too large joined one that was already unscaled: the sum has norm {norm}, the "
            "true one {norm_true}.")
      for place in (0, -2)),
    Wrong("scaler-bypassed", "", finishing(programs.never_unscaled), told.update,
          "The weights moved by {norm} where {norm_true} is right: the loss scale of {scale} was still in the "
          "gradients."),
    *(Wrong("scaler-bypassed", "unscaled", finishing(finish), told.spoilt,
            "A gradient of the {call} update was infinite. The step ran outside the scaler, which would have left it "
            "out, and {n_bad} of {n} weights are no finite numbers now.")
      for finish in (programs.stepped_past_the_scaler, programs.unscaled_by_hand)),
    *(Wrong("clip-cures-nonfinite", "", programs.infinities_replaced(replace), told.update,
            "The scaled gradient of the {call} update held an infinity. You put a number in its place before the "
            "scaler had looked, so nothing was skipped and the loss scale stayed at {scale}.")
      for replace in (lambda g: g.nan_to_num_(), lambda g: g.nan_to_num_(0, 0, 0), lambda g: g.clamp_(-1e4, 1e4))),
    Wrong(None, "no scaler", programs.without_the_scaler, told.update,
          "The scaler saw neither your loss nor your step: an infinite gradient is not skipped, and the small "
          "gradients of a model in float16 become zero.",
          "Print a gradient of the float16 model with and without scaler.scale."),
    Wrong(None, "two steps", finishing(programs.stepped_twice), told.update,
          "One call moved the weights by {norm}, and one update moves them by {norm_true}."),
)

WRONG = (*SUMS, *CLIPS, *SCALES)
