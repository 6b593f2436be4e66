"""Log: what a case's loop wrote down while it trained, and running a loop to get one."""

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing

import numpy as np
import torch
from torch import Tensor

from gradlab import ledger
from gradlab.data import Batch, NumberWords
from gradlab.model import Transformer
from gradlab.recipe import Recipe
from gradlab.threads import one_thread
from gradlab.train import DATA_STREAM, make_model

# A loop as its people would have written it: it makes its own optimizer, trains as long as there are batches, and
# yields a row of its log after every update.
Loop = Callable[[Transformer, Iterator[Batch]], Iterator[Mapping[str, float]]]


class Log:
    """What a loop logged, a row an update; each name it logged is a column, a float64 array: `log.loss`.

    - `seed`: decided the first weights and the data
    - `moved`: L2 norm of the change of all weights in each update; measured from outside, the loop knows nothing of it
    - `weights`: all weights after the last row, float32, flattened
    """

    def __init__(self, rows: list[Mapping[str, float]], moved: list[float], weights: Tensor, seed: int):
        self.rows, self.moved, self.weights, self.seed = rows, np.array(moved), weights, seed

    def __getattr__(self, name: str) -> np.ndarray:
        rows = self.__dict__.get("rows", [])
        if not rows or name not in rows[0]:
            raise AttributeError(f"this loop did not log {name!r}; its log holds "
                                 f"{', '.join(rows[0]) if rows else 'nothing'}")
        return np.array([row[name] for row in rows], dtype=float)

    def __dir__(self):
        return [*super().__dir__(), *(self.rows[0] if self.rows else ())]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def step(self) -> np.ndarray:
        """Numbers of the updates, from 0."""
        return np.arange(len(self))

    @property
    def diverged(self) -> bool:
        """Whether something in the log turned NaN or infinite; the run was ended there."""
        return not all(math.isfinite(value) for value in self.rows[-1].values())

    @property
    def final_loss(self) -> float:
        """Mean of the last ten losses, nats; inf for a run that diverged."""
        return math.inf if self.diverged else float(np.mean(self.loss[-10:]))

    def __repr__(self) -> str:
        return f"<Log: {len(self)} updates, seed {self.seed}>"


def run(loop: Loop, recipe: Recipe, **options) -> Log:
    """Train with a loop: model, data and number of updates from `recipe`, everything else from the loop itself.

    One thread, as in all runs of the labs, so that the same loop gives the same numbers. `options` go to the loop.
    """
    model = make_model(recipe)
    before, rows, moved = _flat(model), [], []
    with one_thread(), closing(loop(model, _data(recipe), **options)) as running:
        for row in itertools.islice(running, recipe.steps):
            after = _flat(model)
            rows.append(row)
            moved.append(float((after - before).double().norm()))
            before = after
            if not all(map(math.isfinite, row.values())):
                break
    return Log(rows, moved, before, recipe.seed)


def record(loop: Loop, recipe: Recipe, updates: range, **options) -> ledger.Ledger:
    """The `Ledger` of some updates of a loop, which needs no change for it: its optimizer is found by its name."""
    model, rows, events = make_model(recipe), [], []
    with one_thread(), ExitStack() as recording:
        def watched():
            for batch in _data(recipe):
                if not events and len(rows) == updates.start:
                    made = inspect.getgeneratorlocals(running)  # asked for a batch, the loop has made its optimizer
                    events.append(recording.enter_context(ledger.record(
                        model, made["optimizer"], made.get("scaler"), made.get("scheduler"))))
                yield batch

        running = loop(model, watched(), **options)
        for row in itertools.islice(running, updates.stop):
            rows.append(row)
    running.close()
    return events[0]


def _data(recipe: Recipe) -> NumberWords:
    return NumberWords(recipe.seed ^ DATA_STREAM, recipe.digits, recipe.batch_size)


def _flat(model: Transformer) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
