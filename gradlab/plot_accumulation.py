"""Charts about accumulation: what updates are made of, how an error grows, and what a step keeps in memory."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context

from gradlab.memory import StepMemory
from gradlab.plot import COLOURS, DASHES, DRAWING, INK, STYLE, Picture


def windows(arms: Mapping[str, Sequence[Sequence[float]]], epoch: int) -> Picture:
    """What each update is made of: a chart an arm, a bar an update, a piece of it for each micro-batch.

    An arm is `(updates, micro_batches)` as from `gradlab.accumulation.weights_in_updates`. Each `epoch` micro-batches
    have a colour of their own; the dotted line at 1 is a mean.
    """
    arms = {label: np.asarray(weights, dtype=float) for label, weights in arms.items()}
    for label, weights in arms.items():
        if weights.ndim != 2 or not weights.size:
            raise ValueError(f"{label}: weights have the shape (updates, micro_batches), got {weights.shape}")
    picture = Picture(f"the micro-batches in each update for {', '.join(arms)}", height=3.0)
    with DRAWING, rc_context(STYLE):
        for axes, (label, weights) in zip(picture.subplots(1, len(arms), sharey=True, squeeze=False)[0], arms.items(),
                                          strict=True):
            for number, row in enumerate(weights, start=1):
                bottom = 0.0
                for place in np.flatnonzero(np.abs(row) > 1e-9):
                    axes.bar(number, row[place], 0.72, bottom=bottom, edgecolor="white", linewidth=1,
                             color=COLOURS[place // epoch % len(COLOURS)], hatch="//" if place // epoch % 2 else None)
                    if abs(row[place]) > 0.12:  # else the number has no room
                        axes.annotate(str(place % epoch + 1), (number, bottom + row[place] / 2), ha="center",
                                      va="center", fontsize=8, bbox={"boxstyle": "round,pad=0.12", "facecolor": "white",
                                                                     "edgecolor": "none", "alpha": 0.85})
                    bottom += row[place]
            axes.axhline(1, color=INK, linewidth=1, linestyle=":")
            axes.set_title(label)
            axes.set_xlabel("update")
            axes.set_xticks(range(1, len(weights) + 1))
            axes.grid(axis="x", visible=False)
        picture.axes[0].set_ylabel("weight of the micro-batches")
        picture.axes[0].set_ylim(0, 1.12 * max(1.0, *(row.sum() for weights in arms.values() for row in weights)))
    return picture


def weights(arms: Mapping[str, Sequence[float]], right: float | None = None) -> Picture:
    """The weight of each micro-batch of one update, a group of bars a micro-batch, a colour an arm.

    `right` draws a dotted line.
    """
    picture = Picture(f"the weight of each micro-batch for {', '.join(arms)}", height=2.9)
    with DRAWING, rc_context(STYLE):
        axes, width = picture.subplots(), 0.8 / len(arms)
        for number, (label, values) in enumerate(arms.items()):
            places = np.arange(1, len(values) + 1) + (number - (len(arms) - 1) / 2) * width
            axes.bar(places, values, width * 0.92, color=COLOURS[number], label=label)
            for place, value in zip(places, values, strict=True):
                axes.annotate(f"{value:.3f}".removeprefix("0"), (place, value), ha="center", va="bottom", fontsize=8)
        if right is not None:
            axes.axhline(right, color=INK, linewidth=1, linestyle=":")
        axes.set(title="weight in the update", xlabel="micro-batch")
        axes.set_xticks(range(1, max(map(len, arms.values())) + 1))
        axes.margins(y=0.15)
        axes.grid(axis="x", visible=False)
        _legend(picture, axes)
    return picture


def curves(x: Sequence[float], lines: Mapping[str, Sequence[float]], *, title: str, xlabel: str, logx: bool = False,
           logy: bool = False, level: tuple[str, float] | None = None, marker: str | None = None,
           ylim: tuple[float, float] | None = None) -> Picture:
    """Lines over one axis, a colour and a dash pattern each; `(runs, len(x))` values are several lines alike.

    `level` is a named horizontal line.
    """
    picture = Picture(f"{title} against {xlabel} for {', '.join(lines)}")
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        for (label, y), colour, dash in zip(lines.items(), COLOURS, DASHES, strict=False):
            for number, line in enumerate(np.atleast_2d(np.asarray(y, dtype=float))):
                axes.plot(x, line, color=colour, linestyle=dash, label=None if number else label, marker=marker,
                          markersize=4)
        axes.set(title=title, xlabel=xlabel)
        if logx:
            axes.set_xscale("log")
            axes.set_xticks(x, [f"{value:g}" for value in x], minor=False)
            axes.set_xticks([], minor=True)
        if logy:
            axes.set_yscale("log")
        if level is not None:
            axes.axhline(level[1], color=INK, linewidth=1, linestyle=":", label=level[0])
        if ylim is not None:
            axes.set_ylim(ylim)
        axes.margins(x=0.02)
        _legend(picture, axes)
    return picture


def memory(arms: Mapping[str, StepMemory]) -> Picture:
    """What each kind of step keeps in memory, a bar an arm, a colour for each of the four parts."""
    picture = Picture(f"memory of a training step for {', '.join(arms)}", height=0.9 + 0.42 * len(arms))
    hatches = (None, "//", "..", None)
    with DRAWING, rc_context({**STYLE, "hatch.linewidth": 0.6}):
        axes, left = picture.subplots(), np.zeros(len(arms))
        for place, part in enumerate(StepMemory._fields):
            sizes = np.array([getattr(measured, part) / 2**20 for measured in arms.values()])
            axes.barh(range(len(arms)), sizes, 0.62, left=left, color=COLOURS[(2, 4, 3, 0)[place]], label=part,
                      hatch=hatches[place], edgecolor="white", linewidth=0.8)
            left += sizes
        axes.set_yticks(range(len(arms)), list(arms))
        axes.invert_yaxis()
        axes.set(title="kept in memory during one update", xlabel="MiB")
        axes.grid(axis="y", visible=False)
        _legend(picture, axes)
    return picture


def _legend(picture: Picture, axes) -> None:
    """Below the chart, where it leaves the chart its width."""
    handles, labels = axes.get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside lower center", ncols=4)
