"""How a picture of one training step looks: its columns, its marks, its brackets and its sentences, in points."""

from collections.abc import Sequence

from gradlab.ledger.entries import Entry
from gradlab.ledger.sheet import MONO, Sheet
from gradlab.plot import COLOURS, INK

BLUE, WRONG, RIGHT = COLOURS[:3]
FAINT, THREAD = "#6E6E6E", "#BDBDBD"
LINE, CODE, SPINE, WORD, RIVER, BANK, NOTE, EDGE = 29.0, 36.0, 245.0, 256.0, 356.0, 446.0, 454.0, 543.0
TOP, PITCH, SMALL = 60.0, 27.0, 7.0
LETTERS = {WRONG: "#B34A00", RIGHT: "#007A5A"}  # darker, because letters are thin
TINTS = {WRONG: "#FCEFE6", FAINT: "#F3F3F3"}
SHAPES = {"zero_grad": "o", "backward": "o", "unscale": "v", "clip": "D", "step": "s", "skip": "X", "missing": "o"}
HOLLOW = ("zero_grad", "missing")


def heading(sheet: Sheet, title: str, subtitle: str = "") -> None:
    """The title."""
    wide = sheet.write(10, 19, title, 300, size=10.5, weight="bold")
    sheet.write(18 + wide, 19, subtitle, EDGE - 18 - wide, colour=FAINT)


def columns(sheet: Sheet) -> None:
    """The names of the columns."""
    for x, word in ((CODE, "code"), (WORD, "event"), (RIVER, "norm of the gradient, log scale")):
        sheet.write(x, TOP - 19, word, 130, size=7.5, colour=FAINT)
    sheet.write(LINE, TOP - 19, "line", 20, size=7.5, colour=FAINT, align="right")


def middle(row: int) -> float:
    """The y of the middle of a row."""
    return TOP + PITCH * (row + 0.5)


def rows(sheet: Sheet, entries: Sequence[Entry], tone: str) -> None:
    """The words of the rows, their marks on the line of time, and a bracket before the rows of a loop."""
    for place, entry in enumerate(entries):
        _words(sheet, middle(place), entry, tone)
        if place and "rest" not in (entry.kind, entries[place - 1].kind):
            sheet.axes.plot([SPINE, SPINE], [middle(place - 1), middle(place)], color=THREAD, linewidth=1.2, zorder=1)
        if entry.kind == "rest":
            sheet.axes.plot([SPINE, SPINE], [middle(place) - PITCH + 6, middle(place) + PITCH - 6], color=THREAD,
                            linewidth=1.2, linestyle=(0, (1, 2)), zorder=1)
            continue
        colour = tone if entry.marked else BLUE if entry.kind in SHAPES else "#A0A0A0"
        sheet.axes.plot([SPINE], [middle(place)], marker=SHAPES.get(entry.kind, "o"), color=colour, markeredgewidth=1.5,
                        markersize=7.5 if entry.kind in SHAPES else 4,
                        markerfacecolor="white" if entry.kind in HOLLOW else colour, zorder=4)
    for loop in sorted({entry.loop for entry in entries} - {0}):
        turn = [middle(place) for place, entry in enumerate(entries) if entry.loop == loop]
        sheet.axes.plot([9, 5, 5, 9], [turn[0] - 9, turn[0] - 9, turn[-1] + 9, turn[-1] + 9], color=FAINT, linewidth=1)


def _words(sheet: Sheet, y: float, entry: Entry, tone: str) -> None:
    if entry.marked:
        sheet.axes.axhspan(y - PITCH / 2, y + PITCH / 2, facecolor=TINTS[tone], edgecolor="none", zorder=0)
    main = LETTERS.get(tone, tone) if entry.marked else INK if entry.kind in SHAPES else FAINT
    code, word, note = SPINE - CODE - 25, RIVER - WORD - 4, EDGE - NOTE
    sheet.write(LINE, y + 2.4, entry.line, LINE - 3, size=7.5, colour=FAINT, align="right")
    if entry.line:
        sheet.write(CODE, y + 2.4, entry.code, code, size=8, family=MONO)
    else:
        sheet.write(CODE, y + 2.4, entry.code, code, size=8, colour=FAINT)
    sheet.write(WORD, y + 2.4, entry.word, word, size=9, colour=main, weight="bold" if entry.marked else "normal")
    sheet.write(NOTE, y + 2.4, entry.note, note, size=8.5, colour=main)
    for x, room, text in ((CODE, code, entry.aside), (WORD, word, entry.manner), (NOTE, note, entry.small)):
        sheet.write(x, y + 11.7, text, room, size=SMALL, colour=FAINT)


def arrow(sheet: Sheet, displaced: Sequence[int], target: int, colour: str) -> None:
    """From the marks of the rows that are out of order to the gap above row `target`, where they belong."""
    if displaced:
        sheet.bracket(SPINE, [middle(place) for place in displaced], TOP + PITCH * target, 20, colour)


def sentence(sheet: Sheet, count: int, title: str, message: str, also: Sequence[str], colour: str) -> float:
    """What a finding says, below `count` rows; the y at which the picture ends."""
    top = TOP + PITCH * count + 26
    sheet.write(20, top + 8, title, EDGE - 20, size=10.5, weight="bold", colour=LETTERS.get(colour, colour))
    lines = sheet.wrap(message, EDGE - 24)
    y = top + 8
    for text in lines:
        y += 14
        sheet.write(20, y, text, EDGE - 20)
    if also:
        y += 14
        sheet.write(20, y, f"also in this step: {', '.join(also)}", EDGE - 20, size=8, colour=FAINT)
    sheet.axes.plot([11, 11], [top - 2, y + 4], color=colour, linewidth=3, solid_capstyle="butt")
    return y + 14


def verdict(sheet: Sheet, count: int, order: str, said: str, good: bool) -> float:
    """The order of the events, and what there is to say about it without a finding; the y at which the picture ends."""
    y = TOP + PITCH * count + 30 if count else 44
    colour = LETTERS[RIGHT] if good else FAINT
    sheet.write(10, y, "✓" if good else "", 12, size=11, weight="bold", colour=colour)
    left = 24 if good else 10
    for text in sheet.wrap(": ".join(filter(None, (order, said))), EDGE - left - 4, most=3):
        sheet.write(left, y, text, EDGE - left, colour=colour)
        y += 14
    return y
