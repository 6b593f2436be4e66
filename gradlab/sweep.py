"""Sweep: the same recipe at every combination of some settings, and how much its learning rate matters."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradlab.recipe import Recipe, RecipeError
from gradlab.run import run_seeds


@dataclass(frozen=True, eq=False)
class Sweep:
    """What came of a `sweep`.

    - `axes`: the settings by name, `{"lr": (0.1, 0.3), "warmup_steps": (0, 30)}`, in the order of the arrays' axes
    - `losses`: final losses in nats, float64, shape `(len(axis), ..., seeds)`; inf where a run diverged
    - `initial`: losses before the first update, of the same shape
    """

    axes: Mapping[str, tuple]
    losses: np.ndarray
    initial: np.ndarray

    @property
    def medians(self) -> np.ndarray:
        """Median over the seeds of the final losses, shape `(len(axis), ...)`; inf where half of the runs diverged."""
        with np.errstate(invalid="ignore"):  # the mean of inf and inf
            return np.median(self.losses, axis=-1)

    def at(self, **settings) -> np.ndarray:
        """The final losses of one setting, one a seed: `at(lr=0.1, warmup_steps=30)`; an axis left out is kept whole.

        Errors: ValueError for an axis or a value that was not swept.
        """
        place: list = [slice(None)] * len(self.axes)
        for name, value in settings.items():
            if name not in self.axes:
                raise ValueError(f"{name} was not swept; the axes are {', '.join(self.axes)}")
            if value not in self.axes[name]:
                raise ValueError(f"{name}={value!r} was not swept; it took {', '.join(map(str, self.axes[name]))}")
            place[list(self.axes).index(name)] = self.axes[name].index(value)
        return self.losses[tuple(place)]

    def __repr__(self) -> str:
        swept = ", ".join(f"{len(values)} values of {name}" for name, values in self.axes.items())
        return f"<Sweep: {swept}, {self.losses.shape[-1]} seeds>"


def sweep(recipe: Recipe, seeds: int | Iterable[int] = 3, **axes: Iterable) -> Sweep:
    """Run `recipe` at every combination of the values of `axes`, under several seeds.

        sweep(Recipe(optimizer="adamw"), seeds=2, lr=(0.01, 0.1), warmup_steps=(0, 30))

    `axes` are fields of the recipe. Everything is trained anew: 2 x 2 x 2 runs here.

    Errors: RecipeError for an axis that is no field of a recipe or a value that it cannot take, and ValueError for no
    axis or an empty one, all before the first run.
    """
    if not axes:
        raise ValueError("a sweep needs at least one axis, such as lr=(0.1, 0.3)")
    swept = {}
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise ValueError(f"{name} must be several values to sweep over, got {values!r}; write {name}=({values!r},)")
        swept[name] = tuple(values)
        if not swept[name]:
            raise ValueError(f"{name} has no values to sweep over")
        if name == "seed":
            raise RecipeError("seed is no axis; give the seeds themselves, as in sweep(recipe, seeds=(3, 4))")
    recipes = [recipe.replace(**dict(zip(swept, values, strict=True))) for values in itertools.product(*swept.values())]
    histories = [run_seeds(each, seeds) for each in recipes]
    shape = (*map(len, swept.values()), len(histories[0]))
    losses = np.array([[history.final_loss for history in runs] for runs in histories]).reshape(shape)
    initial = np.array([[history.loss[0] for history in runs] for runs in histories]).reshape(shape)
    return Sweep(swept, losses, initial)


def lr_sensitivity(losses: Sequence[float], initial_loss: float) -> float:
    """How much a learning rate that is off costs: the mean over rates of min(loss, initial loss), less the best loss.

    - `losses`: final losses of the same recipe at several rates, evenly spaced on a logarithmic axis; inf and NaN, from
      runs that diverged, count as `initial_loss`
    - `initial_loss`: the loss before the first update, the same unit

    0 where every rate ends as low as the best; `initial_loss` less the best, about, where only one rate learns. It
    belongs to its range of rates: only sensitivities over the same rates can be compared. Source: Wortsman and others,
    "Small-scale proxies for large-scale Transformer training instabilities", https://arxiv.org/abs/2309.14322.

    Errors: ValueError without losses or for an initial loss that is not finite.
    """
    if isinstance(initial_loss, bool) or not math.isfinite(initial_loss):
        raise ValueError(f"initial_loss must be a finite number, got {initial_loss!r}")
    found = np.asarray(losses, dtype=float)
    if found.ndim != 1 or not len(found):
        raise ValueError(f"losses must hold a final loss for each rate, one after another, got {losses!r:.80}")
    capped = np.minimum(np.where(np.isnan(found), np.inf, found), initial_loss)
    return float(capped.mean() - capped.min())


def sensitivities(swept: Sweep) -> np.ndarray:
    """`lr_sensitivity` of a sweep over `lr` and one more axis, shape `(len(other axis), seeds)`, or `(seeds,)`.

    Errors: ValueError for a sweep without the axis `lr`.
    """
    if "lr" not in swept.axes:
        raise ValueError(f"sensitivity to the rate needs a sweep over lr, and this one is over {', '.join(swept.axes)}")
    place = list(swept.axes).index("lr")
    losses, initial = np.moveaxis(swept.losses, place, -1), np.moveaxis(swept.initial, place, -1)
    shape = losses.shape[:-1]
    return np.array([lr_sensitivity(losses[index], initial[index][0]) for index in np.ndindex(shape)]).reshape(shape)
