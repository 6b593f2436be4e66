"""The schedules of `gradlab.schedule` as a scheduler of torch, for training loops of one's own.

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scheduler = WarmupLR(optimizer, warmup_steps=100, steps=2000, schedule="cosine")
    for batch in batches:
        ...
        optimizer.step()
        scheduler.step()  # once for each update: not for each micro-batch, and not for a step that was skipped
"""

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gradlab.schedule import lr_at


class WarmupLR(LRScheduler):
    """`optimizer`'s learning rate at each update is `gradlab.schedule.lr_at` of it, to the bit.

    - `warmup_steps`, `steps`, `warmup_init_lr`, `schedule`: see `lr_at`; `steps` is the number of updates in the run
    - the peak of each parameter group is the rate it has when the scheduler is made, so groups with rates of their own
      keep their ratio at every update, if `warmup_init_lr` is 0
    - `last_epoch`: torch's name for the number of the coming update; -1, the default, begins at the first

    Making it sets the rate of the first update. Every `step()`, after `optimizer.step()`, sets that of the next one.

    `state_dict` goes into a checkpoint beside the optimizer's; `load_state_dict` also sets the rates of the groups, so
    the order in which the two are loaded does not matter.

    Errors: ValueError for what `lr_at` refuses, on construction and not at some later step; a ValueError for a state
    with another number of groups.
    """

    def __init__(self, optimizer: Optimizer, *, steps: int, warmup_steps: int = 0, warmup_init_lr: float = 0.0,
                 schedule: str = "constant", last_epoch: int = -1):
        self.plan = {"steps": steps, "warmup_steps": warmup_steps, "warmup_init_lr": warmup_init_lr,
                     "schedule": schedule}
        for group in getattr(optimizer, "param_groups", ()):  # torch says what is wrong with anything else
            lr_at(0, lr=float(group.get("initial_lr", group["lr"])), **self.plan)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates of update number `last_epoch`, one a group."""
        return [lr_at(self.last_epoch, lr=float(base), **self.plan) for base in self.base_lrs]

    _get_closed_form_lr = get_lr  # for torch's `step(epoch)`

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a `state_dict`, by its plan and base rates: the coming update has the rate it would have had."""
        groups, held = len(state_dict["base_lrs"]), len(self.optimizer.param_groups)
        if groups != held:
            raise ValueError(f"this state is of an optimizer with {groups} parameter group{'s' * (groups != 1)}, and "
                             f"the optimizer here has {held}; build it with the same groups before loading")
        super().load_state_dict(state_dict)
        for group, rate, base in zip(self.optimizer.param_groups, self.get_lr(), self.base_lrs, strict=True):
            group["initial_lr"] = base
            if hasattr(group["lr"], "fill_"):  # a tensor, which a captured graph reads in place
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
