"""What ended a learner's function: the error in its own words, and the line of their code it came from."""

import dis
import linecache
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

import gradlab

LONGEST = 300  # characters of an error's text that are shown


@dataclass(frozen=True)
class Fault:
    """An error without its traceback, so that it keeps nothing alive.

    - `type`: its class; `text`: what it says, shortened
    - `line`, `source`: where in the learner's own code it passed last, from 1; None and empty where it never did
    - `raised`: whether that line is a `raise` statement of theirs
    """

    type: type[BaseException]
    text: str = ""
    line: int | None = None
    source: str = ""
    raised: bool = False

    @property
    def kind(self) -> str:
        """The name of its class."""
        return self.type.__name__

    @property
    def unfinished(self) -> bool:
        """Whether it is the learner's own `raise NotImplementedError`; torch raises that one, too."""
        return issubclass(self.type, NotImplementedError) and self.raised

    def __str__(self) -> str:
        said = f"{self.kind}: {self.text}" if self.text else self.kind
        return said if self.line is None else f"{said}, on line {self.line}: {self.source}".rstrip(": ")


def fault(error: BaseException) -> Fault:
    """The `Fault` of an error that was caught."""
    try:
        text = str(error)
    except Exception:  # of the learner's own __str__
        text = ""
    text = text if len(text) <= LONGEST else text[:LONGEST] + "…"
    trace = innermost(error.__traceback__)
    if trace is None:
        return Fault(type(error), text)
    raised = trace.tb_next is None and dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
    return Fault(type(error), text, *_place(trace.tb_frame, trace.tb_lineno), raised)


def whereabouts(thread: int) -> tuple[int | None, str]:
    """The line of the learner's own code that a thread is at, and its source; None and "" if it is at none."""
    frame = sys._current_frames().get(thread)
    while frame is not None and not own(frame.f_code.co_filename):
        frame = frame.f_back
    return (None, "") if frame is None else _place(frame, frame.f_lineno)


def _place(frame: FrameType, line: int | None) -> tuple[int, str]:
    line = line or frame.f_code.co_firstlineno  # where a `with` block ends, Python knows no line
    return line, linecache.getline(frame.f_code.co_filename, line, frame.f_globals).strip()[:LONGEST]


def innermost(trace: TracebackType | None) -> TracebackType | None:
    """The last entry of a traceback that lies in the learner's own code, None if there is none."""
    last = None
    while trace is not None:
        if own(trace.tb_frame.f_code.co_filename):
            last = trace
        trace = trace.tb_next
    return last


# The kernels' folder lies beside gradlab's where they are installed, and in a checkout in `kernels`.
_HERE = Path(gradlab.__file__).parent
_OURS = (str(folder / "_")[:-1] for folder in (_HERE, _HERE.parent / "kernels" / "gradlab_kernels"))
_NOT_THEIRS = tuple({*_OURS, *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))})


def own(file: str) -> bool:
    """Whether `file` is the learner's: neither Python's, nor an installed package's, nor gradlab's."""
    return not file.startswith((*_NOT_THEIRS, "<frozen", "<string>"))
