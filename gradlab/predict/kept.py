"""What has been committed, kept by question for as long as the kernel lives."""

from __future__ import annotations

import json
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping

LIMIT = 500  # questions; beyond it the one that was asked longest ago is forgotten

LOCK = threading.RLock()  # a click comes on another thread than a cell
_kept: OrderedDict[str, Kept] = OrderedDict()


class Kept:
    """One question's prediction, shared by every widget that asks it.

    - `answer`: None until it is committed, then for good
    - `revealed`: what happened has been shown, so nothing counts as a prediction any more
    - `truth`: what happened, in the form in which the page tells it
    """

    def __init__(self):
        self.answer, self.revealed, self.truth = None, False, None
        self.widgets = weakref.WeakSet()

    def state(self) -> dict:
        """What the page shows, as JSON."""
        return {"answer": self.answer, "revealed": self.revealed, "truth": self.truth}

    def change(self, **values) -> None:
        """Set some of the three, and tell every widget."""
        with LOCK:
            vars(self).update(values)
            for widget in list(self.widgets):
                widget.state = self.state()


def ask(spec: Mapping) -> Kept:
    """What is kept under a question's spec, or something new.

    A question without an answer, whose truth was shown already, is asked anew: there is nothing to keep.
    """
    key = json.dumps(spec, sort_keys=True)
    with LOCK:
        kept = _kept.setdefault(key, Kept())
        _kept.move_to_end(key)
        while len(_kept) > LIMIT:
            _kept.popitem(last=False)
        if kept.answer is None and kept.revealed:
            kept.change(revealed=False, truth=None)
        return kept
