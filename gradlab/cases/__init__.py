"""Case files: bugs that really happened, rebuilt around the lab's model, to be found from their traces.

    from gradlab import cases

    case = cases.get("clipping-was-on")
    case               # what is known
    case.trace()       # what the loop did when it ran
    case.diagnose()    # what do you think it is?
    case.loop()        # its code
    case.ledger()      # what its code did to the gradients
    case.verdict()     # what it was, what cured it, and where it happened
"""

import difflib

from gradlab.cases import (
    clipping_was_on,
    every_third_update,
    four_times_the_work,
    frozen,
    it_looked_converged,
    loss_stays,
    nothing_to_clip,
    one_bad_batch,
    warmup_cut_short,
    wasted_first_step,
)
from gradlab.cases.case import Case as Case
from gradlab.cases.log import Log as Log

_CASES = {module.CASE.name: module.CASE
          for module in (clipping_was_on, frozen, nothing_to_clip, four_times_the_work, wasted_first_step,
                         warmup_cut_short, every_third_update, it_looked_converged, one_bad_batch, loss_stays)}


class UnknownCaseError(KeyError):
    """Raised for a name that no case has; the message names the closest ones."""

    def __str__(self) -> str:  # KeyError's own would put the sentence in quotation marks
        return str(self.args[0])


def names() -> tuple[str, ...]:
    """The names of all cases, in the order in which the labs open them."""
    return tuple(_CASES)


def get(name: str) -> Case:
    """The case of a name. Errors: UnknownCaseError, a KeyError, naming the closest ones."""
    if found := _CASES.get(name):
        return found
    close = difflib.get_close_matches(str(name).lower().replace("_", "-"), _CASES, n=3)
    raise UnknownCaseError(f"no case has the name {name!r}; "
                           + (f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(_CASES)}"))
