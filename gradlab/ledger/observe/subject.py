"""What is observed: models, optimizers, scalers and schedulers, and the parameters by which events call them."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from gradlab.ledger.later import number, value
from gradlab.ledger.ledger import Ledger
from gradlab.ledger.observe.outside import Outside
from gradlab.ledger.observe.watch import Watch


class Subject:
    """The things given to `record`. Their parameters have places in `watch` and names in `ledger`."""

    def __init__(self, models: Sequence[nn.Module], optimizers: Sequence[Optimizer], scalers: Sequence[Any],
                 schedulers: Sequence[Any]):
        self.models, self.optimizers, self.schedulers = models, optimizers, schedulers
        self.scalers = list(scalers)
        self.watch = Watch()
        self.outside = Outside(self.watch.parameters)
        self.apart: frozenset[int] = frozenset()  # the models' parameters that no optimizer holds
        self.ledger = Ledger(held=[()] * len(optimizers), finished=False)
        self.numbers = {id(optimizer): which for which, optimizer in enumerate(optimizers)}
        self._scales: dict[int, tuple[Tensor, int, float]] = {}  # by id(scaler): what held the scale, its version
        self.meet_models()
        self.meet_optimizers()

    def release(self) -> None:
        """Let go of every tensor."""
        self.outside.let_go()
        self.watch, self.models, self.optimizers, self.schedulers, self.scalers = Watch(), (), (), (), []
        self.numbers, self._scales, self._groups = {}, {}, []

    def meet_models(self) -> None:
        """Learn the models' parameters, those that were replaced meanwhile too."""
        places = []
        for which, model in enumerate(self.models):
            prefix = f"model[{which}]." if len(self.models) > 1 else ""
            places += [self._meet(tensor, prefix + name) for name, tensor in model.named_parameters()]
        self.ledger.in_model = tuple(dict.fromkeys(places))
        self._part()

    def _part(self) -> None:
        self.apart = frozenset(self.ledger.in_model).difference(*self.ledger.held)

    def meet_optimizers(self) -> None:
        """Learn the optimizers' parameters, those of groups added meanwhile too."""
        held = []
        for which, optimizer in enumerate(self.optimizers):
            tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
            held.append(tuple([self._meet(tensor, f"optimizer[{which}].{i}") for i, tensor in enumerate(tensors)]))
        self.ledger.held = tuple(held)
        self._part()
        ends = [place for places in (*held, self.ledger.in_model) if places for place in (places[0], places[-1])]
        self.watch.appoint(tuple(sorted(set(ends))))
        self._groups = [[(group["params"], len(group["params"])) for group in optimizer.param_groups]
                        for optimizer in self.optimizers]

    def meet_groups(self, which: int) -> None:
        """Learn the parameters anew if the groups of this optimizer are other lists, or longer ones, than before."""
        groups, seen = self.optimizers[which].param_groups, self._groups[which]
        if len(groups) != len(seen) or any(group["params"] is not tensors or len(tensors) != count
                                           for group, (tensors, count) in zip(groups, seen, strict=True)):
            self.meet_optimizers()

    def _meet(self, tensor: Tensor, name: str) -> int:
        known = len(self.watch.parameters)
        place = self.watch.add(tensor)
        if place == known:  # another tensor by the name of an earlier one took its place in the model
            again = sum(other == name or other.startswith(f"{name} (") for other in self.ledger.parameters)
            self.ledger.parameters += (f"{name} ({again + 1})" if again else name,)
        return place

    def places(self, tensors: Sequence[Tensor]) -> list[int | None]:
        """The place of each tensor, None for those that are not observed."""
        index = self.watch.index
        return [index.get(id(tensor)) for tensor in tensors]

    def look_outside(self, places: Sequence[int], again: bool = True) -> None:
        """Whether something else updates the parameters at `places`, as far as no optimizer here holds them."""
        self.outside.look(self.apart.intersection(places), again)
        self.ledger.elsewhere = tuple(sorted(self.outside.updated))

    def meet_other(self, optimizer: Optimizer) -> None:
        """An optimizer that is not observed is at work; it may hold some of the parameters."""
        held = self.places([tensor for group in optimizer.param_groups for tensor in group["params"]])
        self.outside.held_elsewhere(self.apart.intersection(held))
        self.ledger.elsewhere = tuple(sorted(self.outside.updated))

    def holder(self, places: Sequence[int]) -> int | None:
        """The number of the optimizer that holds most of the parameters."""
        if len(self.optimizers) == 1:
            return 0
        shares = [len(set(held).intersection(places)) for held in self.ledger.held]
        return shares.index(max(shares)) if shares else None

    def with_gradient(self, which: int) -> tuple[int, ...]:
        """The parameters of an optimizer that have a gradient."""
        held, present = self.ledger.held[which], self.watch.present
        return present if held == present else tuple(sorted(set(held).intersection(present)))

    def steered_by(self, scheduler: Any) -> int | None:
        """The number of the optimizer whose learning rate a scheduler sets, None if it is not observed."""
        which = self.numbers.get(id(getattr(scheduler, "optimizer", None)))
        if which is None and self.optimizers and any(scheduler is given for given in self.schedulers):
            return 0
        return which

    def scale_of(self, scaler: Any) -> float:
        """The loss scale now. Read again only when it was written to, since reading waits for the accelerator."""
        if not scaler.is_enabled():
            return 1.0
        tensor = getattr(scaler, "_scale", None)
        if tensor is None:
            return float(scaler.get_scale())
        kept, version, scale = self._scales.get(id(scaler), (None, -1, 1.0))
        if kept is not tensor or version != tensor._version:
            scale = value(number(tensor))
            self._scales[id(scaler)] = (tensor, tensor._version, scale)
        return scale
