"""Rules on what happened in which order, asked before the rates are compared with those of known wrong loops."""

from gradlab.exercises.mistakes import Diagnosis
from gradlab.exercises.training_step.rules import other_limit
from gradlab.exercises.trial import Trial
from gradlab.pitfalls.pitfall import written

KNOWN = ("clip-after-step", "zero-grad-before-step", "value-clip-for-norm-clip", "unscale-twice")


def refused(mine: Trial, right: Trial) -> Diagnosis | None:
    """An error that says too little about its cause."""
    fault = mine.fault
    if fault is None or fault.line is None:
        return None
    if "step() has already been called" in fault.text or "being called after step()" in fault.text:
        return Diagnosis(None, f"Line {fault.line}, `{fault.source}`, ran while the step before was still open: no "
                               "`scaler.update()` had ended it",
                         "Print scaler.get_scale() after each update.", "no update")
    return None


def unmoved(mine: Trial, right: Trial) -> Diagnosis | None:
    """No update at all, or another number than there are windows."""
    if mine.fault is not None or mine.fixture.skipped:  # an infinity may make more steps left out than it ought to
        return None
    made, asked = mine.facts["updates"], right.facts["updates"]
    if not made:
        return Diagnosis(None, f"No update was made of {asked} that the micro-batches are enough for",
                         "Print a weight before and after your function.", "no step")
    if made != asked:
        count = len(mine.fixture.means) * mine.fixture.k
        return Diagnosis(None, f"Your loop made {made} updates of {count} micro-batches; with k = {mine.fixture.k} "
                               f"they are enough for {asked}",
                         "Print the number of each micro-batch after which you step.", "updates")
    return None


def recorded(mine: Trial, right: Trial) -> Diagnosis | None:
    """A finding on the recorded order that names a line."""
    for finding in mine.ledger.findings("info"):
        if finding.pitfall in KNOWN:
            return Diagnosis(finding.pitfall, finding.message, finding.experiment, finding.variant)
    return None


RULES = (refused, unmoved, recorded)


def unexplained(mine: Trial, right: Trial) -> str:
    """The first rate or gradient that is off."""
    yours, planned = mine.result["rates"], right.result["rates"]
    for place, (a, b) in enumerate(zip(yours, planned, strict=False)):
        if abs(a - b) > 1e-6:
            return (f"With {mine.fixture.words} update {place + 1} used learning rate {written(a)}; "
                    f"{written(b)} is asked for")
    for place, (a, b) in enumerate(zip(mine.result["gradients"], right.result["gradients"], strict=False)):
        if not float((a - b).norm()) <= 1e-3 * float(b.norm()):
            if found := other_limit(mine, right):
                return found.message
            told, asked = written(float(a.norm())), written(float(b.norm()))
            other = f"{asked} is right" if told != asked else "that is right, but it points another way"
            return f"With {mine.fixture.words} update {place + 1} used a gradient of norm {told}; {other}"
    if len(yours) != len(planned):
        return (f"With {mine.fixture.words} you made {len(yours)} updates; {len(planned)} are asked for, without those "
                "that the scaler leaves out")
    if mine.result["moved outside steps"]:
        return f"With {mine.fixture.words} the weights moved after the last step of the optimizer"
    if abs(mine.result["next rate"] - right.result["next rate"]) > 1e-6:
        return (f"With {mine.fixture.words} the rate that is set for the next update is "
                f"{written(mine.result['next rate'])}; {written(right.result['next rate'])} is asked for")
    moves = int(mine.result["moves"])
    return (f"With {mine.fixture.words} the scheduler moved {moves} time{'s' * (moves != 1)} for "
            f"{mine.facts['updates']} updates; after the last one it moves, too, for your function may be called again")
