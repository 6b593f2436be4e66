"""Which line of the caller's code led here."""

import os
import sys
from types import FrameType

import torch

from gradlab.ledger.events import Where

_LEDGER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Functions and lines of these are never the caller's; all else is, gradlab's own training loop too.
_INSIDE = (os.path.dirname(os.path.abspath(torch.__file__)) + os.sep, _LEDGER + os.sep,
           os.path.join(os.path.dirname(_LEDGER), "clip.py"))
_known: dict[str, bool] = {}

NOWHERE = Where("", 0, "")


def take_in(folder: str) -> None:
    """Functions and lines of the files in this folder are not the caller's either."""
    global _INSIDE
    inside = os.path.abspath(folder) + os.sep
    if inside not in _INSIDE:
        _INSIDE += (inside,)
        _known.clear()


def is_inside(file: str) -> bool:
    """Whether a source file belongs to torch, the ledger, gradlab's clipping rules or the kernels."""
    known = _known.get(file)
    if known is None:
        known = _known[file] = os.path.abspath(file).startswith(_INSIDE)
    return known


def calling_frame() -> FrameType:
    """The frame that called the function being observed, which may be torch's own."""
    return sys._getframe(4)  # after this, `before`, `guarded` and the stand-in: see `patches`


def caller(inside: int = 0) -> Where:
    """The innermost place on this thread's stack that lies outside torch and outside the ledger.

    `inside`: so many calls below are known to be the ledger's own.
    """
    frame = sys._getframe(1 + inside)
    while frame is not None:
        file = frame.f_code.co_filename
        if not (_known[file] if file in _known else is_inside(file)):
            break
        frame = frame.f_back
    return NOWHERE if frame is None else Where(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
