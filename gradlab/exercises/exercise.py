"""An exercise: its task, the situations it is tried in, and the mistakes it knows."""

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from gradlab.exercises.card import exercise_card
from gradlab.exercises.judge import judge
from gradlab.exercises.mistakes import Rule, Wrong
from gradlab.exercises.note import Note
from gradlab.exercises.trial import Fixture, Trial
from gradlab.exercises.verdict import Verdict
from gradlab.norms import prepare


@dataclass(eq=False)
class Exercise:
    """A few lines to write, and the check that names what went wrong with them.

    - `name`, `title`; `minutes` it takes; `difficulty` from 1 to 5; `lab` in which it stands ("01_clipping")
    - `task`: what to write, in Markdown; `signature`: its first line
    - `right`: a right program, `wrong`: the known wrong ones, in the order in which they are looked for
    - `fixtures`: the situations, in the order in which they are tried; the learner's mistake is told on the first that
      shows it
    - `structure`: rules asked before results are compared (on sets and order of events); `symptoms`: rules asked after.
      They are asked only on fixtures on which the learner's trial is wrong
    - `known`: the ids that the rules may give
    - `hints`: two, the first one gentler
    - `unexplained(mine, right)`: the message for a wrong result that nothing explains; without it the results are told
    """

    name: str
    title: str
    minutes: int
    difficulty: int
    lab: str
    task: str
    signature: str
    right: Callable = field(repr=False)
    wrong: Sequence[Wrong] = field(repr=False)
    fixtures: Sequence[Fixture] = field(repr=False)
    hints: tuple[str, str] = field(repr=False)
    structure: Sequence[Rule] = field(default=(), repr=False)
    symptoms: Sequence[Rule] = field(default=(), repr=False)
    known: tuple[str, ...] = field(default=(), repr=False)
    unexplained: Callable[[Trial, Trial], str] | None = field(default=None, repr=False)
    checked: int = field(default=0, init=False, repr=False)
    _hinted: bool = field(default=False, init=False, repr=False)

    @property
    def pitfalls(self) -> tuple[str, ...]:
        """The ids of the mistakes it can name."""
        return tuple(dict.fromkeys([*self.known, *(wrong.id for wrong in self.wrong if wrong.id is not None)]))

    @cached_property
    def right_trials(self) -> list[Trial]:
        """The trials of the right program, made once."""
        return [fixture.run(self.right) for fixture in self.fixtures]

    @cached_property
    def wrong_trials(self) -> list[tuple[Wrong, list[Trial]]]:
        """The trials of the known wrong programs, made once."""
        return [(wrong, [fixture.run(wrong.program) for fixture in self.fixtures]) for wrong in self.wrong]

    def check(self, function: Callable, *, seconds: float = 10.0) -> Verdict:
        """Try `function` on all fixtures, for at most `seconds` in all, and say what came of it.

        Nothing that `function` does makes this raise.
        """
        self.checked += 1
        prepare()  # what a clip of gradlab's inside `function` may have to compile is not on the learner's time
        with torch.random.fork_rng(devices=[]):  # building a model draws random numbers, and they are the caller's
            return judge(self, function, seconds)

    def hint(self, number: int) -> Note:
        """Hint 1 or 2.

        Errors: ValueError for any other number.
        """
        if number not in (1, 2):
            raise ValueError(f"{self.name} has the hints 1 and 2, got {number!r}")
        self._hinted = self._hinted or number == 2
        return Note(f"**Hint {number} of 2.** {self.hints[number - 1]}")

    def solution(self) -> Note:
        """The source of a right program, once hint 2 was asked for."""
        if not self._hinted:
            checks = f"{self.checked} attempt{'' if self.checked == 1 else 's'} checked so far"
            return Note(f"The solution is shown after `hint(2)`; {checks}.")
        return Note(f"```python\n{textwrap.dedent(inspect.getsource(self.right)).rstrip()}\n```")

    def __str__(self) -> str:
        return f"Exercise: {self.title} ({self.minutes} minutes, difficulty {self.difficulty} of 5)"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": str(self), "text/markdown": exercise_card(self)}
