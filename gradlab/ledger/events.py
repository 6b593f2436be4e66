"""What a ledger holds: one event for each thing that happened to the gradients, in order.

An event is a plain record. It says what was done, where in the caller's code, and in what state the gradients were;
it never says whether that was right (`gradlab.ledger.rules` does).

Parameters are named by their place in `Ledger.parameters`, so that an event is small and keeps no tensor alive.
Numbers that were tensors on an accelerator are read when they are asked for, not while the loop runs.
"""

import linecache
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from gradlab.ledger.later import Later, value


class Where(NamedTuple):
    """A place in the caller's code: `file`, `line` (from 1) and the name of the `function`."""

    file: str
    line: int
    function: str

    @property
    def text(self) -> str:
        """The source line without its indentation; empty where the source is not at hand."""
        return linecache.getline(self.file, self.line).strip()


class Provenance(NamedTuple):
    """Where a gradient comes from: everything that has happened to it since it was last cleared.

    - `backwards`: the places in the ledger of the `Backward` events summed up in it
    - `scales`: the loss scale of each of them (1.0 without a scaler) that is still in the sum
    - `clips`, `edits`: the places of the `Clip` and `Edit` events that acted on it
    - `steps`: the places of the `Step` events that have used it already; a gradient with any is stale
    """

    backwards: tuple[int, ...] = ()
    scales: tuple[float, ...] = ()
    clips: tuple[int, ...] = ()
    edits: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()

    @property
    def scaled(self) -> bool:
        """Whether a loss scale is still in it."""
        return any(scale != 1 for scale in self.scales)

    @property
    def stale(self) -> bool:
        """Whether an update has already used it."""
        return bool(self.steps)


# The state of the gradients at an event: for each different provenance the parameters that have it (and a gradient).
Gradients = Mapping[Provenance, tuple[int, ...]]


@dataclass(slots=True, kw_only=True)
class Event:
    """What all events share.

    - `index`: its place in the ledger, from 0
    - `where`: the caller's code; for what leaves no trace of its own (`p.grad = None`, or an edit through `.data`)
      the place is only known to lie after `after` and before `where`
    - `window`: for each optimizer observed, the number of its updates before this event
    - `gradients`: the state of the gradients just before it
    - `in_step`: whether it happened inside `optimizer.step(closure)`
    """

    kind: ClassVar[str] = "event"
    index: int = -1
    where: Where
    after: Where | None = None
    window: tuple[int, ...] = ()
    gradients: Gradients = field(default_factory=dict)
    in_step: bool = False

    def __getattribute__(self, name: str):
        found = object.__getattribute__(self, name)
        if type(found) is Later:  # a number that was left on an accelerator
            found = value(found)
            object.__setattr__(self, name, found)
        return found


@dataclass(slots=True, kw_only=True)
class ZeroGrad(Event):
    """Gradients were cleared.

    - `parameters`: those that had a gradient and now have none, or zeros
    - `lost`: the places of the `Backward` events that no update had used yet and that are now in no gradient any more
    - `how`: "optimizer", "module", or "by hand"
    """

    kind: ClassVar[str] = "zero_grad"
    parameters: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    how: str = "optimizer"


@dataclass(slots=True, kw_only=True)
class Backward(Event):
    """Gradients were added to `.grad`.

    - `parameters`: those whose gradient changed
    - `number`: which micro-batch of its window it is, from 1 (of the optimizer that holds most of the parameters)
    - `divisor`: the number the loss was divided by at its outermost operation (4.0 for `loss / 4` and `loss * 0.25`),
      None where the loss ended in something else; `halved`: it is 2, and may be a half of the loss's own, as of squares
    - `scale`: the loss scale in it, 1.0 without a scaler
    - `norm`: L2 norm of all gradients after it, NaN when not measured
    - `autocast`: the dtype autocast ran in at the last forward pass ("bfloat16"), None without
    """

    kind: ClassVar[str] = "backward"
    parameters: tuple[int, ...] = ()
    number: int = 1
    divisor: float | None = None
    halved: bool = False
    scale: float = 1.0
    norm: float = float("nan")
    autocast: str | None = None


