"""Exercise: a training step that leaves the update out where the gradient is not finite, and leaves no trace of it."""

import torch

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.fingerprints import same
from gradlab.exercises.skip_nonfinite.situations import SITUATIONS
from gradlab.exercises.skip_nonfinite.wrong import WRONG, spoilt_state, told
from gradlab.exercises.trial import Trial
from gradlab.pitfalls.pitfall import written

TASK = """
Make one update with a loss that somebody has computed, and leave it out if its gradient is not finite.

- clip the gradient of all parameters together to `max_norm`, then make the step
- if any entry of the gradient is infinite or NaN, the weights and the optimizer's state stay as they are, as if this
  batch had never been. The loss may be finite all the same
- your function is called again with the next batch, on the same model and optimizer: what one call leaves in `.grad`
  is there when the next one begins
- layers may be frozen; their `.grad` is `None`

Return `True` if the update was made and `False` if it was left out.
"""


def guarded_step(model, optimizer, loss, max_norm):
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    if not torch.isfinite(norm):
        return False
    optimizer.step()
    return True


def unexplained(mine: Trial, right: Trial) -> str:
    facts = told(mine, right)
    place, words = facts["i"] - 1, f"With {mine.fixture.words}, "
    (update, answer), wanted = mine.facts["calls"][place], right.facts["calls"][place][0]
    if same(mine.facts["calls"], right.facts["calls"]):
        return (f"{words}the weights are right, and the optimizer has counted {written(mine.facts['counts'])} steps "
                f"for its parameters in place of {written(right.facts['counts'])}")
    if same(update, wanted):
        return f"{words}the weights are right after batch {facts['i']}, and you returned {answer}"
    if not update.any():
        return f"{words}batch {facts['i']} is in order, and your function moved no weight"
    return (f"{words}batch {facts['i']} moved the weights by {written(update.norm())}; {written(wanted.norm())} is "
            "asked for")


EXERCISE = Exercise(
    name="skip-nonfinite",
    title="Leave out what is not finite",
    minutes=10,
    difficulty=3,
    lab="05b_what_the_norm_hides",
    task=TASK,
    signature="def guarded_step(model, optimizer, loss, max_norm) -> bool",
    right=guarded_step,
    wrong=WRONG,
    fixtures=SITUATIONS,
    symptoms=(spoilt_state,),
    unexplained=unexplained,
    hints=(
        "When do you know whether the gradient is finite: before `backward()`, after it, or after the step? And what "
        "is in `.grad` when the batch after a bad one begins?",
        "Clear, `loss.backward()`, then `norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)`: one "
        "entry that is infinite or NaN makes this norm infinite or NaN. If it is not `torch.isfinite`, return False "
        "without a step.",
    ),
)
