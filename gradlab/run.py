"""run and run_seeds: a recipe to its end, with a line to read and a bar to wait by."""

import itertools
import operator
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from tqdm.auto import tqdm

from gradlab.history import History, Step
from gradlab.recipe import Recipe, RecipeError
from gradlab.threads import one_thread
from gradlab.train import train

PATIENCE = 3.0  # seconds that anybody waits without a bar


def run(recipe: Recipe | None = None, log_every: int | None = None) -> History:
    """The history of a recipe: `History(train(recipe))`, of the default recipe if none is given.

    `log_every=10` prints every tenth step and the last. A bar appears where a run takes longer than a few seconds.
    The run is made on one thread, as in the live panel, so both give the same numbers.
    """
    recipe = _checked(recipe or Recipe())
    if log_every is not None and (isinstance(log_every, bool) or not isinstance(log_every, int) or log_every < 1):
        raise ValueError(f"log_every must be a whole number of at least 1, or None for silence, got {log_every!r}")
    steps = train(recipe)
    with one_thread():
        return History(_logged(steps, log_every) if log_every else _bar(steps, recipe.steps, "steps"))


def run_seeds(recipe: Recipe, seeds: int | Iterable[int] = 5) -> list[History]:
    """The histories of a recipe under several seeds: `seeds=5` is 0 to 4, an iterable names them.

    One seed shows that something can happen; several show how often it does. Two runs are made at a time, each on
    one thread, with the same numbers as `run`.
    """
    recipe = _checked(recipe)
    try:
        named = list(range(operator.index(seeds))) if not isinstance(seeds, Iterable) else list(seeds)
    except TypeError:
        raise TypeError(f"seeds must be a number of seeds or an iterable of them, got {seeds!r}") from None
    if not named or isinstance(seeds, bool):
        raise ValueError(f"seeds must name at least 1 seed, got {seeds!r}; give their number or an iterable of them")
    recipes = [recipe.replace(seed=seed) for seed in named]

    stop = threading.Event()

    def history(each: Recipe) -> History:
        torch.set_num_threads(1)  # here as well: the main thread's setting does not bind BLAS in a new thread
        return History(itertools.takewhile(lambda _: not stop.is_set(), train(each)))

    # torch lets other Python threads run while it computes, so two runs share two cores; each has its own numbers.
    workers = ThreadPoolExecutor(min(2, os.cpu_count() or 1))
    with one_thread():
        try:
            return list(_bar(workers.map(history, recipes), len(recipes), "seeds"))
        finally:  # after an interrupt: no update after those in progress, and no thread left behind
            stop.set()
            workers.shutdown(cancel_futures=True)


def _checked(recipe: Recipe) -> Recipe:
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"a run needs a Recipe, got {recipe!r:.60}; write Recipe(lr=0.3)")
    return recipe


def _logged(steps: Iterable[Step], log_every: int) -> Iterator[Step]:
    last = None
    for last in steps:
        if last.step % log_every == 0:
            print(last)
        yield last
    if last is not None and last.step % log_every:
        print(last)


def _bar(items: Iterable, total: int, unit: str) -> Iterable:
    # GRADLAB_PROGRESS=off: a bar that appears on slow machines only would make stored notebooks differ.
    return tqdm(items, total=total, unit=unit, delay=PATIENCE, leave=False,
                disable=os.environ.get("GRADLAB_PROGRESS") == "off")
