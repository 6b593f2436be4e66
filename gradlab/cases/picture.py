"""The charts of a case: what a loop logged, a colour an arm, a line a seed."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.ticker import MaxNLocator

from gradlab.cases.log import Log
from gradlab.plot import COLOURS, DASHES, DRAWING, INK, STYLE, Picture

TITLES = {"loss": "loss in the log, nats per character", "norm": "gradient norm in the log",
          "lr": "learning rate in the log", "moved": "how far the weights moved (not in the log)"}
SUBJECT, BESIDE = COLOURS[1], (COLOURS[0], *COLOURS[2:])
FEW = 25  # updates that are drawn as a point each
LOGARITHMIC = 30  # a column whose values span more than this factor is drawn on a log axis
HIGHEST = 1e9  # beyond it an axis says no more


def draw(arms: Mapping[str, Sequence[Log]], columns: Sequence[str], what: str, *, caption: str = "",
         top: float = 6.0, threshold: float | None = None) -> Picture:
    """A chart a column; a cross marks where a run diverged.

    The last arm is what the picture is about: a broad line, with the others dashed above it. `what` begins the text
    for those who cannot see it, `caption` stands below. `top` is the highest loss shown, `threshold` a line in the
    chart of norms.
    """
    *beside, subject = arms
    seeds = arms[subject]
    alt = f"{what}: {' and '.join(columns)} against update for {', '.join(arms)}, {len(seeds)} seeds"
    wrapped = textwrap.fill(caption, 118)
    picture = Picture(alt, width=9.0, height=3.3 + (0.17 * (wrapped.count("\n") + 2) if caption else 0))
    with DRAWING, rc_context(STYLE):
        for column, axes in zip(columns, picture.subplots(1, len(columns), squeeze=False)[0], strict=True):
            axes.set_title(TITLES.get(column, column))
            axes.set_xlabel(f"update (one line a seed: {', '.join(str(log.seed) for log in seeds)})")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
            axes.margins(x=0.02)
            _range(axes, column, [getattr(log, column) for logs in arms.values() for log in logs], top, threshold)
            _arm(axes, column, subject, arms[subject], color=SUBJECT, linewidth=2.4, alpha=0.75)
            for label, colour, dash in zip(beside, BESIDE, DASHES[1:], strict=False):
                _arm(axes, column, label, arms[label], color=colour, linestyle=dash, linewidth=1.3)
        handles, labels = picture.axes[0].get_legend_handles_labels()
        picture.axes[0].legend([*handles[1:], handles[0]], [*labels[1:], labels[0]], loc="best")
        if caption:
            picture.supxlabel(wrapped, x=0.01, ha="left", fontsize=9)
    return picture


def _arm(axes, column: str, label: str, logs: Sequence[Log], **style) -> None:
    low, high = axes.get_ylim()
    for number, log in enumerate(logs):
        values = getattr(log, column)
        shown = np.isfinite(values)
        axes.plot(log.step[shown], values[shown], label=label if number == 0 else None,
                  marker="o" if len(log) <= FEW else None, markersize=3, **style)
        if log.diverged and shown.any():
            last = np.flatnonzero(shown)[-1:]
            axes.plot(log.step[last], np.clip(values[last], low, high), "x", markersize=8, markeredgewidth=2,
                      color=style["color"], clip_on=False)
    axes.set_ylim(low, high)


def _range(axes, column: str, drawn: Sequence[np.ndarray], top: float, threshold: float | None) -> None:
    """The range that all arms share, set before they are drawn."""
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    if column == "loss":
        axes.set_ylim(0, min(top, 1.05 * values.max()))
        return
    if column == "norm" and threshold is not None:
        values = np.append(values, threshold)
        axes.axhline(threshold, color=INK, linewidth=1, linestyle="--")
        axes.annotate(f"max_norm {threshold:g} ", (1.0, threshold), xytext=(0, 2), textcoords="offset points",
                      xycoords=("axes fraction", "data"), va="bottom", ha="right", fontsize=8, zorder=5,
                      bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5})
    low, high = values.min(), min(values.max(), HIGHEST)
    if low > 0 and high > LOGARITHMIC * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.6, high * 1.6)
    else:
        axes.set_ylim(-0.04 * (high or 1), 1.12 * (high or 1))
