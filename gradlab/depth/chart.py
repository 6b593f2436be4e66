"""Charts of profiles: the norm of the gradient against depth."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.ticker import MaxNLocator

from gradlab.depth import given
from gradlab.depth.profile import Profile, typical
from gradlab.plot import COLOURS, DASHES, DRAWING, STYLE, Picture

MARKS = ("o", "s", "^", "D", "v", "P")
ENDS = {"layer": "layer (1 is next to the input)", "block": "block (1 is next to the input)",
        "time step": "time step (the loss is at the last)"}


def profiles(arms: Mapping[str, Profile | Sequence[Profile]], *, title: str = "gradient norm",
             limits: tuple[float, float] | None = None) -> Picture:
    """The norm of the gradient against the place, on a log axis; one colour and mark an arm.

    Of several profiles in an arm, one a seed, the median is drawn, and a band from the smallest to the largest.
    `limits` are the ends of the axis of norms; a norm beyond them is drawn at the edge, as an open mark. Without them
    the axis fits the profiles. Places without a gradient (NaN) and norms of 0 are drawn at the lower edge.

    Errors: ValueError without profiles, and for limits that do not rise above 0.
    """
    arms = {label: [one] if isinstance(one, Profile) else list(one) for label, one in arms.items()}
    if not arms or not all(arms.values()):
        raise ValueError("a chart needs at least one profile in each arm, got "
                         + (", ".join(f"{label}: {len(one)}" for label, one in arms.items()) or "no arm"))
    if limits is not None and not given.size("limits", limits[0]) < given.size("limits", limits[1]):
        raise ValueError(f"limits must rise, got {limits}")
    places = {profile.place for one in arms.values() for profile in one}
    if len(places) > 1:
        raise ValueError(f"profiles in one chart must count the same, got {' and '.join(sorted(places))}")
    low, high = limits or _fitting([profile for one in arms.values() for profile in one])
    picture = Picture(f"gradient norm against depth for {', '.join(arms)}", width=6.4, height=3.3)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        for number, (label, one) in enumerate(arms.items()):
            _arm(axes, label, one, number, low, high)
        place = places.pop()
        axes.set(yscale="log", ylim=(low, high), title=title, xlabel=ENDS.get(place, place))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        axes.margins(x=0.03)
        if len(arms) > 1:
            axes.legend(loc="best", fontsize=8.5)
    return picture


def _arm(axes, label: str, one: Sequence[Profile], number: int, low: float, high: float) -> None:
    colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
    norms = typical(one).norms
    places = np.arange(1, len(norms) + 1)
    shown = np.clip(np.nan_to_num(norms, nan=low, posinf=high), low, high)
    inside = np.isfinite(norms) & (norms >= low) & (norms <= high)
    style = {"color": colour, "marker": mark, "markersize": 4}
    marked = list(np.flatnonzero(inside))
    axes.plot(places, shown, linestyle=DASHES[number % len(DASHES)], label=label, markevery=marked, **style)
    axes.plot(places[~inside], shown[~inside], linestyle="none", markerfacecolor="white", clip_on=False, zorder=5,
              **style)
    if len(one) > 1:
        every = np.clip(np.nan_to_num([profile.norms for profile in one], nan=low, posinf=high), low, high)
        axes.fill_between(places, every.min(axis=0), every.max(axis=0), color=colour, alpha=0.15, linewidth=0)


def _fitting(profiles: Sequence[Profile]) -> tuple[float, float]:
    norms = np.concatenate([profile.norms for profile in profiles])
    norms = norms[np.isfinite(norms) & (norms > 0)]
    if not len(norms):
        return 1e-3, 1e3
    low, high = np.log10([norms.min(), norms.max()])
    middle, half = (low + high) / 2, (high - low) / 2
    half = max(1.0, 1.08 * half)  # two orders of magnitude at least: noise must not look like a trend
    return 10 ** max(middle - half, -200.0), 10 ** min(middle + half, 200.0)
