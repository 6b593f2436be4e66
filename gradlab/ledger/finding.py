"""What a rule found in a ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gradlab.ledger.events import Where


@dataclass(frozen=True)
class Finding:
    """One pitfall met in a ledger, with the numbers that show it.

    - `pitfall`: its id in the catalogue; `variant` the kind of it, empty for the usual one
    - `level`: "error" (the update is certainly not the one intended), "warn" (very likely), "info" (worth knowing)
    - `message`: what happened, in the loop's own numbers; `experiment`: one thing to try, never the answer
    - `evidence`: those numbers by name
    - `events`: the places in the ledger to look at; `where`: the code of the last of them
    """

    pitfall: str
    level: str
    message: str
    experiment: str
    evidence: Mapping[str, object]
    events: tuple[int, ...]
    variant: str = ""
    where: Where | None = field(default=None, compare=False)

    def __str__(self) -> str:
        place = f" (line {self.where.line})" if self.where else ""
        return f"{self.level}: {self.pitfall}{place}: {self.message}"
