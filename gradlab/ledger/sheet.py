"""A sheet of paper measured in points, on which texts are fitted into the room they have."""

import re
from functools import lru_cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from gradlab.plot import INK

# These two come with matplotlib, so a picture is the same wherever it is drawn.
SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"


@lru_cache(maxsize=64)
def _font(family: str, size: float, weight: str) -> FontProperties:
    return FontProperties(family=family, size=size, weight=weight)


@lru_cache(maxsize=4096)
def _known(family: str, letter: str) -> bool:
    return bool(get_font(findfont(_font(family, 10, "normal"))).get_char_index(ord(letter)))


class Sheet:
    """The whole of a picture as one pair of axes: x from its left and y from its top edge, in points.

    What is written is measured first. Text that would not fit loses its middle, and a letter that the font lacks
    becomes a question mark.
    """

    def __init__(self, picture):
        picture.set_layout_engine("none")
        self.picture = picture
        self.axes = picture.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.autoscale(False)
        self.renderer = picture.canvas.get_renderer()
        self.width = picture.get_figwidth() * 72

    def cut(self, height: float) -> None:
        """Give the picture its height."""
        self.picture.set_size_inches(self.width / 72, height / 72)
        self.axes.set(xlim=(0, self.width), ylim=(height, 0))

    def write(self, x: float, y: float, text: str, room: float, *, size: float = 9.5, colour: str = INK,
              weight: str = "normal", family: str = SANS, align: str = "left") -> float:
        """Write one line with its baseline at y, in no more than `room` points, and say how wide it is."""
        text = self.fit(text, room, size, weight, family)
        if text:
            self.axes.text(x, y, text, color=colour, ha=align, va="baseline", parse_math=False, usetex=False,
                           fontproperties=_font(family, size, weight))
        return self.measure(text, size, weight, family)

    def measure(self, text: str, size: float = 9.5, weight: str = "normal", family: str = SANS) -> float:
        """How many points wide a text is."""
        if not text:
            return 0.0
        width, _, _ = self.renderer.get_text_width_height_descent(text, _font(family, size, weight), ismath=False)
        return width * 72 / self.picture.dpi

    def fit(self, text: str, room: float, size: float = 9.5, weight: str = "normal", family: str = SANS) -> str:
        """The text, its middle replaced by an ellipsis where it is wider than `room` points."""
        text = "".join(letter if _known(family, letter) else "?" for letter in " ".join(str(text).split()))
        if self.measure(text[:500], size, weight, family) <= room:
            return text[:500]
        fewest, most = 0, min(len(text), 500)
        while fewest < most:  # the most letters for which there is room
            kept = (fewest + most + 1) // 2
            if self.measure(_shortened(text, kept), size, weight, family) <= room:
                fewest = kept
            else:
                most = kept - 1
        return _shortened(text, fewest)

    def wrap(self, text: str, room: float, size: float = 9.5, weight: str = "normal", most: int = 8) -> list[str]:
        """The text in lines of at most `room` points; the last of `most` lines takes what is left, shortened."""
        lines = [""]
        for word in str(text).split():
            longer = f"{lines[-1]} {word}".strip()
            if len(lines) == most or not lines[-1] or self.measure(
                    self.fit(longer, 1e9, size, weight), size, weight) <= room:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def bracket(self, x: float, starts: list[float], end: float, reach: float, colour: str) -> None:
        """A line from each of `starts` to the left of x, along there, and as an arrow back to x at y = `end`."""
        left, turn = x - reach, 4.0
        for start in starts:
            towards = turn if end > start else -turn
            corners = [(x - 7, start), (left + turn, start), (left, start), (left, start + towards),
                       (left, end - towards), (left, end), (left + turn, end), (x - 6, end)]
            codes = [Path.MOVETO, Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO, Path.CURVE3, Path.CURVE3,
                     Path.LINETO]
            self.axes.add_patch(PathPatch(Path(corners, codes), facecolor="none", edgecolor=colour, linewidth=1.4))
        self.axes.plot([x - 5], [end], marker=">", markersize=6, color=colour, markeredgewidth=0)


def _shortened(text: str, kept: int) -> str:
    """Three fifths of the letters that are kept from the beginning and the others from the end, whole words if any."""
    if kept >= len(text):
        return text
    head, tail = text[:(kept * 3 + 4) // 5], text[len(text) - kept * 2 // 5:]
    if not kept * 2 // 5:
        tail = ""
    whole_head, whole_tail = re.sub(r"\w+$", "", head), re.sub(r"^\w+", "", tail)
    head = whole_head if len(whole_head) > len(head) / 2 else head
    tail = whole_tail if len(whole_tail) > len(tail) / 3 else tail
    return f"{head.rstrip()}…{tail.lstrip()}"
