"""Mistakes that an exercise knows: by the results of wrong programs, or by rules."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gradlab import pitfalls
from gradlab.exercises.trial import Trial
from gradlab.pitfalls.pitfall import written


@dataclass(frozen=True)
class Diagnosis:
    """What is told of a mistake: the pitfall's `id` and `variant` (None and "" without one), a message, a thing to try.

    An empty `experiment` stands for the pitfall's own.
    """

    id: str | None
    message: str
    experiment: str = ""
    variant: str = ""


# A rule looks at the learner's trial and the right program's on one fixture.
Rule = Callable[[Trial, Trial], Diagnosis | None]


@dataclass(frozen=True)
class Wrong:
    """A wrong program that is known: whoever leaves behind what it leaves behind has made its mistake.

    - `id`: the pitfall, None where the catalogue has none
    - `variant`: which of the pitfall's messages says it
    - `program`: has the exercise's signature; it may raise what a learner's would
    - `evidence(mine, right)`: what the message quotes, from the learner's trial and the right program's on a fixture on
      which the learner's is wrong; fields that it does not quote do no harm
    - `message`, `experiment`: used instead of the pitfall's; needed without one
    """

    id: str | None
    variant: str
    program: Callable
    evidence: Callable[[Trial, Trial], Mapping[str, Any]] = lambda mine, right: {}
    message: str = ""
    experiment: str = ""

    def diagnosis(self, mine: Trial, right: Trial) -> Diagnosis:
        """What is told of it, with the learner's numbers."""
        fields = self.evidence(mine, right)
        if self.message:
            text = self.message.format_map({name: written(value) for name, value in fields.items()})
            return Diagnosis(self.id, text, self.experiment, self.variant)
        return say(self.id, self.variant, **fields)


def say(id: str, variant: str = "", **fields) -> Diagnosis:
    """The diagnosis in the catalogue's words; of `fields` those are taken that the message quotes.

    Errors: KeyError for an unknown pitfall, ValueError for an unknown variant, TypeError for a missing field.
    """
    pitfall = pitfalls.get(id)
    quoted = {name: fields[name] for name in pitfall.evidence(variant) if name in fields}
    return Diagnosis(id, pitfall.say(variant, **quoted), variant=variant)
