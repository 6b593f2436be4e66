"""What the sliders write and the training loop reads."""

from __future__ import annotations

import threading


class Ended(Exception):
    """Raised in a training loop that reads the controls of a run that has been stopped."""


class Controls:
    """The live settings of a run: written at any moment by any thread, read once before each update.

    `train(recipe, controls)` calls `read()` at the start of every update, so that a whole update is made with
    one consistent set of values, and a slider moved during update n acts on update n + 1.

    `used` is what was read last, `steered` the fields that changed between two reads: what the run was made with,
    which is not what the sliders show once somebody has moved them after its end.
    """

    def __init__(self, **values):
        self._values = values
        self._lock = threading.Lock()
        self._version = 0
        self.used, self.steered = dict(values), set()
        self._read = self._ended = False
        self.seen = 0  # the version that the loop read last; the worker sends a frame early when it moves

    def set(self, **changes):
        """Replace some values; they act from the next update on."""
        with self._lock:
            self._values.update(changes)
            self._version += 1

    def read(self):
        """The values now, as a new dict of field to value. Errors: Ended after `end`."""
        with self._lock:
            if self._ended:
                raise Ended
            if self._read:
                self.steered |= {field for field, value in self._values.items() if value != self.used.get(field)}
            self._read, self.seen, self.used = True, self._version, dict(self._values)
            return dict(self._values)

    def end(self):
        """Let no further update begin, not even the first of a model that is being built now."""
        with self._lock:
            self._ended = True
