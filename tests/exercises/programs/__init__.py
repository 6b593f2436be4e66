"""Answers to the exercises, right and wrong, as learners write them; for the kill matrix.

    @wrong("clip-by-global-norm", "wrong-norm", "l1")
    def sum_of_sizes(grads, max_norm): ...

One module an exercise. They are written independently of the programs in `gradlab.exercises`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from gradlab import exercises
from gradlab.exercises import Verdict


@dataclass(frozen=True)
class Program:
    """An answer to an exercise: right, wrong in a way that has an id, or wrong in a way that only `says` tells."""

    exercise: str
    function: Callable
    pitfall: str | None = None
    variant: str = ""
    says: str = ""

    @property
    def name(self) -> str:
        return self.function.__name__


RIGHT: list[Program] = []
WRONG: list[Program] = []
UNNAMED: list[Program] = []


def right(exercise: str):
    """Register a right answer."""
    return lambda function: RIGHT.append(Program(exercise, function)) or function


def wrong(exercise: str, pitfall: str, variant: str = ""):
    """Register a wrong answer that `check` must name."""
    return lambda function: WRONG.append(Program(exercise, function, pitfall, variant)) or function


def unnamed(exercise: str, says: str):
    """Register a wrong answer without an id in the catalogue; the message must contain `says`."""
    return lambda function: UNNAMED.append(Program(exercise, function, says=says)) or function


@cache
def verdict(program: Program) -> Verdict:
    """What `check` says of an answer."""
    return exercises.get(program.exercise).check(program.function)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
