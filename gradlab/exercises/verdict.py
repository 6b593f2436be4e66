"""What `check` answers: one outcome, and at most one mistake by name."""

from dataclasses import dataclass
from typing import Any

from gradlab.exercises.card import LOOKS, verdict_card, verdict_text


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `check` found out about a learner's function; true when it is right.

    - `outcome`: "right", "wrong", "not attempted" or "error"
    - `pitfall`: the id of the mistake, None where it has none; `variant` the kind of it, empty for the usual one
    - `message`: what was seen, with the learner's own numbers; `experiment`: one thing to try
    - `exercise`, `title`: name and title of the exercise
    - `fixture`: the situation the message is about; empty where it is about all
    - `ledger`: what happened to the gradients there, drawn below the card; None where nothing was recorded
    - `printed`, `warned`: what the function printed there, shortened, and its first warning

    A notebook shows it as a card. That of a right answer is the same on every machine.
    """

    outcome: str
    pitfall: str | None
    message: str
    experiment: str = ""
    exercise: str = ""
    title: str = ""
    fixture: str = ""
    ledger: Any = None
    printed: str = ""
    warned: str = ""
    variant: str = ""

    def __post_init__(self):
        if self.outcome not in LOOKS:
            raise ValueError(f"outcome must be one of {', '.join(LOOKS)}, got {self.outcome!r}")

    def __bool__(self) -> bool:
        return self.outcome == "right"

    def __str__(self) -> str:
        return verdict_text(self)

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": verdict_card(self), "text/plain": str(self)}

    def _ipython_display_(self):
        """The card, and below it the drawing of what happened, where there is one."""
        drawing = self._drawing()
        if drawing is None:
            raise NotImplementedError  # so that IPython shows the card as the cell's result
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)
        display(drawing)

    def _drawing(self) -> Any:
        # The drawing must not contradict the card: what happened is drawn, and judged only where both say the same.
        if not self.ledger or self.outcome == "right" and self.ledger.findings():
            return None
        same = [finding for finding in self.ledger.findings("info") if finding.pitfall == self.pitfall]
        return self.ledger.draw(findings=same or None, judged=bool(same) or self.outcome == "right")
