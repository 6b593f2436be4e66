"""Figures that stay still: matplotlib Figure objects, never pyplot state, with words for those who cannot see them."""

import base64
import io
import threading
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from gradlab.history import History, Step

# Okabe and Ito's colours, told apart with any kind of colour vision; a dash pattern each says the same again.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1)), (0, (8, 3)))
INK, GRID = "#333333", "#E3E3E3"
STYLE = {
    "font.size": 9.5, "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.edgecolor": "#8A8A8A", "axes.labelcolor": INK, "text.color": INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": GRID, "grid.linewidth": 0.8, "xtick.color": INK,
    "ytick.color": INK, "legend.frameon": False, "lines.linewidth": 1.6, "figure.constrained_layout.use": True,
}
DRAWING = threading.Lock()  # matplotlib's fonts and settings are shared, and panels draw from other threads

LABELS = {"loss": "loss, nats per character", "norm_before": "gradient norm before clipping",
          "norm_after": "gradient norm after clipping", "coefficient": "clip coefficient", "lr": "learning rate",
          "update_ratio": "update norm / parameter norm", "param_norm": "parameter norm"}
LOGARITHMIC = ("norm_before", "norm_after", "update_ratio")


class Picture(Figure):
    """A matplotlib Figure that a notebook shows as a PNG, with `alt`, a sentence, as its text.

    The text is constant for constant `alt`, and the same data give the same bytes.
    """

    def __init__(self, alt: str, width: float = 7.6, height: float = 3.0):
        with DRAWING, rc_context(STYLE):
            super().__init__(figsize=(width, height), dpi=110)
        FigureCanvasAgg(self)
        self.alt = alt

    def png(self) -> bytes:
        """The picture in the PNG format, with 256 colours: a third of the size, and charts have few."""
        out, small = io.BytesIO(), io.BytesIO()
        with DRAWING, rc_context(STYLE):
            self.savefig(out, format="png")
            self.set_layout_engine("none")  # each drawing would move things a little further
        colours = Image.open(out).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        colours.save(small, "png", optimize=True)
        return small.getvalue()

    def __repr__(self) -> str:
        return f"[figure: {self.alt}]"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/png": base64.b64encode(self.png()).decode(), "text/plain": repr(self)}


def runs(arms: Mapping[str, History | Sequence[History]], columns: str | Sequence[str] = "loss", *,
         threshold: float | None = None, floor: float | None = None, top: float | None = None) -> Picture:
    """One chart a column of `Step`, one colour an arm, one thin line a run: `runs({"clipped": histories})`.

    `threshold` draws a line into charts of gradient norms, `floor` one into charts of the loss; `top` is the highest
    loss shown. A cross marks the step at which a run diverged.
    """
    names = [columns] if isinstance(columns, str) else list(columns)
    for name in names:
        if name not in Step._fields:
            raise ValueError(f"there is no column {name!r} to draw; the columns are {', '.join(Step._fields)}")
    arms = {label: [given] if isinstance(given, History) else list(given) for label, given in arms.items()}
    picture = Picture(f"{' and '.join(names)} against step for {', '.join(arms)}", height=3.1,
                      width=7.6 if len(names) > 1 else 5.4)
    with DRAWING, rc_context(STYLE):
        for name, axes in zip(names, picture.subplots(1, len(names), squeeze=False)[0], strict=True):
            for (label, histories), colour, dash in zip(arms.items(), COLOURS, DASHES, strict=False):
                _lines(axes, name, label, histories, colour, dash)
            _frame(axes, name, threshold, floor, top)
            for histories, colour in zip(arms.values(), COLOURS, strict=False):
                _crosses(axes, name, histories, colour)
        picture.axes[-1].legend(loc="best")
    return picture


def _lines(axes, name: str, label: str, histories: Sequence[History], colour: str, dash) -> None:
    for number, history in enumerate(histories):
        steps, values = history.step, getattr(history, name).astype(float)
        shown = np.isfinite(values)
        alone = len(histories) == 1
        axes.plot(steps[shown], values[shown], color=colour, linestyle=dash, linewidth=1.6 if alone else 1.2,
                  alpha=1 if alone else 0.75, label=label if number == 0 else None)


def _crosses(axes, name: str, histories: Sequence[History], colour: str) -> None:
    low, high = axes.get_ylim()
    for history in (history for history in histories if history.diverged):
        values = getattr(history, name).astype(float)
        last = np.flatnonzero(np.isfinite(values))[-1:]
        axes.plot(history.step[last], np.clip(values[last], low, high), "x", markersize=8, markeredgewidth=2,
                  color=colour, clip_on=False)
    axes.set_ylim(low, high)


def _frame(axes, name: str, threshold: float | None, floor: float | None, top: float | None) -> None:
    axes.set_title(LABELS.get(name, name.replace("_", " ")))
    axes.set_xlabel("step")
    axes.margins(x=0.02)
    if name in LOGARITHMIC:
        axes.set_yscale("log")
    if name == "loss":
        axes.set_ylim(0, top or min(axes.get_ylim()[1], 6))
        if floor is not None:
            axes.axhline(floor, color=INK, linewidth=1, linestyle=":")
            axes.annotate(" lowest on average", (0.0, floor), xycoords=("axes fraction", "data"), va="bottom",
                          fontsize=8)
    if name.startswith("norm") and threshold is not None:
        axes.axhline(threshold, color=INK, linewidth=1, linestyle="--")
        axes.set_ylim(top=min(axes.get_ylim()[1], 100 * threshold))  # an explosion would flatten all the rest
        axes.annotate(f"max_norm {threshold:g} ", (1.0, threshold), xycoords=("axes fraction", "data"), va="bottom",
                      ha="right", fontsize=8)


