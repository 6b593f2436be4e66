"""Rule: the clip was given the gradients where it wants the parameters."""

import re

from gradlab.exercises.mistakes import Diagnosis, say
from gradlab.exercises.trial import Trial
from gradlab.ledger import Backward, Clip, Measure, Step, Where

GIVEN_GRADIENTS = re.compile(r"clip_grad_(norm|value)_\([^,)]*grad")


def of_gradients(mine: Trial, right: Trial) -> Diagnosis | None:
    """One of torch's clips that found no `.grad`, because it was given the gradients themselves.

    It does nothing, so the ledger has no event of it, and the line is looked for between the last event and the step.
    """
    passes = mine.ledger.of(Backward)
    if not passes or mine.ledger.of(Clip) or mine.ledger.of(Measure):
        return None
    norm, places = passes[-1].norm, []
    if mine.fault is not None:  # clipping by value stops with an error
        places = [passes[-1].where._replace(line=mine.fault.line)]
    elif mine.fixture.over and (steps := mine.ledger.of(Step)):
        norm, last, step = steps[0].norm, mine.ledger[steps[0].index - 1].where, steps[0].where
        places = [step._replace(line=line) for line in range(last.line, step.line) if last.file == step.file]
    for place in places:
        if _given_gradients(place):
            return say("clip-missing", "line-of-gradients", line=place.line, norm=norm, max_norm=mine.fixture.max_norm)
    return None


def _given_gradients(place: Where) -> bool:
    """Whether this line begins a clip of something that is called gradients; its arguments may stand in the next."""
    before, clip, after = place.text.partition("#")[0].partition("clip_grad_")
    return bool(clip and GIVEN_GRADIENTS.match(clip + after + place._replace(line=place.line + 1).text))
