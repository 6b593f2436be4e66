"""One CUDA thread, which can be given up where it waits and begun again."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .source import Place


class Pause(BaseException):
    """Raised inside a kernel to leave it where it waits; not an Exception, so that nothing in a kernel catches it."""


class Wait(NamedTuple):
    """What a lane waits for: "barrier" for its block, "warp" for the lanes of `mask`; it brings `value` with it."""

    kind: str
    value: Any
    mask: int
    place: Place


@dataclass(eq=False)
class Lane:
    """A thread of a block.

    `log` holds what each of its accesses gave it. Begun again, it takes those from the log, in order, and does
    nothing a second time, until the log is used up: there it goes on.
    """

    thread: int
    log: list = field(default_factory=list)
    at: int = 0
    done: bool = False
    waits: Wait | None = None
    serial: int = 0  # of its accesses
    steps: int = 0  # since the last barrier

    @property
    def warp(self) -> int:
        return self.thread // 32

    def go_on(self, found: Any) -> None:
        """End its waiting; `found` is what the meeting gives it."""
        self.log.append(found)
        self.waits = None
