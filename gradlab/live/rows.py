"""Steps as bytes: what travels from the kernel to the page."""

from __future__ import annotations

import numpy as np

# The order of a row's numbers; page/data.js holds the same list.
COLUMNS = ("step", "loss", "lr", "max_norm", "norm_before", "norm_after", "clipped", "update_ratio")


def pack(steps):
    """Little-endian float32 bytes of shape (len(steps), len(COLUMNS)), row by row.

    Numbers beyond float32 become inf, as the page would draw them in any case.
    """
    table = [[getattr(step, name) for name in COLUMNS] for step in steps]
    return _bytes(np.array(table, dtype=np.float64).reshape(len(table), len(COLUMNS)))


def pack_history(history):
    """The same bytes for a History, whose columns are arrays already."""
    columns = [np.asarray(getattr(history, name), dtype=np.float64) for name in COLUMNS]
    return _bytes(np.stack(columns, axis=1) if columns[0].size else np.empty((0, len(COLUMNS))))


def unpack(data):
    """The array of shape (steps, len(COLUMNS)) that `pack` was given, in float32."""
    return np.frombuffer(data, dtype="<f4").reshape(-1, len(COLUMNS))


def _bytes(table):
    with np.errstate(over="ignore"):
        return table.astype("<f4").tobytes()
