"""A verdict and an exercise as a notebook shows them, and as a terminal does."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from gradlab import pitfalls

if TYPE_CHECKING:
    from gradlab.exercises.exercise import Exercise
    from gradlab.exercises.verdict import Verdict

# A mark, words and a colour for each outcome. The mark and the words say it without the colour.
LOOKS = {
    "right": ("✓", "Right", "#009e73"),
    "wrong": ("✗", "Not right yet", "#d55e00"),
    "not attempted": ("○", "Not attempted yet", "#8a8a8a"),
    "error": ("!", "It does not run yet", "#cc79a7"),
}
# Words take their colour from the page, so that they are read on a light and on a dark one.
FRAME = ("max-width: 860px; box-sizing: border-box; padding: 10px 16px 12px; border-radius: 4px; line-height: 1.45; "
         "background: rgba(127, 127, 127, 0.09); border-left: 4px solid {colour}")
SMALL = "font-size: 0.88em; opacity: 0.75; margin-top: 8px"
PRINTED = ("margin: 2px 0 0; padding: 4px 8px; max-height: 9em; overflow: auto; white-space: pre-wrap; "
           "background: rgba(127, 127, 127, 0.12); color: inherit; font-size: 0.95em; "
           "font-family: var(--jp-code-font-family, ui-monospace, Menlo, Consolas, monospace)")


def verdict_text(verdict: Verdict) -> str:
    """The verdict in a few lines of plain text."""
    mark, says, _ = LOOKS[verdict.outcome]
    lines = [f"{mark} {says}: {verdict.title or verdict.exercise}"]
    if verdict.pitfall is not None:
        lines.append(f"  {pitfalls.get(verdict.pitfall).name} ({verdict.pitfall})")
    lines.append(f"  {verdict.message}")
    if verdict.experiment:
        lines.append(f"  Try: {verdict.experiment}")
    lines += [f"  {label}: " + told.replace("\n", "\n    ") for label, told in _asides(verdict)]
    return "\n".join(lines)


def verdict_card(verdict: Verdict) -> str:
    """The verdict as HTML."""
    mark, says, colour = LOOKS[verdict.outcome]
    known = None if verdict.pitfall is None else pitfalls.get(verdict.pitfall)
    rows = [f'<div><b><span aria-hidden="true" style="color: {colour}">{mark}</span>&ensp;{words(says)}</b>'
            f'<span style="opacity: 0.75">&ensp;·&ensp;{words(verdict.title or verdict.exercise)}</span></div>']
    if known is not None:
        rows.append(f'<div style="margin-top: 8px; font-size: 1.08em; font-weight: 600">{words(known.name)}</div>')
    rows.append(f'<div style="margin-top: {2 if known else 8}px">{words(verdict.message)}</div>')
    if verdict.experiment:
        rows.append(f'<div style="margin-top: 8px"><b>Try:</b> {words(verdict.experiment)}</div>')
    for label, told in _asides(verdict):
        told = f'<pre style="{PRINTED}">{html.escape(told)}</pre>' if "\n" in told or label == "It printed" else \
            words(told)
        rows.append(f'<div style="{SMALL}">{label}: {told}</div>')
    if known is not None:
        links = ", ".join(f'<a href="{html.escape(link)}" style="color: inherit">{html.escape(thread)}</a>'
                          for thread, link in zip(known.threads, known.links, strict=True))
        rows.append(f'<div style="{SMALL}">Seen in {links}</div>')
    return f'<div role="status" style="{FRAME.format(colour=colour)}">{"".join(rows)}</div>'


def exercise_card(exercise: Exercise) -> str:
    """An exercise in Markdown: what to do, how long it takes, how hard it is."""
    dots = "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)
    takes = f"{exercise.minutes} minutes · {dots} (difficulty {exercise.difficulty} of 5)"
    head = f"**Exercise: {exercise.title}** · {takes}"
    return f"{head}\n\n{exercise.task.strip()}\n\n```python\n{exercise.signature}:\n```"


def words(text: str) -> str:
    """HTML that shows `text` as it is, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _asides(verdict: Verdict) -> list[tuple[str, str]]:
    told = [("Tried with", verdict.fixture), ("It printed", verdict.printed.strip()), ("It warned", verdict.warned)]
    return [(label, text) for label, text in told if text and verdict.outcome in ("wrong", "error")]
