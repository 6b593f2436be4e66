"""A fixture, and the trial of a program on it: what the program is given, and what it left behind."""

import math
import numbers
import reprlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from gradlab.exercises.attempt import attempt
from gradlab.exercises.fault import Fault


class Unfit(Exception):
    """Raised by a fixture's `read`: what the program returned is of the wrong kind. The text is told to the learner."""


@dataclass(frozen=True)
class Setup:
    """What a fixture builds afresh for each trial.

    - `arguments`: what the program is called with, by position
    - `seen`: whatever `read` looks at afterwards; a list that the program may edit is kept here as a copy, say
    """

    arguments: tuple
    seen: Any = None


@dataclass(frozen=True)
class Reading:
    """What `read` makes of a trial.

    - `result`: what is compared, by name: numbers, texts, tensors, or lists of tensors. Tensors are copies
    - `facts`: numbers for messages; not compared
    - `changed`: a sentence when the program edited what must stay as it was, otherwise empty
    """

    result: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    changed: str = ""


@dataclass(frozen=True)
class Trial:
    """What a program left behind on one fixture.

    - `result`, `facts`, `changed`: its `Reading`; `result` is `{"raised": "ValueError"}` where the fixture asks for an
      error and it came, and empty where there is no reading
    - `fault`: the error that ended it, None without; `unfit`: what is wrong with the kind of thing it returned
    - `ledger`: what happened to the gradients, where the fixture records it
    - `printed`, `warned`: what it printed (shortened) and the first warning
    """

    fixture: "Fixture"
    result: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    changed: str = ""
    fault: Fault | None = None
    unfit: str = ""
    ledger: Any = None
    printed: str = ""
    warned: str = ""


@dataclass(frozen=True, eq=False)
class Fixture:
    """One situation in which programs are tried.

    - `name`: a few words, "over the limit"; `words`: the same as a phrase with numbers, for messages
    - `build()`: a fresh `Setup`
    - `read(setup, returned)`: the `Reading`, or raises `Unfit`. It runs under the learner's time limit, since it may
      call methods of what the learner returned
    - `call(function, setup)`: what is called and what counts as returned; without it `function(*setup.arguments)`
    - `around(setup)`: a context manager around the call; what it yields is the trial's ledger
    - `raises`: the error that a right program raises here, None when it returns
    - `rtol`: how far a right number may be off, relative to the largest number of its tensor
    - `accepts(trial)`: whether a trial is right; without it a trial is right when its result is the right program's
    """

    name: str
    words: str
    build: Callable[[], Setup]
    read: Callable[[Setup, Any], Reading]
    call: Callable[[Callable, Setup], Any] = lambda function, setup: function(*setup.arguments)
    around: Callable[[Setup], AbstractContextManager] = lambda setup: nullcontext()
    raises: type[Exception] | None = None
    rtol: float = 1e-3
    accepts: Callable[[Trial], bool] | None = None

    def run(self, function: Callable, seconds: float = 60.0) -> Trial:
        """The trial of `function`, ended after `seconds`. Whatever `function` does, this does not raise."""
        setup = self.build()
        with self.around(setup) as ledger:
            tried = attempt(lambda: self.read(setup, self.call(function, setup)), seconds)
        told = {"ledger": ledger, "printed": tried.printed, "warned": tried.warned}
        if tried.fault is None:
            return Trial(self, tried.value.result, tried.value.facts, tried.value.changed, **told)
        if tried.fault.type is Unfit:
            return Trial(self, unfit=tried.fault.text, **told)
        if self.raises is not None and issubclass(tried.fault.type, self.raises):
            return Trial(self, {"raised": self.raises.__name__}, **told)
        return Trial(self, fault=tried.fault, **told)


def number(returned: Any, what: str = "your function") -> float:
    """The number a program returned, as a float: a number, or a tensor or array that holds exactly one.

    Raises `Unfit` for anything else, in words for the learner.
    """
    if returned is None:
        raise Unfit(f"{what} returned None; did you forget `return`?")
    shape = getattr(returned, "shape", None)
    if shape is not None:
        if math.prod(shape) != 1:
            raise Unfit(f"{what} returned a {type(returned).__name__} of shape {tuple(shape)}; one number is asked for")
        returned = returned.item()
    if isinstance(returned, bool) or not isinstance(returned, numbers.Real):
        raise Unfit(f"{what} returned {described(returned)}; a number is asked for")
    return float(returned)


def described(value: Any) -> str:
    """A value in a few words, whatever it is: `a str ('seven')`."""
    name = type(value).__name__
    try:
        shown = reprlib.repr(value)[:60]
    except Exception:
        return f"a {name}"
    return f"a {name}" if shown.startswith("<") else f"a {name} ({shown})"
