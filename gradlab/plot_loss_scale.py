"""The chart of a loss scale that finds its own size: where it grew, where it fell, which updates it cost."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context

from gradlab.history import History
from gradlab.plot import COLOURS, DASHES, DRAWING, INK, STYLE, Picture


def loss_scales(histories: Mapping[str, History] | History) -> Picture:
    """The loss scale against the step, on a logarithmic axis, with a cross for each update that was skipped.

    `histories` is one run, or several by name, in a colour each.

    Errors: TypeError for what is no History; ValueError for none, or for one without steps.
    """
    if not isinstance(histories, History | Mapping):
        raise TypeError(f"loss scales are drawn of a History, or of several by name, got {histories!r:.60}")
    named = {"": histories} if isinstance(histories, History) else histories
    for name, history in named.items():
        if not isinstance(history, History):
            raise TypeError(f"loss scales are drawn of a History, got {history!r:.60}" + f" as {name!r}" * bool(name))
        if not len(history):
            raise ValueError("a History without steps has no loss scale" + f", and {name!r} has none" * bool(name))
    if not named:
        raise ValueError("there is no History to draw: give a run, or several by name")
    picture = Picture("the loss scale against the step, with the skipped updates"
                      + f", for {', '.join(named)}" * any(named), height=3.0)
    with DRAWING, rc_context(STYLE):
        axes = picture.subplots()
        for (name, history), colour, dash in zip(named.items(), COLOURS, DASHES, strict=False):
            steps, scales, skipped = history.step, history.loss_scale, history.skipped.astype(bool)
            axes.step(steps, scales, where="mid", color=colour, linestyle=dash, label=name or "loss scale")
            if skipped.any():
                label = f"{skipped.sum()} updates skipped" if skipped.sum() != 1 else "1 update skipped"
                axes.plot(steps[skipped], scales[skipped], "x", color=INK if not name else colour, markersize=6,
                          markeredgewidth=1.8, label=label)
        every = np.concatenate([history.loss_scale for history in named.values()])
        low, high = math.floor(math.log2(every.min())) - 1, math.ceil(math.log2(every.max())) + 1
        axes.set_yscale("log", base=2)
        axes.set(title="loss scale", xlabel="step", ylim=(2.0**low, 2.0**high))
        axes.set_yticks([2.0**power for power in range(low, high + 1, max(1, (high - low) // 6))])
        axes.margins(x=0.02)
        axes.legend(loc="best")
    return picture
