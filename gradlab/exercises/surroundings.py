"""What lies around a call that is tried: the screen, the keyboard, warnings, and torch's settings."""

import builtins
import io
import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack

import torch

SHOWN = 2000  # characters of what a call prints that are kept

_ONE_AT_A_TIME = threading.Lock()  # the screen and the settings belong to the whole process
_present: list["Surroundings"] = []


class Surroundings:
    """A context in which one thread writes to a page of its own, reads nothing, and changes torch's settings in vain.

    `inside()` is the number of that thread, None while it has none. Other threads write and read as before, and so
    does this one when the context has ended. `printed` and `warned` say what came of it.

    Errors: RuntimeError when the thread itself enters another one.
    """

    def __init__(self, inside: Callable[[], int | None]):
        self._inside, self._page, self._warnings = inside, _Page(), []

    @property
    def printed(self) -> str:
        """What the thread wrote, to either stream; its beginning and a count of the rest if that was long."""
        return str(self._page)

    @property
    def warned(self) -> str:
        """The thread's first warning, as `UserWarning: its text`; empty without one."""
        return self._warnings[0] if self._warnings else ""

    def __enter__(self):
        if any(around._mine() for around in _present):
            raise RuntimeError("an exercise cannot be checked by the function that is being checked")
        with ExitStack() as undo:  # so that an interrupt in between leaves nothing half done
            undo.enter_context(_ONE_AT_A_TIME)
            undo.callback(_settings())
            undo.enter_context(warnings.catch_warnings())
            undo.callback(self._give_back, sys.stdout, sys.stderr, sys.stdin, builtins.input)
            undo.callback(_present.remove, self)
            _present.append(self)
            self._show, self._read = warnings.showwarning, builtins.input
            warnings.simplefilter("always")
            warnings.showwarning, builtins.input = self._warn, self._input
            sys.stdout, sys.stderr = (_ByThread(self._mine, self._page, stream) for stream in (sys.stdout, sys.stderr))
            sys.stdin = _ByThread(self._mine, io.StringIO(), sys.stdin)
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error):
        self._undo.close()

    def _give_back(self, *streams):
        sys.stdout, sys.stderr, sys.stdin, builtins.input = streams

    def _mine(self) -> bool:
        return threading.get_ident() == self._inside()

    def _warn(self, message, category, *place, **more):
        if self._mine():
            self._warnings.append(f"{category.__name__}: {str(message)[:300]}")
        else:
            self._show(message, category, *place, **more)

    def _input(self, *prompt):
        if self._mine():
            raise EOFError("input() gets nothing while an exercise is checked")
        return self._read(*prompt)


class _Page(io.TextIOBase):
    """A text stream that keeps the beginning and counts the rest, and that nobody can close."""

    def __init__(self):
        self._kept, self._room, self._beyond = [], SHOWN, 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        kept = text[:self._room]
        if kept:
            self._kept.append(kept)
        self._room -= len(kept)
        self._beyond += len(text) - len(kept)
        return len(text)

    def close(self):
        pass

    def __str__(self) -> str:
        rest = f"… ({self._beyond:,} more characters)" if self._beyond else ""
        return "".join(self._kept) + rest


class _ByThread:
    """A stream that is one thing inside and another for all other threads."""

    def __init__(self, mine: Callable[[], bool], inside, outside):
        self._mine, self._streams = mine, (_Page() if outside is None else outside, inside)

    def __getattr__(self, name: str):
        return getattr(self._streams[self._mine()], name)

    def __iter__(self):
        return iter(self._streams[self._mine()])


_SETTINGS = (  # how each is read, and how it is set
    (os.getcwd, os.chdir),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_default_dtype, torch.set_default_dtype),
    (lambda: torch.get_default_device().type, lambda kind: torch.set_default_device(None if kind == "cpu" else kind)),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
     lambda chosen: torch.use_deterministic_algorithms(chosen[0], warn_only=chosen[1])),
)


def _settings() -> Callable[[], None]:
    """What puts torch's settings and random numbers back as they are now."""
    before = [read() for read, _ in _SETTINGS]
    threads, random, nesting = torch.get_num_threads(), torch.get_rng_state(), _autocast_nesting()
    on_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None

    def put_back():
        for (read, write), value in zip(_SETTINGS, before, strict=True):
            if read() != value:  # setting some of them takes seconds, the first time
                write(value)
        # One that was entered and never left: torch would keep the weights' 16-bit copies, and train with old ones.
        while _autocast_nesting() > nesting:
            torch.autocast_decrement_nesting()
            torch.clear_autocast_cache()
        torch.set_num_threads(threads)  # always, for it is known of this thread alone
        torch.set_rng_state(random)
        if on_cuda is not None:
            torch.cuda.set_rng_state_all(on_cuda)

    return put_back


def _autocast_nesting() -> int:
    """How many autocast regions this thread is in."""
    deeper = torch.autocast_increment_nesting()
    torch.autocast_decrement_nesting()
    return deeper - 1
