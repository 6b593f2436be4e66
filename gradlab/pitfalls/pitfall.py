"""Pitfall: one mistake that training loops make, with the belief behind it and the words that name it.

Condition and wording are kept apart: whoever finds the mistake gathers numbers, `say` puts them into a sentence.

    pitfalls.get("clip-after-step").say(line_clip=12, line_step=11, norm=13.0, max_norm=2.0)
"""

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

CHANNELS = ("value", "order", "trace", "set")
LEVELS = ("error", "warn", "info")
FIGURES = "measured with torch 2.13 on a CPU, on small models and with one seed, unless said otherwise"


@dataclass(frozen=True, eq=False, repr=False)
class Pitfall:
    """A mistake in a training loop, as exercises, findings on a recorded loop and the labs all name it.

    A template in `messages` holds its evidence as `{norm}`; `{n:tensor|tensors}` is the word that fits the number.
    `FIGURES` says what the figures in `happens` were measured on.
    """

    id: str
    """Kebab-case and permanent: ids are added or retired, never renamed."""
    name: str
    """For people: `"Clipping after the step"`."""
    section: str
    """`"order"`, `"accumulation"`, `"mixed precision"`, `"clipping"`, `"limit"`, `"schedules and sets"`,
    `"depth"` or `"kernels"`."""
    belief: str
    """The misconception, in one sentence."""
    happens: str
    """What really happens, with figures."""
    told_by: tuple[str, ...]
    """What shows it: the `"value"` of a result beside the right one, the `"order"` of events, the `"trace"` of a
    run, the `"set"` of parameters touched."""
    told_apart: str
    """How it is told from its neighbours, and where a check must stay silent."""
    messages: Mapping[str, str]
    """A template for each variant; `""` is the usual one."""
    experiment: str
    """One thing to try and look at; never the fix."""
    threads: tuple[str, ...]
    """Where it was seen: `"owner/repo#123"`."""
    lab: str
    """The lab that teaches it: `"01_clipping"`."""
    level: str | None
    """How a finding on a recorded loop weighs: `"error"`, `"warn"`, `"info"`; None where only exercises name it."""

    def __post_init__(self):
        object.__setattr__(self, "messages", MappingProxyType(dict(self.messages)))

    @property
    def variants(self) -> tuple[str, ...]:
        """The ways the mistake is made or shows itself, `""` first."""
        return tuple(self.messages)

    @property
    def links(self) -> tuple[str, ...]:
        """The addresses of the threads; GitHub forwards those of pull requests."""
        return tuple(f"https://github.com/{thread.replace('#', '/issues/')}" for thread in self.threads)

    def evidence(self, variant: str = "") -> tuple[str, ...]:
        """The names of what a variant's template quotes, in the order of their first use.

        Errors: ValueError for a variant that is not one of `variants`.
        """
        if variant not in self.messages:
            raise ValueError(f"{self.id} has no variant {variant!r}; it has {', '.join(map(repr, self.variants))}")
        parts = string.Formatter().parse(self.messages[variant])
        return tuple(dict.fromkeys(name for _, name, _, _ in parts if name))

    def say(self, variant: str = "", **evidence) -> str:
        """The message, with the evidence in its place.

        Numbers, which may be tensors, are written to four significant digits, large and whole ones in full. Sequences
        are joined by commas, True and False read "on" and "off", text stays as it is.

        Errors: ValueError for an unknown variant, TypeError for evidence that is missing, unknown or cannot be written.
        """
        wanted = self.evidence(variant)
        missing = [name for name in wanted if name not in evidence]
        unknown = [name for name in evidence if name not in wanted]
        label = f"{self.id}, variant {variant!r}" if variant else self.id
        if missing or unknown:
            raise TypeError(f"{label}: the message quotes {', '.join(wanted)}"
                            + f"; missing: {', '.join(missing)}" * bool(missing)
                            + f"; not in it: {', '.join(unknown)}" * bool(unknown))
        try:
            return self.messages[variant].format_map({name: _Quoted(evidence[name]) for name in wanted})
        except TypeError as error:
            shown = ", ".join(f"{name}={evidence[name]!r:.40}" for name in wanted)
            raise TypeError(f"{label}: {error}, got {shown}") from None

    def __repr__(self) -> str:
        return f"Pitfall({self.id!r})"

    def _repr_mimebundle_(self, include=None, exclude=None):
        seen = " · ".join(f"[{thread}]({link})" for thread, link in zip(self.threads, self.links, strict=True))
        lines = (f"**{self.name}** (`{self.id}`)", f"*The belief:* {self.belief}",
                 f"*What happens:* {self.happens} (Figures {FIGURES}.)", f"*Seen in:* {seen}")
        return {"text/markdown": "\n\n".join(lines), "text/plain": f"{self.name} ({self.id})"}


class _Quoted:
    """A piece of evidence inside a template: `{n}` writes it, `{n:tensor|tensors}` picks the word for the number."""

    def __init__(self, value):
        self.value = value

    def __format__(self, words: str) -> str:
        if not words:
            return written(self.value)
        one, many = words.split("|")
        return one if self.value == 1 else many


def written(value) -> str:
    """A value as a sentence quotes it: 0.30000001 as "0.3", 7.41619 as "7.416", 60753.4 as "60,753", inf as "inf".

    From 1000 on a size has whole thousands with commas, as in the drawing of a step, so that one number reads the same
    on a card and in a drawing. Whole numbers count things, lines and steps among them: commas only from 10,000 on.

    Errors: TypeError for None and other values without words of their own.
    """
    if hasattr(value, "tolist"):  # a tensor, an array or a NumPy number
        value = value.tolist()
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ", ".join(map(written, value))
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if not isinstance(value, float):
        raise TypeError(f"a message quotes numbers and text, not {type(value).__name__}")
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{value}"
    rounded = float(f"{value:.4g}")
    if 1000 <= abs(rounded) < 10**7 or value.is_integer() and abs(value) <= 2**24:  # beyond, float32 has no others
        return f"{value:,.0f}" if value else "0"  # not "-0"
    mantissa, e, exponent = f"{value:.4g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa
