"""A small machine that runs CUDA kernels on the processor, counts what they do, and sees what a GPU would not tell.

    sums = np.zeros(4)
    counts = launch(kernel, 4, 8, values, sums)      # 4 blocks of 8 threads
    counts.bytes_read, counts.barriers

`kernel` is a plain Python function written for `numba.cuda`; it needs no GPU, no decorator and no environment
variable. Numba's own simulator runs the same functions; what it does not do is count, or find races.

Blocks run one after another. The threads of a block run in turns, each until it meets the others, in the order of
their numbers: the same launch does the same thing every time. Python can hold a function in the middle only with a
thread of the operating system, and those cannot be stopped. So here a thread that has to wait is given up and begun
again later, with everything it read before: see `lane.py`.
"""

from .counts import Counts
from .errors import BarrierMissed, Endless, KernelError, PastTheEnd, Race, Unwritten
from .launch import launch

__all__ = ["BarrierMissed", "Counts", "Endless", "KernelError", "PastTheEnd", "Race", "Unwritten", "launch"]
