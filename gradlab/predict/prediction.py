"""Prediction: an answer that is given before the truth is known, and not changed afterwards."""

from __future__ import annotations

from . import kept
from .asking import Asking


class Prediction(Asking):
    """A question with at most one committed answer; `predict()` makes one.

    Every method may be called from any thread. Widgets with the same question share their prediction.
    """

    def __init__(self, spec):
        self._kept = kept.ask(spec)
        with kept.LOCK:
            super().__init__(spec, self._kept.state())
            self._kept.widgets.add(self)

    # What a kind of prediction adds: reading an answer into JSON, and JSON into what the caller gets or reads.

    def _read(self, answer):
        raise NotImplementedError

    def _value(self, answer):
        return answer

    def _said(self, answer):
        raise NotImplementedError

    def _take(self, answer):
        self.commit(answer)

    @property
    def answer(self):
        """What was committed, or None."""
        return None if self._kept.answer is None else self._value(self._kept.answer)

    def commit(self, answer) -> None:
        """Commit an answer, as the button does. The same answer once more changes nothing.

        Raises ValueError if it is no answer to this question, if another one is committed, or if what happened has
        been shown already.
        """
        answer = self._read(answer)
        with kept.LOCK:
            now = self._kept
            if now.answer == answer:
                return
            if now.answer is not None:
                raise ValueError(f"{self._said(now.answer)} is committed already and stays, so {self._said(answer)} "
                                 "was not taken. To begin anew call forget() of this prediction")
            if now.revealed:
                raise ValueError(f"what happened has been shown already, so {self._said(answer)} was not taken. "
                                 "To be asked anew run the cell with the question again")
            now.change(answer=answer)

    def forget(self) -> None:
        """Take the answer and the reveal back, and ask anew."""
        self._kept.change(answer=None, revealed=False, truth=None)

    def _reveal(self, truth=None):
        """From now on nothing is taken; what was committed until now, or None."""
        with kept.LOCK:
            self._kept.change(revealed=True, truth=truth)
            return self._kept.answer

    # Stored form: nobody has answered there, so the text is constant.

    def _lines(self):
        """The question, one line each."""
        raise NotImplementedError

    def __repr__(self):
        answer = self._kept.answer
        return "\n".join([*self._lines(), *([] if answer is None else [f"Committed: {self._said(answer)}."])])
