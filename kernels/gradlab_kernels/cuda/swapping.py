"""Device functions in Numba's CUDA simulator, called by several threads at once.

While a function runs, the simulator puts its own module in the place of `cuda` among the function's globals, and takes
it out when the function returns. For device functions each thread does so by itself: the first that returns takes the
module away from those that are still inside, and they end with an AttributeError, once in many runs. Here the last one
out takes it away.

Source: `swapped_cuda_module` in numba.cuda.simulator.kernelapi.
"""

import threading
from contextlib import contextmanager

_lock = threading.Lock()
_inside: dict[int, list] = {}  # id of a module's globals -> how many run in it, the names and what they stood for


@contextmanager
def swapped_cuda_module(function, fake_cuda_module):
    from numba import cuda

    names = function.__globals__
    with _lock:
        entry = _inside.setdefault(id(names), [0, {name: value for name, value in names.items() if value is cuda}])
        entry[0] += 1
        names.update(dict.fromkeys(entry[1], fake_cuda_module))
    try:
        yield
    finally:
        with _lock:
            entry[0] -= 1
            if not entry[0]:
                names.update(entry[1])
                del _inside[id(names)]


def install() -> None:
    """Let the simulator swap this way. Once is enough."""
    from numba.cuda.simulator import kernel

    kernel.swapped_cuda_module = swapped_cuda_module
