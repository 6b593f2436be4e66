"""The catalogue of pitfalls: one name, one set of words, for the exercises, the recorded loop and the labs.

    from gradlab import pitfalls

    pitfalls.get("clip-after-step").belief
    [pitfall.id for pitfall in pitfalls.CATALOGUE if pitfall.lab == "01_clipping"]
"""

import difflib

from gradlab.pitfalls.accumulation import ACCUMULATION
from gradlab.pitfalls.clip_sets import CLIP_SETS
from gradlab.pitfalls.clipping import CLIPPING
from gradlab.pitfalls.depth import DEPTH
from gradlab.pitfalls.kernels import KERNELS
from gradlab.pitfalls.limit import LIMIT
from gradlab.pitfalls.mixed_precision import MIXED_PRECISION
from gradlab.pitfalls.order import ORDER
from gradlab.pitfalls.pitfall import Pitfall as Pitfall
from gradlab.pitfalls.schedules import SCHEDULES

CATALOGUE: tuple[Pitfall, ...] = (
    *ORDER, *ACCUMULATION, *MIXED_PRECISION, *CLIP_SETS, *CLIPPING, *LIMIT, *SCHEDULES, *DEPTH, *KERNELS)

_BY_ID = {pitfall.id: pitfall for pitfall in CATALOGUE}


class UnknownPitfallError(KeyError):
    """Raised for an id that is not in the catalogue; the message names the closest ones."""

    def __str__(self) -> str:  # KeyError's own would put the sentence in quotation marks
        return str(self.args[0])


def ids() -> tuple[str, ...]:
    """All ids, in the order of the catalogue."""
    return tuple(_BY_ID)


def get(id: str) -> Pitfall:
    """The pitfall of an id. Errors: UnknownPitfallError, a KeyError, naming the closest ids."""
    if found := _BY_ID.get(id):
        return found
    close = difflib.get_close_matches(str(id).lower(), _BY_ID, n=3)
    raise UnknownPitfallError(f"no pitfall has the id {id!r}; "
                              + (f"did you mean {' or '.join(close)}?" if close else "pitfalls.ids() lists them all"))
