"""Where in the kernel's source something happens."""

import linecache
import re
import sys
from pathlib import Path
from types import FrameType

_HERE = str(Path(__file__).parent)
ASSIGNED = re.compile(r"\s*(\w+)\s*=[^=]")

Place = tuple[str, int]  # a file and a line


def caller() -> FrameType:
    """The innermost frame that is not of this package: the kernel's, or of a function that it calls."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    return frame


def place() -> Place:
    frame = caller()
    return frame.f_code.co_filename, frame.f_lineno


def text(where: Place) -> str:
    """The line itself; where it cannot be had, its number."""
    return linecache.getline(*where).strip() or f"line {where[1]}"


def assigned(frame: FrameType) -> str:
    """The name that a frame's line gives to what it makes; empty where it gives none."""
    found = ASSIGNED.match(linecache.getline(frame.f_code.co_filename, frame.f_lineno))
    return found[1] if found else ""


def without_ours(error: BaseException) -> BaseException:
    """The error with a traceback that ends in the kernel, not in here."""
    last, trace = None, error.__traceback__
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_HERE):
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None
    return error
