"""The panel as a picture: the same four charts, drawn with matplotlib for notebooks without a kernel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context

from gradlab.history import History
from gradlab.plot import DRAWING, INK, STYLE, Picture

from .colours import BLUE, GREEN, PURPLE, TINTS, VERMILLION

WINDOW = 25  # steps that the share of clipped steps is taken over


def still_figure(history: History, pinned: Mapping[str, History] | None = None, floor: float | None = None) -> Picture:
    """A Picture of a run's loss, gradient norm, share of clipped steps and update size, with pinned runs as ghosts.

    `floor` is the lowest loss that can be reached on average, nats. The run may be empty: the charts are then, too.
    """
    pinned = dict(pinned or {})
    picture = Picture(_alt(history, pinned), width=9.0, height=5.0 + (0.25 if pinned else 0))
    with DRAWING, rc_context(STYLE | {"font.size": 8.5, "axes.titlesize": 9.5, "lines.linewidth": 1.4}):
        charts = picture.subplots(2, 2, sharex=True)
        last = max([20, *(len(run) for run in (history, *pinned.values()))])
        for axes in charts.flat:
            axes.set_xlim(0, last * 1.04)
        ghosts = list(zip(pinned.items(), TINTS, strict=False))
        for number, ((label, run), tint) in enumerate(ghosts, 1):
            for axes, values in zip(charts.flat, _columns(run), strict=True):
                axes.plot(run.step, values, color=tint, linewidth=1, alpha=0.8, label=f"{number}  {label}")
        _loss(charts[0, 0], history, pinned, floor)
        _norms(charts[0, 1], history, pinned)
        _clipped(charts[1, 0], history)
        _updates(charts[1, 1], history)
        for axes, column in zip(charts.flat, range(4), strict=True):
            _numbers(axes, [(run, _columns(run)[column], tint) for (_, run), tint in ghosts])
        for axes in charts[1]:
            axes.set_xlabel("step")
        for axes in charts.flat:
            if history.diverged:
                _diverged(axes, history, first=axes is charts[0, 0])
        if pinned:
            picture.legend(*charts[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return picture


def still_png(history: History, pinned: Mapping[str, History] | None = None, floor: float | None = None) -> bytes:
    """The bytes of `still_figure` as a PNG; the same data give the same bytes."""
    return still_figure(history, pinned, floor).png()


def clipped_share(history: History) -> np.ndarray:
    """Percentage of the last `WINDOW` steps that were clipped, at each step."""
    total = np.cumsum(np.concatenate([[0], history.clipped.astype(float)]))
    ends = np.arange(1, len(history) + 1)
    starts = np.maximum(0, ends - WINDOW)
    return 100 * (total[ends] - total[starts]) / np.maximum(1, ends - starts)


def _columns(history):
    """What each of the four charts draws of a run, as arrays with NaN where nothing can be drawn."""
    with np.errstate(divide="ignore", invalid="ignore"):
        update = np.log10(history.update_ratio)
    columns = [history.loss, history.norm_before, clipped_share(history), update]
    return [np.where(np.isfinite(values), values, np.nan) for values in columns]


def _numbers(axes, ghosts):
    """Each ghost's number at the end of its curve, inside the chart; those that would touch stand side by side."""
    taken = []
    for number, (run, values, tint) in enumerate(ghosts, 1):
        drawn = np.flatnonzero(np.isfinite(values))
        if not len(drawn):
            continue
        y = float(np.clip(values[drawn[-1]], *axes.get_ylim()))
        place = axes.transAxes.inverted().transform(axes.transData.transform((run.step[drawn[-1]], y)))
        x, y = place[0] + 0.01, min(0.97, max(0.03, place[1]))
        while any(abs(x - at[0]) < 0.022 and abs(y - at[1]) < 0.07 for at in taken):
            x += 0.022
        taken.append((x, y))
        axes.annotate(f"{'×' if run.diverged else ''}{number}", (x, y), xycoords="axes fraction", color=tint,
                      va="center", fontsize=8, fontweight="bold", annotation_clip=False)


