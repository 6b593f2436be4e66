"""Card: a few lines that a cell shows as text and as HTML, both constant for constant arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradlab.plot import COLOURS

from .prose import LETTERS, words

# Colours follow the page they stand on: JupyterLab's theme, or whatever the words around have.
FRAME = ("max-width: 760px; box-sizing: border-box; padding: 10px 18px 12px; border-radius: 4px; "
         "background: rgba(127, 127, 127, 0.09); border-left: 3px solid #0072b2; line-height: 1.45")
ROW = "display: flex; gap: 10px; align-items: baseline; padding: 3px 0"
NARROW = "flex: none; width: 1.1em"
SOFT = "opacity: 0.75"
MARKS = {"your prediction": "●", "what happened": "✓", "your prediction, and what happened": "✓", "": "○"}
DOT = "display: inline-block; width: 9px; height: 9px; border-radius: 50%"
GREY, BLUE = "#8a8a8a", COLOURS[0]


@dataclass(frozen=True)
class Card:
    """What a reveal shows: `text`, and the same in `html`."""

    text: str
    html: str

    def __repr__(self):
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": self.text, "text/html": self.html}


def choice_card(options: Sequence[str], notes: Mapping[str, str], answer: int | None, measured: int,
                because: str) -> Card:
    """A predicted option beside the one that was measured, both marked in words."""
    head = _head(None if answer is None else LETTERS[answer], LETTERS[measured])
    lines, rows = [head], []
    for place, option in enumerate(options):
        mark = ("your prediction, and what happened" if place == answer == measured else
                "what happened" if place == measured else "your prediction" if place == answer else "")
        lines.append(f"  {MARKS[mark]} {LETTERS[place]}) {option}" + (f"   [{mark}]" if mark else ""))
        if note := notes.get(option):
            lines.append(f"       {note}")
        rows.append(_row(MARKS[mark], LETTERS[place], option, mark, note or "", strong=bool(mark)))
    return _card(lines, head, "".join(rows), because)


def number_card(span: tuple[float, float], unit: str, answer: float | None, measured: float, shown: str,
                because: str) -> Card:
    """A predicted number beside the one that was measured, and how far apart they are."""
    said = None if answer is None else f"{answer:g} {unit}".strip()
    head = _head(said, shown)
    apart = "" if answer is None else _apart(answer, measured, span, unit)
    line = "" if answer is None or not math.isfinite(measured) else _number_line(span, answer, measured, said, shown)
    return _card([head, *([apart] if apart else [])], head, line + (f"<div>{words(apart)}</div>" if apart else ""),
                 because)


def feedback_card(option: int, text: str, right: bool, feedback: str, pitfall: str) -> Card:
    """What a question says to the option that was chosen."""
    head = f"{LETTERS[option]}) {'Right.' if right else 'Not this one.'}"
    lines = [text, feedback, *([f"Pitfall: {pitfall}"] if pitfall else [])]
    return _card([head, *(f"  {line}" for line in lines)], head,
                 "".join(f"<div>{words(line)}</div>" for line in lines), "")


def _head(predicted, measured):
    if predicted is None:
        return f"No prediction was committed. It was {measured.rstrip('.')}."
    return f"You predicted {predicted}. It was {measured.rstrip('.')}."


def _apart(answer, measured, span, unit):
    if not math.isfinite(measured):
        return ""
    off = answer - measured
    if abs(off) <= 0.01 * (span[1] - span[0]):
        return "Your prediction is as good as exact."
    text = f"Your prediction is {_two_digits(abs(off))} {unit}".rstrip() + f" too {'high' if off > 0 else 'low'}"
    if answer > 0 and measured > 0 and max(answer / measured, measured / answer) >= 2:
        text += f", by a factor of {_two_digits(max(answer / measured, measured / answer))}"
    return text + "."


def _two_digits(value):
    return f"{float(f'{value:.2g}'):g}"


def _card(lines, head, body, because):
    if because:
        lines = [*lines, because]
        body += f'<div style="margin-top: 6px">{words(because)}</div>'
    head = f'<div style="font-weight: 600; margin-bottom: 4px">{words(head)}</div>'
    return Card("\n".join(lines), f'<div style="{FRAME}">{head}{body}</div>')


def _row(glyph, letter, text, mark, note, strong):
    note = f'<div style="{SOFT}">{words(note)}</div>' if note else ""
    mark = f' <b style="white-space: nowrap">({mark})</b>' if mark else ""
    style = "" if strong else f' style="{SOFT}"'
    return (f'<div style="{ROW}"><span style="{NARROW}">{glyph}</span><b style="{NARROW}">{letter}</b>'
            f"<div><div{style}>{words(text)}{mark}</div>{note}</div></div>")


def _number_line(span, answer, measured, said, shown):
    """A line from one end of the bracket to the other, the prediction above it and what was measured below."""
    low, high = span

    def at(value):
        return round(100 * min(1, max(0, (value - low) / (high - low))), 1)

    def dot(colour, style=""):
        return f'<span style="{DOT}; background: {colour}; {style}"></span>'

    def label(value, colour, text):  # its dot stands at the value, its words towards the middle
        if at(value) <= 50:
            return (f'<div style="padding-left: {at(value)}%">{dot(colour, "margin: 0 6px 0 -4px")}'
                    f"{words(text)}</div>")
        return (f'<div style="padding-right: {100 - at(value):g}%; text-align: right">{words(text)}'
                f'{dot(colour, "margin: 0 -4px 0 6px")}</div>')

    dots = "".join(dot(colour, f"position: absolute; left: {at(value)}%; top: -3px; margin-left: -4px")
                   for value, colour in ((answer, GREY), (measured, BLUE)))
    return (f'<div style="max-width: 460px; margin: 8px 6px">{label(answer, GREY, f"predicted {said}")}'
            f'<div style="position: relative; height: 3px; margin: 5px 0; background: rgba(127, 127, 127, 0.35)">'
            f"{dots}</div>{label(measured, BLUE, f'measured {shown}')}"
            f'<div style="display: flex; justify-content: space-between; margin: 0 -4px; {SOFT}">'
            f"<span>{low:g}</span><span>{high:g}</span></div></div>")
