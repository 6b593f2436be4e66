"""recall(): a question about what was learned, with feedback at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from gradlab.pitfalls import get

from .asking import Asking
from .card import Card, feedback_card
from .options import checked_notes, checked_options, checked_text, place
from .prose import LETTERS, items, listed, paragraph, words

KEPT_TRIES = 100


def recall(question: str, options: Mapping[str, str], answer: str | int,
           pitfalls: Mapping[str, str] | None = None) -> Question:
    """A question with two to six options, that answers each of them at once, as often as one likes.

        recall("When does `clip_grad_norm_` do nothing?",
               {"when the norm is below max_norm": "Yes: the coefficient is cut at 1.",
                "under Adam": "It still scales the gradients."},
               answer="when the norm is below max_norm")

    - `options`: a mapping from each option to what is said when it is chosen
    - `answer`: the right option, by its text, its letter or its place from 0
    - `pitfalls`: the id of the pitfall that an option stands for; its name is shown when that option is chosen

    Errors: TypeError for an argument of the wrong kind, ValueError for options that make no question or an answer that
    is none of them, KeyError for a pitfall that is not in the catalogue.
    """
    return Question(question, options, answer, pitfalls)


class Question(Asking):
    """A question with feedback at once; `recall()` makes one."""

    def __init__(self, question, options, answer, pitfalls=None):
        question, self.options = checked_text(question, "the question"), checked_options(options)
        feedback = checked_notes(options, "options")
        self._feedback = [feedback[option] for option in self.options]
        self._answer = place(self.options, answer, "answer")
        self._pitfalls = _names(self.options, pitfalls or {})
        self._tries = deque(maxlen=KEPT_TRIES)
        super().__init__({"kind": "recall", "question": question, "options": list(self.options),
                          "feedback": self._feedback, "answer": self._answer, "pitfalls": self._pitfalls},
                         {"answer": None})

    def _take(self, answer):
        self.choose(answer)

    def choose(self, option: str | int) -> Card:
        """Choose an option by its text, its letter or its place, as a click does; returns the feedback."""
        chosen = place(self.options, option, "choose()")
        self._tries.append(self.options[chosen])
        self.state = {"answer": chosen}
        return feedback_card(chosen, self.options[chosen], chosen == self._answer, self._feedback[chosen],
                             self._pitfalls[chosen])

    @property
    def chosen(self) -> str | None:
        """The option chosen last, or None."""
        return self._tries[-1] if self._tries else None

    @property
    def tries(self) -> tuple[str, ...]:
        """The options chosen, oldest first, at most the last hundred."""
        return tuple(self._tries)

    @property
    def right(self) -> bool:
        """Whether the option chosen last is the answer."""
        return self.chosen == self.options[self._answer]

    def __repr__(self):
        return "\n".join([f"Recall. {self.spec['question']}", *(f"  {line}" for line in listed(self.options))])

    def _html(self):
        rows = []
        for at, option in enumerate(self.options):
            right = "✓ " if at == self._answer else ""
            named = f" <i>Pitfall: {words(self._pitfalls[at])}.</i>" if self._pitfalls[at] else ""
            rows.append(f"<p>{right}<b>{LETTERS[at]}</b>&ensp;{words(option)}<br>{words(self._feedback[at])}{named}</p>")
        return (f"<div>{paragraph('Recall', self.spec['question'])}{items(self.options)}"
                f"<details><summary>Answer: show it</summary>{''.join(rows)}</details></div>")


def _names(options, ids):
    """For each option the name of its pitfall, or an empty text."""
    if not isinstance(ids, Mapping):
        raise TypeError(f"pitfalls must be a mapping from options to ids, got {ids!r:.60}")
    names = [""] * len(options)
    for option, id in ids.items():
        names[place(options, option, "pitfalls")] = get(id).name
    return names
