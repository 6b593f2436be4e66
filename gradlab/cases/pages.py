"""What a case shows in words: the brief, the code, the verdict. Texts are the same on every machine."""

from __future__ import annotations

import difflib
import html
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradlab import pitfalls
from gradlab.cases.suspects import suspect
from gradlab.pitfalls.pitfall import FIGURES
from gradlab.predict.card import FRAME, SOFT
from gradlab.predict.prose import words

if TYPE_CHECKING:
    from gradlab.cases.case import Case
    from gradlab.cases.log import Loop

CODE = ("font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace); line-height: 1.35; "
        "margin: 6px 0; overflow-x: auto")


@dataclass(frozen=True, repr=False)
class Page:
    """A few lines that a cell shows: `text`, and the same in `html`."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": self.text, "text/html": self.html}


class Pages(tuple):
    """Pages and pictures that a cell shows one below the other."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(*self)

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self))


def brief(case: Case) -> Page:
    """Title and brief."""
    head = f"Case file: {case.title}"
    return Page(f"{head}\n{case.brief}",
                f'<div style="{FRAME}"><b>{words(head)}</b><p style="margin: 6px 0 0">{words(case.brief)}</p></div>')


def listing(loop: Loop) -> Page:
    """The source of a loop, each line with its number in its file."""
    lines, first = inspect.getsourcelines(loop)
    return _code([(str(number), line.rstrip("\n")) for number, line in enumerate(lines, first)])


def cure(loop: Loop, mended: Loop) -> Page:
    """The lines of a loop that were taken out (-) and put in (+), with their neighbours."""
    (before, first), (after, _) = inspect.getsourcelines(loop), inspect.getsourcelines(mended)
    rows, number = [], first
    for line in difflib.ndiff(before[1:], after[1:]):  # without the line that holds the name
        sign, text = line[0], line[2:].rstrip("\n")
        if sign == "?":
            continue
        number += sign != "+"
        rows.append((str(number) if sign != "+" else "", f"{sign} {text}"))
    changed = [place for place, (_, text) in enumerate(rows) if text[0] in "+-"]
    return _code(rows[max(0, changed[0] - 1):changed[-1] + 2])


def verdict(case: Case, diagnosis) -> Page:
    """The diagnosis beside the truth, what the pitfall does, what it did here, what cured it and where it happened."""
    pitfall = pitfalls.get(case.pitfall)
    card = diagnosis.reveal(suspect(case.pitfall))
    mend = cure(case.program, case.mended)
    parts = [("The belief", pitfall.belief), ("What happens", f"{pitfall.happens} (Figures: {FIGURES}.)"),
             ("In this loop", case.shows), ("What cured it", mend), ("Where it happened", case.report)]
    text = [card.text, "", f"{pitfall.name} ({pitfall.id})"]
    body = [f"<b>{words(pitfall.name)}</b> <code>{pitfall.id}</code>"]
    for head, part in parts:
        if isinstance(part, Page):
            text.append(f"{head}:\n{part.text}")
            body.append(f'<p style="margin: 8px 0 0"><b>{head}</b></p>{part.html}')
        else:
            text.append(f"{head}: {part}")
            body.append(f'<p style="margin: 8px 0 0"><b>{head}.</b> {words(part)}</p>')
    text.append(f"Threads: {', '.join(case.links)}")
    links = [f'<a href="{link}">{words(thread)}</a>' for thread, link in zip(case.threads, case.links, strict=True)]
    body.append(f'<p style="margin: 8px 0 0">{" · ".join(links)}</p>')
    return Page("\n".join(text), f'{card.html}<div style="{FRAME}; margin-top: 8px">{"".join(body)}</div>')


def _code(rows: Sequence[tuple[str, str]]) -> Page:
    """Numbered lines of code, as text and as preformatted HTML."""
    width = max(len(number) for number, _ in rows)
    text = "\n".join(f"{number:>{width}}  {line}".rstrip() for number, line in rows)
    body = "\n".join(f'<span style="{SOFT}">{number:>{width}}</span>  {_marked(line)}' for number, line in rows)
    return Page(text, f'<pre style="{CODE}">{body}</pre>')


def _marked(line: str) -> str:
    """A line as HTML; bold if it was taken out or put in."""
    return f"<b>{html.escape(line)}</b>" if line.startswith(("+ ", "- ")) else html.escape(line)
