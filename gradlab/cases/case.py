"""Case: a bug that really happened, in the order in which somebody finds it: trace, diagnosis, code, verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gradlab import pitfalls
from gradlab.cases import log, pages, picture
from gradlab.cases.log import Log, Loop
from gradlab.cases.suspects import suspect
from gradlab.ledger import Finding, Ledger
from gradlab.plot import Picture
from gradlab.predict import predict
from gradlab.predict.choice import Choice
from gradlab.recipe import Recipe


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """A bug that really happened, rebuilt in a few lines around the lab's model and really run.

    Shown in a notebook, it is the brief. Nothing trains before it is asked to, and nothing trains twice.
    """

    name: str
    """Kebab-case."""
    title: str
    """For people."""
    brief: str
    """What is known at the beginning, in two or three sentences; no diagnosis."""
    question: str
    """What `diagnose` asks."""
    suspects: tuple[str, ...]
    """Ids of the pitfalls that `diagnose` offers; one of them is `pitfall`."""
    pitfall: str
    """The id of what it was."""
    program: Loop
    """The loop with the bug; what `loop` shows is what ran."""
    mended: Loop
    """The same loop without it."""
    shows: str
    """What the bug does in this loop, in words; tested."""
    report: str
    """What happened in the threads, as they tell it."""
    threads: tuple[str, ...]
    """`"owner/repo#123"`, the one that the case is built after first."""
    recipe: Recipe
    """Model, data and number of updates. Its seed is that of the ledger; the runs have `seeds`."""
    arms: Mapping[str, Mapping] = field(default_factory=lambda: {"the loop": {}})
    """What `trace` draws: options of the loop by the name of the curve; the last is the loop as it was."""
    columns: tuple[str, ...] = ("loss", "norm")
    """Columns of the log that are drawn."""
    seeds: tuple[int, ...] = (0, 1, 2)
    recorded: range = range(3)
    """The updates in the ledger."""
    look: Mapping[str, float] = field(default_factory=dict)
    """Further words for `picture.draw`: `top`, `threshold`."""
    _runs: dict = field(default_factory=dict, init=False)

    def histories(self, mended: bool = False, **options) -> list[Log]:
        """What the loop logged, a `Log` for each of `seeds`; of the mended loop with `mended=True`.

        `options` go to the loop, as in `histories(max_norm=0.1)`. Runs are kept and not made again.
        """
        key = (mended, *sorted(options.items()))
        if key not in self._runs:
            loop = self.mended if mended else self.program
            self._runs[key] = [log.run(loop, self.recipe.replace(seed=seed), **options) for seed in self.seeds]
        return self._runs[key]

    def trace(self) -> Picture:
        """What the loop did when it ran: a chart for each of `columns`, a line a seed."""
        arms = {label: self.histories(**options) for label, options in self.arms.items()}
        return picture.draw(arms, self.columns, f"the trace of {self.title!r}", **self.look)

    def mended_trace(self) -> Picture:
        """The loop as it was and mended, in the charts of `trace`, with what its ledger says."""
        arms = {"mended": self.histories(mended=True), "as it was": self.histories()}
        return picture.draw(arms, self.columns, f"{self.title!r} before and after it was mended",
                            caption=self.finding.message if self.finding else "", **self.look)

    def diagnose(self, choice: str | int | None = None) -> Choice:
        """A question with the suspects as options, to be answered from the trace.

        `choice` commits an answer: a pitfall's id or name, or an option's letter or place.
        """
        options = [suspect(id) for id in self.suspects]
        asked = predict(self.question, options)
        if choice is not None:
            names = {name: option for id, option in zip(self.suspects, options, strict=True)
                     for name in (id, pitfalls.get(id).name)}
            asked.commit(names.get(choice, choice))
        return asked

    def loop(self) -> pages.Page:
        """The code of the loop that ran, with the line numbers that the ledger uses."""
        return pages.listing(self.program)

    def ledger(self, mended: bool = False) -> Ledger:
        """What some updates of the loop did to the gradients, a `Ledger`; recorded anew each time."""
        return log.record(self.mended if mended else self.program, self.recipe, self.recorded)

    @cached_property
    def finding(self) -> Finding | None:
        """The most important `Finding` of the ledger, even if it is only worth knowing; None if there is none."""
        return next(iter(self.ledger().findings("info")), None)

    def verdict(self) -> pages.Pages:
        """What it was: diagnosis against truth, what it does, what cured it, where it happened; then `mended_trace`."""
        return pages.Pages([pages.verdict(self, self.diagnose()), self.mended_trace()])

    @property
    def links(self) -> tuple[str, ...]:
        """The addresses of `threads`."""
        return tuple(f"https://github.com/{thread.replace('#', '/issues/')}" for thread in self.threads)

    def __repr__(self) -> str:
        return repr(pages.brief(self))

    def _repr_mimebundle_(self, include=None, exclude=None):
        return pages.brief(self)._repr_mimebundle_()
