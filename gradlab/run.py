"""run and run_seeds: a recipe to its end, with a line to read and a bar to wait by."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from tqdm.auto import tqdm

from gradlab.history import History, Step
from gradlab.recipe import Recipe, RecipeError
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
    if isinstance(seeds, int) and seeds < 1:
        raise ValueError(f"seeds must be at least 1, or an iterable of seeds, got {seeds!r}")
    recipes = [recipe.replace(seed=seed) for seed in (range(seeds) if isinstance(seeds, int) else seeds)]
    if not recipes:
        raise ValueError("seeds names no seed; give a number of seeds or an iterable of them")
    # torch lets other Python threads run while it computes, so two runs share two cores; each has its own numbers.
    workers = ThreadPoolExecutor(min(2, os.cpu_count() or 1), initializer=torch.set_num_threads, initargs=(1,))
    try:
        return list(_bar(workers.map(lambda each: History(train(each)), recipes), len(recipes), "seeds"))
    finally:
        workers.shutdown(cancel_futures=True)  # after an interrupt: finish what runs, begin nothing more


@contextmanager
def one_thread():
    """Let torch use one thread inside, and as many as before afterwards.

    On tensors as small as the lab's a second thread gains a fifth of the time on an idle machine, and on a busy one
    the threads spend most of it waiting for each other.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