def final_losses(arms: Mapping[str, Sequence[History]], *, failed_above: float = 2.0, floor: float | None = None,
                 title: str = "final loss, one dot a seed") -> Picture:
    """The final loss of every run, a row an arm, with the median as a bar; runs that failed stand at the right edge."""
    picture = Picture(f"final losses for {', '.join(arms)}", height=0.9 + 0.42 * len(arms))
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        edge = failed_above * 1.15
        for row, (histories, colour) in enumerate(zip(arms.values(), COLOURS * len(arms), strict=False)):
            losses = np.array([history.final_loss for history in histories])
            failed = ~(losses <= failed_above)
            shown = np.where(failed, edge, losses)
            axes.plot(shown[~failed], np.full((~failed).sum(), row), "o", color=colour, alpha=0.75, markersize=6)
            beside = failed_above * np.linspace(1.05, 1.25, failed.sum() + 2)[1:-1]
            axes.plot(beside, np.full(failed.sum(), row), "x", color=colour, markeredgewidth=2, markersize=7)
            median = np.median(shown)
            axes.plot([median, median], [row - 0.3, row + 0.3], color=colour, linewidth=2.5)
            axes.annotate(f"{failed.sum()} of {len(losses)} failed", (1.01, row), xycoords=("axes fraction", "data"),
                          va="center", fontsize=8.5)
        axes.axvspan(failed_above, failed_above * 1.3, color="#F3F3F3", zorder=0)
        axes.set(xlim=(0, failed_above * 1.3), ylim=(len(arms) - 0.5, -0.5), title=title, xlabel=LABELS["loss"])
        axes.set_yticks(range(len(arms)), list(arms))
        axes.grid(axis="y", visible=False)
        if floor is not None:
            axes.axvline(floor, color=INK, linewidth=1, linestyle=":")
    return picture


def norm_histogram(norms: Sequence[float], percentiles: Sequence[float] = (50, 90, 99)) -> Picture:
    """How often which gradient norm was measured, on a log axis, with lines at the percentiles that matter."""
    finite = np.asarray(norms, dtype=float)
    finite = finite[np.isfinite(finite) & (finite > 0)]
    if not len(finite):
        raise ValueError(f"a histogram needs a norm that is finite and above 0, got {len(norms)} norms without any")
    picture = Picture("histogram of gradient norms with percentiles", width=6.4)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        axes.hist(finite, bins=np.geomspace(finite.min(), finite.max() * 1.001, 40), color=COLOURS[5])
        axes.set(xscale="log", title=f"{len(finite)} measured gradient norms", xlabel="gradient norm before clipping",
                 ylabel="steps")
        for show in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            show(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "1235" else "")  # 0.2, not 2 × 10⁻¹
        axes.set_ylim(0, axes.get_ylim()[1] * 1.3)  # room for the labels above the bars
        tops = np.linspace(0.99, 0.83, len(percentiles))
        for percentile, height in zip(percentiles, tops, strict=True):
            value = np.percentile(finite, percentile)
            axes.axvline(value, color=COLOURS[1], linewidth=1.2, linestyle="--")
            axes.annotate(f" {percentile:g} %: {value:.2f}", (value, height), xycoords=("data", "axes fraction"),
                          va="top", fontsize=8.5)
    return picture


def arrows(vectors: Mapping[str, tuple[float, float]], *, circle: float | None = None,
           square: float | None = None) -> Picture:
    """Gradients of two weights as arrows, with the circle of clipping by norm and the square of clipping by value."""
    picture = Picture(f"arrows for {', '.join(vectors)}", width=5.6, height=3.6)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        around = np.linspace(0, 2 * np.pi, 200)
        if circle:
            axes.plot(circle * np.cos(around), circle * np.sin(around), color=INK, linewidth=1, linestyle=":")
        if square:
            corners = square * np.array([[1, 1, -1, -1, 1], [1, -1, -1, 1, 1]])
            axes.plot(*corners, color=INK, linewidth=1)
        for (label, (x, y)), colour in zip(vectors.items(), COLOURS, strict=False):
            axes.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2})
            # Below the head where a longer arrow passes above it, in nearly the same direction.
            covered = any(np.hypot(a, b) > np.hypot(x, y) and abs(x * b - y * a) < 0.1 * np.hypot(a, b)
                          for a, b in vectors.values())
            axes.annotate(f"{label}\n({x:.2f}, {y:.2f})", (x, y), textcoords="offset points",
                          xytext=(8, -26) if covered else (6, 4), color=colour, fontsize=8.5)
        corner = np.array([circle or 0, circle or 0, square or 0, square or 0]).max()
        points = np.array([[-corner, -corner], [corner, corner], *vectors.values()])
        (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
        room = 0.25 * (right - left)  # for the words beside the arrow heads
        axes.set(xlim=(left - room / 3, right + room), ylim=(bottom - room / 3, top + room / 1.5), aspect="equal",
                 xlabel="gradient of weight 1", ylabel="gradient of weight 2")
    return picture
