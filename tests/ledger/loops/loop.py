"""Loop: a program under `ledger.record`, with what may be said about it; and the two lists of them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Legitimate:
    """A loop of which no error or warning may be told: `number` in the catalogue's list, and the `infos` allowed."""

    number: int
    name: str
    program: Callable
    infos: frozenset[str]

    def __str__(self):
        return f"{self.number:02d} {self.name}"


@dataclass(frozen=True)
class Wrong:
    """A loop with one mistake: its id and `variant`, and a program that returns the ledger and a number of its own.

    The number is one that the learner could have printed (a norm, a count, a scale); the message must quote it.
    """

    pitfall: str
    variant: str
    name: str
    program: Callable

    def run(self):
        """The ledger and the number. torch itself warns of some of these mistakes, which is not the point here."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.program()

    def __str__(self):
        return f"{self.pitfall}: {self.name}"


LEGITIMATE: list[Legitimate] = []
WRONG: list[Wrong] = []


def legitimate(number: int, name: str, *infos: str):
    """Put a program, which returns its ledger, into the list of legitimate loops."""
    def into_the_list(program):
        LEGITIMATE.append(Legitimate(number, name, program, frozenset(infos)))
        return program
    return into_the_list


def wrong(pitfall: str, name: str, variant: str = ""):
    """Put a program, which returns its ledger and one number, into the list of wrong loops."""
    def into_the_list(program):
        WRONG.append(Wrong(pitfall, variant, name, program))
        return program
    return into_the_list
