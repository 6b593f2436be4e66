"""The river of a picture: as wide as the logarithm of the gradient's norm, from the first row to the last."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.patches import Polygon

from gradlab.ledger.entries import Entry
from gradlab.ledger.flow import Reach
from gradlab.ledger.scene import BANK, BLUE, FAINT, PITCH, RIVER, SMALL, TOP, middle
from gradlab.ledger.sheet import Sheet
from gradlab.ledger.words import number
from gradlab.plot import GRID, INK

FRESH, CLIPPED, USED, SHORE = "#BBD9EC", "#6FB1D9", "#CDCDCD", "#9A9A9A"


def draw(sheet: Sheet, first: Reach, entries: Sequence[Entry]) -> None:
    """The norm of the gradient before, between and after the rows, the axis above, and the limits of the clips."""
    reaches = [first, *(entry.after for entry in entries)]
    limits = [entry.limit for entry in entries if entry.limit]
    scale = _Scale([reach.norm for reach in reaches] + [reach.old for reach in reaches] + limits
                   + [entry.used for entry in entries])
    bottom = TOP + PITCH * len(entries)
    _axis(sheet, scale, bottom)
    ends = [TOP, *(middle(place) for place in range(len(entries))), bottom]
    edges = [scale(reach.norm) for reach in reaches]
    for place, reach in enumerate(reaches):
        if edges[place] not in (None, RIVER):
            xs, ys = _bank(ends[place:place + 2], [None, *edges, None][place:place + 3])
            _water(sheet, xs, ys, reach)
            if reach.old is not None:
                _fill(sheet, np.minimum(xs, scale(reach.old)), ys - 0.3, USED, SHORE)
    for place, entry in enumerate(entries):
        if entry.used is not None:
            sheet.axes.plot([RIVER, scale(entry.used)], [middle(place)] * 2, color=INK, linewidth=2.2, zorder=3.5,
                            solid_capstyle="butt")
        if entry.limit and len(set(limits)) > 1:
            _limit(sheet, scale(entry.limit), middle(place) - PITCH / 2, middle(place) + PITCH / 2)
    if len(set(limits)) == 1:
        _limit(sheet, scale(limits[0]), TOP, bottom)
        sheet.write(scale(limits[0]), bottom + 9, f"max_norm {number(limits[0])}", 90, size=SMALL, align="center")


def _axis(sheet: Sheet, scale: "_Scale", bottom: float) -> None:
    for value in scale.ticks(lambda value: sheet.measure(number(value), SMALL) + 5):
        sheet.axes.plot([scale(value)] * 2, [TOP - 2, bottom], color=GRID, linewidth=0.8, zorder=0.5)
        sheet.write(scale(value), TOP - 6, number(value), 40, size=SMALL, colour=FAINT, align="center")
    sheet.axes.plot([RIVER, RIVER], [TOP - 2, bottom], color="#8A8A8A", linewidth=0.8, zorder=3)


def _limit(sheet: Sheet, x: float, top: float, bottom: float) -> None:
    sheet.axes.plot([x, x], [top, bottom], color=INK, linewidth=0.9, linestyle=(0, (3, 2)), zorder=3.2)


def _water(sheet: Sheet, xs: np.ndarray, ys: np.ndarray, reach: Reach) -> None:
    line = SHORE if reach.stale else BLUE
    if not math.isfinite(reach.norm):
        _fill(sheet, xs, ys, "white", line, "xxxx")
    else:
        fill = USED if reach.stale else CLIPPED if reach.clipped else FRESH
        _fill(sheet, xs, ys, fill, line, None if reach.scale == 1 else "////")


def _fill(sheet: Sheet, xs: np.ndarray, ys: np.ndarray, fill: str, line: str, hatch: str | None = None) -> None:
    # A little longer than it is, so that no seam shows between it and the next.
    outline = np.column_stack([np.r_[RIVER, xs, xs[-1], RIVER], np.r_[ys[0], ys, ys[-1] + 0.3, ys[-1] + 0.3]])
    sheet.axes.add_patch(Polygon(outline, facecolor=fill, edgecolor=line, linewidth=0, hatch=hatch, zorder=2))
    sheet.axes.plot(xs, ys, color=line, linewidth=1.2, zorder=2.5, solid_joinstyle="round")


class _Scale:
    """From a norm to an x: logarithmic from `RIVER`, where 0 is, to `BANK`; a decade and a half at least."""

    def __init__(self, norms: Sequence[float | None]):
        logs = [math.log10(norm) for norm in norms if norm and math.isfinite(norm) and norm > 0] or [0.0]
        self.high = max(logs) + 0.12
        self.low = min(min(logs) - 0.6, self.high - 1.5)

    def __call__(self, norm: float | None) -> float | None:
        if norm is None:
            return None
        if not norm > 0:
            return RIVER if norm == 0 else BANK
        share = min((math.log10(norm) - self.low) / (self.high - self.low), 1.0) if norm < math.inf else 1.0
        return RIVER + (BANK - RIVER) * share

    def ticks(self, wide: Callable[[float], float]) -> list[float]:
        """Powers of ten, as many as have room for labels that are `wide`."""
        powers = range(math.ceil(self.low + 0.05), math.floor(self.high) + 1)
        for each in range(1, len(powers) + 1):
            values = [10.0**power for power in powers[::each]]
            if all(self(after) - self(before) > (wide(before) + wide(after)) / 2 for before, after in pairwise(values)):
                return values
        return []


def _bank(between: Sequence[float], sides: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """The right bank of one reach: straight, and at either end half of a bend to the reach beside it."""
    (top, bottom), (above, here, below) = between, sides
    bend = np.linspace(0, 1, 9)
    ease = 1 - (1 - bend) ** 2  # steep in the middle of a row, upright towards the next
    # A bend has two halves, one in each reach; where the other reach is dry this one has both.
    meet_above, meet_below = (here if side is None else side if side == RIVER else (side + here) / 2
                              for side in (above, below))
    half = min(6.0, (bottom - top) / 2)
    ys = np.concatenate([top + half * bend, bottom - half * bend[::-1]])
    xs = np.concatenate([meet_above + (here - meet_above) * ease, meet_below + (here - meet_below) * ease[::-1]])
    return xs, ys
