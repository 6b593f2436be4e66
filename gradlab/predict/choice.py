"""Choice: a prediction among options."""

from __future__ import annotations

from collections.abc import Mapping

from .card import Card, choice_card
from .options import checked_notes, checked_options, checked_text, place
from .prediction import Prediction
from .prose import LETTERS, items, listed, paragraph


class Choice(Prediction):
    """A prediction among two to six options, with a letter each."""

    def __init__(self, question, options):
        question, self.options = checked_text(question, "the question"), checked_options(options)
        self._notes = checked_notes(options, "options") if isinstance(options, Mapping) else {}
        super().__init__({"kind": "choice", "question": question, "options": list(self.options)})

    def _read(self, answer):
        return place(self.options, answer, "commit()")

    def _value(self, answer):
        return self.options[answer]

    def _said(self, answer):
        return LETTERS[answer]

    def reveal(self, truth: str | int, because: str = "") -> Card:
        """The prediction laid over what happened: `truth`, one of the options, and `because`, a sentence on why.

        Nothing can be committed afterwards. Raises ValueError, naming the options, if `truth` is none of them.
        """
        measured = place(self.options, truth, "reveal()")
        because = checked_text(because, "because", empty=True)
        answer = self._reveal(measured)
        return choice_card(self.options, self._notes, answer, measured, because)

    def _lines(self):
        return [f"Predict. {self.spec['question']}", *(f"  {line}" for line in listed(self.options))]

    def _html(self):
        return f"<div>{paragraph('Predict', self.spec['question'])}{items(self.options)}</div>"