@dataclass(slots=True, kw_only=True)
class Unscale(Event):
    """The scaler divided the gradients of optimizer number `optimizer` by `scale`.

    - `found_inf`: whether it met infinity or NaN
    - `explicit`: whether the caller asked for it; `scaler.step` does it by itself otherwise
    - `refused`: whether torch raised instead, because it was the second since the last update; nothing changed then
    """

    kind: ClassVar[str] = "unscale"
    optimizer: int = 0
    scale: float = 1.0
    found_inf: bool = False
    explicit: bool = True
    refused: bool = False


@dataclass(slots=True, kw_only=True)
class Clip(Event):
    """Gradients were limited.

    - `how`: "norm" or "value" for torch's functions and gradlab's rules, "by hand" where gradients were seen to shrink
    - `given`: how many tensors it was given, repeats included; `missing`: how many of them had no gradient
    - `parameters`: those given that the ledger knows, repeats included; `foreign`: how many it does not know
    - `norm`: the norm it saw, before; of order `norm_type`
    - `max_norm`: its limit, None where it was not said (by hand)
    - `coefficient`: what it multiplied by (1.0 where it left the gradients alone); for "value", norm after / before
    """

    kind: ClassVar[str] = "clip"
    how: str = "norm"
    given: int = 0
    missing: int = 0
    foreign: int = 0
    parameters: tuple[int, ...] = ()
    norm: float = float("nan")
    norm_type: float = 2.0
    max_norm: float | None = None
    coefficient: float = 1.0


@dataclass(slots=True, kw_only=True)
class Measure(Event):
    """A norm was read and nothing changed: `get_total_norm`, or a clip with `max_norm=inf`."""

    kind: ClassVar[str] = "measure"
    given: int = 0
    norm: float = float("nan")


@dataclass(slots=True, kw_only=True)
class Edit(Event):
    """Gradients changed otherwise: noise, a division by hand, a replacement.

    - `parameters`: those that changed
    - `factor`: the one factor between the norms after and before if it is the same for all of them, else None
    - `norm_before`, `norm_after`: L2 norms over all gradients
    - `what`: the operation, "mul_" or "replaced", say; empty where it was not seen
    """

    kind: ClassVar[str] = "edit"
    parameters: tuple[int, ...] = ()
    factor: float | None = None
    norm_before: float = float("nan")
    norm_after: float = float("nan")
    what: str = ""


@dataclass(slots=True, kw_only=True)
class Step(Event):
    """Optimizer number `optimizer` made an update.

    - `parameters`: those it holds that had a gradient; `gradients` says in what state
    - `through_scaler`: whether `scaler.step` called it
    - `norm`: L2 norm of the gradients it used, NaN when not measured
    - `lr`: the learning rate of each of its groups
    - `moved`: L2 norm of the change of the weights, NaN unless `record(..., moved=True)`
    """

    kind: ClassVar[str] = "step"
    optimizer: int = 0
    parameters: tuple[int, ...] = ()
    through_scaler: bool = False
    norm: float = float("nan")
    lr: tuple[float, ...] = ()
    moved: float = float("nan")


@dataclass(slots=True, kw_only=True)
class Skip(Event):
    """`scaler.step` left the update of optimizer number `optimizer` out, because a gradient was not finite."""

    kind: ClassVar[str] = "skip"
    optimizer: int = 0


@dataclass(slots=True, kw_only=True)
class ScalerUpdate(Event):
    """`scaler.update()`: the loss scale went from `before` to `scale`."""

    kind: ClassVar[str] = "update"
    before: float = 1.0
    scale: float = 1.0


@dataclass(slots=True, kw_only=True)
class Schedule(Event):
    """A scheduler moved: the learning rates of its optimizer's groups `before` and after (`lr`).

    `scheduler` is the name of its class; `optimizer` its optimizer's number.
    """

    kind: ClassVar[str] = "schedule"
    optimizer: int = 0
    scheduler: str = ""
    before: tuple[float, ...] = ()
    lr: tuple[float, ...] = ()


# By the word that a table and `Ledger.of` use.
KINDS: Mapping[str, type[Event]] = {
    event.kind: event
    for event in (ZeroGrad, Backward, Unscale, Clip, Measure, Edit, Step, Skip, ScalerUpdate, Schedule)
}
