"""The reduction ladder: how the norm of gradients is computed on a GPU, one idea a rung.

    result = run("tree", gradient)
    result.norm, result.counts.barriers, result.counts.idle

Each rung is a file of its own, short enough to be read in one sitting, and a kernel that a GPU runs as it stands. Here
`run` runs it on the processor, on a machine that counts and finds races (`machine/`); counts are exact, times mean
nothing there. `python -m gradlab_kernels.ladder` measures the rungs on a GPU where there is one, and otherwise says
why not and prints the counts. `source(rung)` is a rung's code.
"""

import importlib.util

if importlib.util.find_spec("numba") is None:
    raise ImportError("the kernels of the ladder are written for Numba, which is not installed: pip install numba")

from .machine import Counts, KernelError, launch  # noqa: E402
from .run import Result, run  # noqa: E402
from .rungs import RUNGS, Rung  # noqa: E402
from .showing import source  # noqa: E402
from .timing import missing, on_gpu  # noqa: E402

__all__ = ["RUNGS", "Counts", "KernelError", "Result", "Rung", "launch", "missing", "on_gpu", "run", "source"]
