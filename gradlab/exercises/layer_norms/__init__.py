"""Exercise: gradient norms layer by layer, and a verdict that nothing but a real trend can bring about."""

import math

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.layer_norms.situations import SITUATIONS
from gradlab.exercises.layer_norms.wrong import WRONG, stands_for_the_factor, unexplained

TASK = """
Measure the gradient layer by layer and say what becomes of it on its way back. Return `(norms, verdict)`.

- `layers` is a list of modules, the first next to the input, the last next to the loss. `backward()` has run
- `norms` has an entry for each layer: the L2 norm of the gradients of all its **matrices** together, a matrix being a
  parameter with two dimensions or more. Biases and the scales of norms do not count; some have a gradient of 0 by
  construction
- a layer of which no matrix has a gradient (frozen: `.grad` is `None`) gets `None`, and has no part in the verdict
- `verdict` is `"non-finite"` if a norm is infinite or NaN; else `"vanishing"` if the last norm is more than `factor`
  times the first; `"exploding"` if the first is more than `factor` times the last; otherwise `"fine"`
"""


def judge_depth(layers, factor):
    norms = []
    for layer in layers:
        grads = [p.grad for p in layer.parameters() if p.dim() >= 2 and p.grad is not None]
        norms.append(math.sqrt(sum(float(g.double().square().sum()) for g in grads)) if grads else None)
    known = [norm for norm in norms if norm is not None]
    if not all(math.isfinite(norm) for norm in known):
        return norms, "non-finite"
    if known and known[-1] > factor * known[0]:
        return norms, "vanishing"
    if known and known[0] > factor * known[-1]:
        return norms, "exploding"
    return norms, "fine"


EXERCISE = Exercise(
    name="layer-norms",
    title="Does the gradient vanish?",
    minutes=12,
    difficulty=3,
    lab="05b_what_the_norm_hides",
    task=TASK,
    signature="def judge_depth(layers, factor)",
    right=judge_depth,
    wrong=WRONG,
    fixtures=SITUATIONS,
    symptoms=(stands_for_the_factor,),
    unexplained=unexplained,
    hints=(
        "Which parameters of a layer count, and which of those have a gradient? Keep `None` for a layer without any. "
        "For the verdict look at non-finite norms first: what is `nan > 100 * 1`?",
        "For each layer collect `p.grad` of the parameters with `p.dim() >= 2` whose `.grad` is not None; the norm is "
        "the root of the sum of all their squares. Leave the Nones out of a second list, test it with "
        "`math.isfinite`, then compare its last entry with its first.",
    ),
)
