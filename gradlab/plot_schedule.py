"""Charts of learning rates over a run, and of sharpness beside the limit that a learning rate sets."""

from collections.abc import Mapping, Sequence

from matplotlib import rc_context

from gradlab.plot import COLOURS, DASHES, DRAWING, INK, STYLE, Picture
from gradlab.recipe import Recipe


def learning_rates(recipes: Mapping[str, Recipe], *, beyond: int = 0, title: str = "learning rate") -> Picture:
    """The learning rate of every update of some recipes, a line each; `beyond` draws so many updates after the end.

    A grey line marks the end of the longest run. Errors: ValueError for no recipe.
    """
    if not recipes:
        raise ValueError("a chart of learning rates needs at least 1 recipe, as in {'cosine': recipe}")
    picture = Picture(f"learning rate against update for {', '.join(recipes)}", width=6.4, height=2.9)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        for (label, recipe), colour, dash in zip(recipes.items(), COLOURS, DASHES, strict=False):
            updates = range(recipe.steps + beyond)
            axes.plot(updates, [recipe.lr_at(step) for step in updates], color=colour, linestyle=dash, label=label)
        if beyond:
            end = max(recipe.steps for recipe in recipes.values())
            axes.axvline(end, color=INK, linewidth=1, linestyle=":")
            axes.annotate(" end of the run", (end, 0.02), xycoords=("data", "axes fraction"), fontsize=8)
        axes.set(title=title, xlabel="update")
        axes.set_ylim(bottom=0)
        axes.margins(x=0.02)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return picture


def against_limit(arms: Mapping[str, Sequence[tuple[Sequence[int], Sequence[float]]]],
                  limits: Mapping[str, float | tuple[Sequence[int], Sequence[float]]], *, top: float | None = None,
                  logarithmic: bool = False, title: str = "sharpness") -> Picture:
    """Sharpness against update, a colour an arm and a line a seed, with the limit of each arm as a dashed line.

    - `arms`: by name the runs of an arm, each a pair `(updates, sharpness)`
    - `limits`: by the same names the sharpness above which a step is too long, a number or a pair like a run's

    `top` is the highest shown; what lies above it is left out. Errors: ValueError for a limit without an arm.
    """
    for name in limits:
        if name not in arms:
            raise ValueError(f"there is a limit for {name!r} and no arm of that name; arms are {', '.join(arms)}")
    picture = Picture(f"sharpness against update for {', '.join(arms)}, with the limits that the rates set", width=6.4,
                      height=3.2)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        for (label, runs), colour in zip(arms.items(), COLOURS, strict=False):
            for number, (updates, values) in enumerate(runs):
                axes.plot(updates, values, marker="o", markersize=3, linewidth=1.2, color=colour, alpha=0.85,
                          label=label if number == 0 else None)
            limit = limits.get(label)
            if isinstance(limit, tuple):
                axes.plot(*limit, color=colour, linestyle="--", linewidth=1.4)
            elif limit is not None:
                axes.axhline(limit, color=colour, linestyle="--", linewidth=1.4)
                axes.annotate(f"{limit:.3g}", (1.0, limit), xycoords=("axes fraction", "data"), va="bottom",
                              ha="right", fontsize=8, color=colour)
        axes.set(title=title, xlabel="update")
        if logarithmic:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        if top is not None:
            axes.set_ylim(top=top)
        axes.plot([], [], color=INK, linestyle="--", linewidth=1.4, label="limit")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return picture
