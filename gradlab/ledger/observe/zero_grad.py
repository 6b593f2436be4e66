"""`optimizer.zero_grad()` and `model.zero_grad()`."""

from torch import nn
from torch.optim import Optimizer

from gradlab.ledger.observe.caller import caller
from gradlab.ledger.observe.patches import Call, Patch


class ZeroGradObserver:
    """Clearing by a method, of anything that has one of the parameters observed."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        owner = call.args[0] if call.args else call.kwargs.get("self")
        how = "optimizer" if isinstance(owner, Optimizer) else "module"
        if not _concerns(recorder, owner):
            return None
        where = caller(3)
        recorder.notice(where, matters=False)
        recorder.norms.settle()
        if not recorder.holds_all(owner):
            recorder.watch.know_versions()
        return where, how

    def after(self, recorder, call: Call, noted, result, error) -> None:
        where, how = noted
        gone = recorder.watch.present
        if gone and not recorder.carefully and recorder.all_gone(call.args[0]):
            recorder.watch.clear()
            recorder.norms.forget()
            recorder.cleared(where, gone, how)
            return
        changes, gone = recorder.watch.changes(), ()
        if changes is not None:
            recorder.watch.settle(changes)
            recorder.norms.forget()
            gone = sorted([*changes.cleared, *changes.touched])
        if error is None or gone:
            recorder.cleared(where, gone, how)


def _concerns(recorder, owner) -> bool:
    if id(owner) in recorder.numbers:
        recorder.meet_groups(recorder.numbers[id(owner)])
        return True
    if any(owner is model for model in recorder.models):
        return True
    index = recorder.watch.index
    if isinstance(owner, Optimizer):
        if recorder.apart:
            recorder.meet_other(owner)
        return any(id(tensor) in index for group in owner.param_groups for tensor in group["params"])
    return any(id(tensor) in index for tensor in owner.parameters())


def patches(owners) -> list[Patch]:
    """For torch's two methods and whatever the given optimizers and modules override them with."""
    observer = ZeroGradObserver()
    kinds = {Optimizer, nn.Module}.union(*[type(owner).__mro__ for owner in owners])
    return [Patch(kind, "zero_grad", observer) for kind in kinds if "zero_grad" in vars(kind)]
