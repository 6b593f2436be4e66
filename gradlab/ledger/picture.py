"""One training step as a picture: what the code did to the gradient, line by line, and how large it was meanwhile."""

from collections.abc import Sequence
from itertools import groupby

from matplotlib import rc_context

from gradlab import pitfalls
from gradlab.ledger import river, scene
from gradlab.ledger.entries import Teller
from gradlab.ledger.events import Backward, Clip, Event, Schedule, Skip, Step, Unscale, ZeroGrad
from gradlab.ledger.rows import Row, choose, gather
from gradlab.ledger.sheet import Sheet
from gradlab.ledger.words import plain
from gradlab.plot import DRAWING, STYLE, Picture

WIDTH = 7.6  # inches
# What is out of order, and the row that it belongs before or after: the first (0) or the last (-1) of a kind.
BELONGS = {
    "clip-after-step": (Clip, "before", Step, -1),
    "clip-before-backward": (Clip, "before", Step, -1),
    "clip-each-micro-batch": (Clip, "before", Step, -1),
    "clip-before-unscale": (Clip, "after", Unscale, -1),
    "backward-after-unscale": (Unscale, "after", Backward, -1),
    "zero-grad-before-step": (ZeroGrad, "before", Backward, 0),
    "scheduler-off-by-one": (Schedule, "after", Step, -1),
    "scheduler-wrong-clock": (Schedule, "after", Step, -1),
}


def draw(ledger: Sequence[Event], step: int | None = None, findings: Sequence | None = None, *,
         judged: bool = True) -> Picture:
    """Draw one update of a ledger: a row for each event, in the order in which the code ran.

    Beside each row stands the line of code, and a river as wide as the logarithm of the gradient's norm: pale before
    a clip and darker after it, hatched while a loss scale is in it, grey once an update has used it; a black bar is
    what an update used. What a finding marks is drawn in vermilion, with an arrow to the place where it belongs and
    the sentence of the finding.

    - `step`: the number of the update, from 0 (of optimizer 0; negative from the end). By default the first one that
      a finding marks, else the first one
    - `findings`: by default `ledger.findings()`; the first one that marks this update is shown
    - `judged=False`: say only what happened, neither good nor bad

    Raises IndexError if there is no such update.
    """
    if not judged:
        findings = None
    elif findings is None and hasattr(ledger, "findings"):
        findings = ledger.findings()
    number, count, places = choose(ledger, step, findings[0].events if findings else ())
    here = [finding for finding in findings or () if not finding.events or set(finding.events) & set(places)]
    finding = here[0] if here else None
    rows = gather(ledger, places, finding.events if finding else ())
    order = _order(ledger, rows)
    if finding and finding.pitfall == "missing-zero-grad":
        rows.insert(next((at for at, row in enumerate(rows) if isinstance(ledger[row.places[0]], Backward)), 0), Row())
    teller = Teller(ledger, places, finding.events if finding else ())
    entries = teller.tell(rows)
    picture = Picture(_alt(order, finding, findings), width=WIDTH)
    with DRAWING, rc_context(STYLE):
        sheet = Sheet(picture)
        colour = scene.FAINT if finding and finding.level == "info" else scene.WRONG
        scene.heading(sheet, "One training step", _which(number, count))
        if entries:
            scene.columns(sheet)
            river.draw(sheet, teller.first, entries)
            scene.rows(sheet, entries, colour)
        if finding:
            scene.arrow(sheet, *_moves(ledger, rows, finding), colour)
            bottom = scene.sentence(sheet, len(entries), _title(finding), finding.message,
                                    [_title(other) for other in here[1:]], colour)
        else:
            bottom = scene.verdict(sheet, len(entries), " · ".join(order), *_verdict(ledger, places, findings))
        sheet.cut(bottom)
    return picture


def _which(number: int, count: int) -> str:
    if number == count:
        return f"after step {count:,}" if count else ""
    return f"step {number + 1:,} of {count:,}" if count > 1 else ""


def _title(finding) -> str:
    try:
        return pitfalls.get(finding.pitfall).name
    except KeyError:
        return finding.pitfall.replace("-", " ").capitalize()


def _order(ledger: Sequence[Event], rows: Sequence[Row]) -> list[str]:
    """The events by name, repeats together: 'zero_grad', 'backward × 2', '(backward, clip) × 8', '… 12 more'."""
    order = []
    for loop, group in groupby(rows, key=lambda row: row.loop):
        names = []
        for name, same in groupby(group, key=lambda row: "" if row.hidden else plain(ledger[row.places[0]])):
            same = list(same)
            count = sum(len(row.places) // row.turns for row in same)
            names.append(f"… {count:,} more" if not name else f"{name} × {count:,}" if count > 1 else name)
            turns = same[0].turns
        order += [f"({', '.join(names)}) × {turns:,}"] if loop else names
    return order


def _alt(order: Sequence[str], finding, findings: Sequence | None) -> str:
    """The picture in words, without a number that another machine would measure differently."""
    said = f"one training step: {', '.join(order) or 'nothing was recorded'}"
    if finding:
        return f"{said}. {_title(finding)}"
    return f"{said}: nothing to report" if order and findings is not None and not len(findings) else said


def _verdict(ledger: Sequence[Event], places: range, findings: Sequence | None) -> tuple[str, bool]:
    """What is said below a step without a finding, and whether it is good news."""
    if not places:
        return "nothing was recorded yet: run a training step inside the with block", False
    if findings:
        step, _, _ = choose(ledger, first=findings[0].events)  # a finding is told where it happens first
        return f"see step {step + 1}: {_title(findings[0])}", False
    made = any(isinstance(ledger[place], Step | Skip) for place in places)
    if findings is None:
        return "" if made else "no update yet", False
    return ("nothing to report", True) if made else ("nothing to report, and no update yet", False)


def _moves(ledger: Sequence[Event], rows: Sequence[Row], finding) -> tuple[list[int], int]:
    """The rows that a finding marks as out of order, and the row before which they belong."""
    kind, side, anchor, which = BELONGS.get(finding.pitfall, (None,) * 4)
    if kind is None:
        return [], 0
    anchors = [at for at, row in enumerate(rows) if row.places and isinstance(ledger[row.places[0]], anchor)]
    if not anchors:
        return [], 0
    target = anchors[which] + (side == "after")
    marked = [at for at, row in enumerate(rows) if set(row.places) & set(finding.events) and not row.hidden
              and isinstance(ledger[row.places[0]], kind)]
    return [at for at in marked if at not in (target - 1, target)], target
