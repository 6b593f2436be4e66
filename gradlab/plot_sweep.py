"""Charts of a sweep: a map over two settings, and the loss against the learning rate."""

import numpy as np
from matplotlib import rc_context

from gradlab.plot import COLOURS, DASHES, DRAWING, INK, LABELS, STYLE, Picture
from gradlab.sweep import Sweep, sensitivities

WORDS = {**LABELS, "warmup_steps": "warmup, updates", "lr": "learning rate", "max_norm": "max_norm"}
MARKERS = "os^Dv*"


def loss_map(swept: Sweep, *, failed_above: float = 2.0, title: str = "") -> Picture:
    """The median final loss at every combination of two settings: the first of `swept.axes` upwards, the second across.

    Darker is lower. Each field holds the number, and a cross with the number of seeds that failed where any ended
    above `failed_above` or diverged. Errors: ValueError for a sweep that has not two axes.
    """
    if len(swept.axes) != 2:
        raise ValueError(f"a map needs a sweep over two settings, and this one is over {', '.join(swept.axes)}")
    (upwards, rows), (across, columns) = swept.axes.items()
    seeds, medians = swept.losses.shape[-1], swept.medians
    picture = Picture(f"final loss for {len(rows)} values of {upwards} by {len(columns)} of {across}",
                      width=1.9 + 0.95 * len(columns), height=1.1 + 0.42 * len(rows))
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        low = float(np.min(swept.losses))
        # On a logarithmic scale: what matters is the distance from the floor, and the worst would flatten the rest.
        shade = np.log(np.clip(np.nan_to_num(medians, nan=failed_above), low, failed_above))
        axes.imshow(shade, cmap="cividis", origin="lower", aspect="auto", vmin=np.log(low), vmax=np.log(failed_above))
        for row, column in np.ndindex(medians.shape):
            failed = int((~(swept.losses[row, column] <= failed_above)).sum())
            median = medians[row, column]
            text = f"{median:.2f}" if median <= 10 else "lost"
            dark = shade[row, column] < (np.log(low) + np.log(failed_above)) / 2
            axes.text(column, row, text + (f"\n✕ {failed} of {seeds}" if failed else ""), ha="center", va="center",
                      color="white" if dark else "black", fontsize=8.5, linespacing=1.1)
        axes.set_xticks(range(len(columns)), [_short(value) for value in columns])
        axes.set_yticks(range(len(rows)), [_short(value) for value in rows])
        axes.set(xlabel=WORDS.get(across, across), ylabel=WORDS.get(upwards, upwards),
                 title=title or "final loss, median")
        axes.grid(visible=False)
    return picture


def loss_against_lr(swept: Sweep, *, title: str = "") -> Picture:
    """The median final loss against the learning rate, a line for each value of the other axis.

    The dotted line is the initial loss, at which sensitivity cuts off; the legend gives the median sensitivity. Errors:
    ValueError for a sweep that is not over `lr` and one other setting.
    """
    if len(swept.axes) != 2 or "lr" not in swept.axes:
        raise ValueError(f"this chart needs a sweep over lr and one more, and this one is over {', '.join(swept.axes)}")
    (other,) = (name for name in swept.axes if name != "lr")
    losses = swept.losses if next(iter(swept.axes)) == "lr" else np.moveaxis(swept.losses, 1, 0)
    initial, told = float(np.median(swept.initial)), np.median(sensitivities(swept), axis=-1)
    picture = Picture(f"final loss against learning rate for {len(swept.axes[other])} values of {other}", width=6.4,
                      height=3.4)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        for number, value in enumerate(swept.axes[other]):
            each = np.minimum(np.nan_to_num(losses[:, number], nan=np.inf), initial)  # (rates, seeds)
            axes.plot(swept.axes["lr"], np.median(each, axis=-1), MARKERS[number % 6], color=COLOURS[number % 6],
                      linestyle=DASHES[number % 6], markersize=5,
                      label=f"{_named(other, value)}: sensitivity {told[number]:.2f}")
            axes.fill_between(swept.axes["lr"], each.min(axis=-1), each.max(axis=-1), color=COLOURS[number % 6],
                              alpha=0.12, linewidth=0)
        axes.axhline(initial, color=INK, linewidth=1, linestyle=":")
        axes.annotate("initial loss", (0.01, initial), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
        axes.set(xscale="log", xlabel="learning rate", title=title or "final loss, median and range over the seeds",
                 ylim=(0, initial * 1.12))
        axes.set_xticks(swept.axes["lr"], [f"{rate:g}" for rate in swept.axes["lr"]])
        axes.minorticks_off()
        axes.legend(loc="best", fontsize=8.5)
    return picture


def _named(setting: str, value) -> str:
    if setting == "warmup_steps":
        return f"{value} updates of warmup"
    return f"{WORDS.get(setting, setting)} {value}"


def _short(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