def _loss(axes, history, pinned, floor):
    axes.set_title("loss, nats per character")
    axes.plot(history.step, _columns(history)[0], color=BLUE)
    seen = np.concatenate([_columns(run)[0] for run in (history, *pinned.values())])
    first = [run.loss[0] for run in (history, *pinned.values()) if len(run) and np.isfinite(run.loss[0])]
    # A run that leaves this frame has failed already; its way through the powers of ten would flatten all else.
    cap = 1.75 * (float(np.median(first)) if first else 4.0)
    axes.set_ylim(0, 1.05 * min(cap, np.nanmax(seen) if np.isfinite(seen).any() else cap))
    if floor is not None:
        _legend(axes, [axes.axhline(floor, color=INK, linewidth=1, linestyle=":")], [f"lowest on average, {floor:.3g}"])


def _norms(axes, history, pinned):
    axes.set(title="gradient norm", yscale="log")
    after, before = (np.where(np.isfinite(v) & (v > 0), v, np.nan) for v in (history.norm_after, history.norm_before))
    limit = np.where(np.isfinite(history.max_norm), history.max_norm, np.nan)
    # The second covers the first where nothing is clipped; what clipping took away stands out.
    axes.plot(history.step, before, color=VERMILLION, linewidth=1.2, label="before")
    axes.plot(history.step, after, color=BLUE, linewidth=1.8, label="after")
    axes.step(history.step, limit, where="mid", color=INK, linewidth=1, linestyle="--", label="max_norm")
    seen = np.concatenate([before, after, *(_columns(run)[1] for run in pinned.values())])
    seen = seen[np.isfinite(seen) & (seen > 0)]
    if len(seen):
        middle = np.median(seen)
        low, high = max(seen.min(), middle / 1e3), min(seen.max(), middle * 1e3)
        axes.set_ylim(low / 1.4, high * 1.4)
    else:
        axes.set_ylim(0.1, 10)
    handles, labels = axes.get_legend_handles_labels()
    _legend(axes, handles[-3:], labels[-3:])  # the ghosts' names stand below all charts


def _legend(axes, handles, labels):
    """A legend on the title's line, where it covers no curve."""
    axes.legend(handles, labels, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(labels), fontsize=8,
                borderaxespad=0.1, handlelength=1.6, columnspacing=1.2)


def _clipped(axes, history):
    axes.set(title=f"clipped, % of the last {WINDOW} steps", ylim=(-4, 104), yticks=(0, 25, 50, 75, 100))
    axes.plot(history.step, _columns(history)[2], color=PURPLE, linewidth=1.8)


def _updates(axes, history):
    axes.set_title("log10 of update / parameter")
    values = _columns(history)[3]
    axes.plot(history.step, values, color=GREEN)
    drawn = values[np.isfinite(values)]
    axes.set_ylim(max(-9, min(-4, drawn.min(initial=0) - 0.2)), min(3, max(-1, drawn.max(initial=-9) + 0.2)))
    axes.axhline(-3, color=INK, linewidth=1, linestyle=":")  # to read the scale by: dashed would be a limit


def _diverged(axes, history, first):
    where = history.first_nonfinite_step
    axes.axvline(where, color=VERMILLION, linewidth=1, linestyle=(0, (2, 2)))
    if first:
        axes.annotate(f" diverged at step {where} ", (where, 0.5), xycoords=("data", "axes fraction"), color=VERMILLION,
                      ha="right" if where > axes.get_xlim()[1] / 2 else "left", va="top", fontsize=8)


def _alt(history, pinned):
    words = "empty charts" if not len(history) else "a run"
    return f"{words}: loss, gradient norm, share of clipped steps, update size" + \
        (f"; pinned: {'; '.join(pinned)}" if pinned else "")
