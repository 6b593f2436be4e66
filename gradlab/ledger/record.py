"""Writing down what a training loop does to its gradients, while it does it."""

import numbers
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gradlab.ledger.ledger import Ledger
from gradlab.ledger.observe import (
    autocast,
    backward,
    clip,
    edit,
    patches,
    rule,
    scaler,
    schedule,
    step,
    zero_grad,
)
from gradlab.ledger.observe.recorder import Recorder


class record:
    """A context manager: the `Ledger` that `with record(model, optimizer) as events:` gives fills while the block runs.

    - `model`: a Module or several; `optimizer`: an Optimizer or several. Only these are observed, in any thread
    - `scaler`: the GradScaler, if there is one; one that is not named is noticed at its first `scale`
    - `scheduler`: a scheduler or several, needed only for those that are no `LRScheduler` of torch's
    - `moved=True`: measure at each update how far the weights moved, which takes a copy of them
    - `keep`: how many events the ledger holds; the first ones are kept, later ones only counted

    The loop needs no change and no knowledge of this: torch's functions are observed from outside, and are as they were
    when the block ends, however it ends. Nothing that the loop computes changes by a bit. Recorders may be nested, and
    end in any order.

    - Seen, at its line: zero_grad, backward, a scaler's unscale_, step and update, torch's clipping functions however
      they were imported, gradlab's rules, steps of optimizers and schedulers, and in-place operations on a gradient, on
      a view of it or on its `.data`.
    - Noticed at the next event, so that only the lines before and after it are known: `p.grad = ...`, and what leaves
      no other trace than the gradient's version. A loop that has done nothing of the kind in its first 16 backward
      passes is looked at less closely from then on: it is still noticed where it happens to all gradients.
    - Noticed by the norm, in those first passes and some later ones, on the CPU: what leaves no trace at all, such as
      numpy writing into a gradient.
    - Not seen: methods such as `optimizer.zero_grad` and readings such as `get_total_norm` by a name bound to them
      before the block, what hooks do to gradients inside backward, optimizers that step inside backward, compiled or
      captured steps, gradients that several processes exchange (DistributedDataParallel, FSDP), and engines with an
      optimizer of their own kind.

    Errors: TypeError or ValueError for what is no model, optimizer, scaler, scheduler or number of events, when it is
    made; RuntimeError for entering it twice.
    """

    def __init__(self, model: nn.Module | Sequence[nn.Module], optimizer: Optimizer | Sequence[Optimizer],
                 scaler: Any = None, scheduler: Any = None, *, moved: bool = False, keep: int = 10_000):
        self.models = _several("model", model, nn.Module, "a torch.nn.Module, such as your network")
        self.optimizers = _several("optimizer", optimizer, Optimizer, "a torch.optim.Optimizer")
        if not self.models and not self.optimizers:
            raise ValueError("record was given no model and no optimizer, so there is nothing to observe")
        self.scalers = [] if scaler is None else [scaler]
        wanting = [name for name in ("scale", "unscale_", "step", "update", "is_enabled")
                   if scaler is not None and not callable(getattr(scaler, name, None))]
        if wanting:
            raise TypeError(f"scaler must be a GradScaler, got a {type(scaler).__name__}, which has no {wanting[0]}; "
                            "schedulers are given as scheduler=")
        self.schedulers = [] if scheduler is None else (
            list(scheduler) if isinstance(scheduler, list | tuple) else [scheduler])
        for one in self.schedulers:
            if not callable(getattr(one, "step", None)) or isinstance(one, Optimizer):
                raise TypeError(f"scheduler must have a step() that sets learning rates, got a {type(one).__name__}")
            steered = getattr(one, "optimizer", None)
            if steered is not None and all(steered is not known for known in self.optimizers):
                raise ValueError(f"the scheduler {type(one).__name__} steers an optimizer that record was not given; "
                                 "give it, too")
        if isinstance(keep, bool) or not isinstance(keep, numbers.Integral):
            raise TypeError(f"keep must be a whole number of events, got {keep!r}")
        if keep < 1:
            raise ValueError(f"keep must be at least 1 event, got {keep}")
        self.moved, self.keep = bool(moved), int(keep)
        self._recorder: Recorder | None = None

    def __enter__(self) -> Ledger:
        if self._recorder is not None:
            raise RuntimeError("this record(...) was entered before; make a new one for each with block")
        try:
            recorder = self._recorder = Recorder(self.models, self.optimizers, self.scalers, self.schedulers,
                                                 self.moved, self.keep)
            recorder.begin()
            patches.start(recorder, self, self._wanted(), (step.before_step, step.after_step))
            return recorder.ledger
        except BaseException:  # an interrupt, say; nobody else will call it now
            self.__exit__()
            raise

    def __exit__(self, *raised) -> None:
        try:
            self._undo()
        except BaseException:  # an interrupt may have met any line of it, and all of it may be done again
            self._undo()
            raise

    def _undo(self) -> None:
        try:
            patches.stop(self._recorder)
        finally:
            if self._recorder is not None:
                self._recorder.end()
            self.models, self.optimizers, self.scalers, self.schedulers = [], [], [], []

    def _wanted(self) -> list[patches.Patch]:
        return [*zero_grad.patches([*self.models, *self.optimizers]), *backward.patches(), *clip.patches(),
                *rule.patches(), *edit.patches(), *scaler.patches(self.scalers), *step.patches(self.optimizers),
                *schedule.patches(self.schedulers), *autocast.patches(self.models)]


def _several(name: str, given: Any, kind: type, what: str) -> list:
    """One thing or a sequence of them as a list, each once."""
    items = list(given) if isinstance(given, list | tuple) else [given]
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(f"{name} must be {what}, or a list of them, got a {type(item).__name__} ({item!r:.60})")
    return list(dict.fromkeys(items))
