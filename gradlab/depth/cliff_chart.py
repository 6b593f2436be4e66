"""The cliff as a landscape in three dimensions and as a map, with the ways of descents on both, and their cost."""

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from mpl_toolkits.mplot3d import Axes3D  # noqa: F401  (makes projection="3d" known)

from gradlab.depth.cliff import Descent, Landscape, landscape
from gradlab.plot import COLOURS, DASHES, DRAWING, INK, STYLE, Picture

MARK = {"markersize": 9, "markeredgecolor": INK, "linestyle": "none"}
SHADES = {"cmap": "Greys", "vmin": 0.0}


def cliff_picture(descents: Mapping[str, Descent] | None = None, *, w: tuple[float, float] = (4.0, 6.5),
                  b: tuple[float, float] = (-3.2, -1.5), view: tuple[float, float] = (38.0, 84.0)) -> Picture:
    """The cost over w and b as a landscape with each descent on it, beside it a map, and the cost against the update.

    - `descents`: from one start each, by label, the start marked by a white disc. One that leaves the landscape is
      drawn as far as it stays on it, with a cross on its last point and a dotted line in the direction in which it was
      thrown; the end of one that stays is a disc in its colour
    - `view`: elevation and turn of the eye, degrees

    Errors: ValueError for a descent from several starts, and for ends of w and b that do not rise.
    """
    descents = dict(descents or {})
    for label, descent in descents.items():
        if np.ndim(descent.w) != 1:
            raise ValueError(f"a landscape shows descents from one start, got {label!r} with shape {descent.w.shape}")
    ground = landscape(w, b, points=(120, 120))
    top = float(ground.cost.max())
    named = f", with the descents {', '.join(descents)}" if descents else ""
    picture = Picture(f"landscape of a cost with a cliff{named}", width=9.2 if descents else 5.4, height=4.8)
    with DRAWING, rc_context(STYLE):
        if not descents:
            _landscape(picture.add_subplot(projection="3d", computed_zorder=False), ground, descents, top, view)
            return picture
        cells = picture.add_gridspec(2, 2, width_ratios=(1.75, 1))
        hill = picture.add_subplot(cells[:, 0], projection="3d", computed_zorder=False)
        _landscape(hill, ground, descents, top, view)
        _map(picture.add_subplot(cells[0, 1]), ground, descents, top)
        _costs(picture.add_subplot(cells[1, 1]), descents)
    return picture


def _landscape(axes, ground: Landscape, descents: Mapping[str, Descent], top: float, view) -> None:
    axes.plot_surface(*np.meshgrid(ground.w, ground.b, indexing="ij"), ground.cost, **SHADES, vmax=1.6 * top,
                      rcount=80, ccount=80, linewidth=0, alpha=0.95, zorder=1)
    for number, descent in enumerate(descents.values()):
        way, thrown = _way(descent, ground, top)
        height = np.minimum(descent.cost + 0.02 * top, top)  # a little above the surface, not in it
        sides = [] if thrown is None or not way else [height[way - 1], top]
        _draw(axes, descent, number, way, thrown, [height[:way]], [sides])
    axes.set(xlim=ground.w[[0, -1]], ylim=ground.b[[0, -1]], zlim=(0, top), title="cost of the one-unit network")
    axes.set_xlabel("w", labelpad=-3)
    axes.set_ylabel("b", labelpad=-3)
    axes.set_zlabel("cost", labelpad=-3)
    axes.locator_params(nbins=4)
    axes.tick_params(labelsize=8, pad=-2)
    axes.view_init(*view)
    axes.set_box_aspect((1, 1, 0.6), zoom=1.1)


def _map(axes, ground: Landscape, descents: Mapping[str, Descent], top: float) -> None:
    axes.pcolormesh(ground.w, ground.b, ground.cost.T, **SHADES, vmax=1.3 * top, rasterized=True)
    for number, descent in enumerate(descents.values()):
        _draw(axes, descent, number, *_way(descent, ground, top), [], [])
    axes.set(xlim=ground.w[[0, -1]], ylim=ground.b[[0, -1]], title="seen from above", xlabel="w", ylabel="b")
    axes.grid(visible=False)


def _way(descent: Descent, ground: Landscape, top: float) -> tuple[int, np.ndarray | None]:
    """How many points lie on the landscape before the first that does not, and the stretch to the edge after them."""
    ends = (ground.w[[0, -1]], ground.b[[0, -1]])
    inside = [(at >= low) & (at <= high) for at, (low, high) in zip((descent.w, descent.b), ends, strict=True)]
    on = inside[0] & inside[1] & (descent.cost <= top)
    if on.all():
        return len(on), None
    way = int(on.argmin())
    if not way:
        return 0, None
    at, beyond = (np.array([descent.w[n], descent.b[n]]) for n in (way - 1, way))
    thrown = beyond - at
    room = [(edge - here) / step for here, step, pair in zip(at, thrown, ends, strict=True)
            for edge in pair if step and (edge - here) / step > 0]
    return way, np.stack([at, at + min([1.0, *room]) * thrown], axis=1)


def _draw(axes, descent: Descent, number: int, way: int, thrown, height: list, sides: list) -> None:
    """One descent: `way` points of it, and where it was thrown; `height` and `sides` are their third coordinates."""
    if not way:
        return
    colour = COLOURS[number % len(COLOURS)]
    # The first is the widest, so that a later one on the same way leaves its edges to be seen.
    axes.plot(descent.w[:way], descent.b[:way], *height, color=colour, linewidth=max(0.9, 3.2 - 2.3 * number),
              zorder=4 + number)
    last = [[values[way - 1]] for values in (descent.w, descent.b, *height)]
    start = [[values[0]] for values in (descent.w, descent.b, *height)]
    axes.plot(*start, "o", color="white", zorder=9, **MARK)
    axes.plot(*last, "o" if thrown is None else "X", color=colour, zorder=9, **MARK)
    if thrown is not None:
        axes.plot(*thrown, *sides, color=colour, linestyle=":", linewidth=2.2, zorder=8)


def _costs(axes, descents: Mapping[str, Descent]) -> None:
    for number, (label, descent) in enumerate(descents.items()):
        axes.plot(descent.cost, color=COLOURS[number % len(COLOURS)], linestyle=DASHES[number % len(DASHES)],
                  label=label, linewidth=max(0.8, 1.8 - number))
    axes.set(yscale="log", title="cost", xlabel="update")
    axes.margins(x=0.02)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 1e-4), 1000 * high)  # room for the legend above the lines
    axes.legend(loc="upper left", fontsize=8.5)
