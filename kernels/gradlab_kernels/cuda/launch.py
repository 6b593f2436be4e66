"""Starting a kernel: by Numba in the simulator, by cuda.core on a GPU, which skips Numba's handling of arguments.

The branch for a GPU was written against the sources of numba-cuda 0.30.4 and cuda-core 1.2.2. It has not run yet.
"""

import functools
import warnings

import torch
from numba import cuda

from . import instructions
from .blocks import THREADS
from .kernels import MAX_REGISTERS, SIGNATURES


@functools.cache
def _compiled(kernel, device: int):
    """A kernel on a device: what cuda.core launches, and what must live as long."""
    capabilities = [torch.cuda.get_device_capability(d) for d in range(torch.cuda.device_count())]
    instructions.before_sm_80 = min(capabilities) < (8, 0)
    with cuda.gpus[device]:
        dispatcher = cuda.jit(SIGNATURES[kernel], max_registers=MAX_REGISTERS, cache=True)(kernel)
        (code,) = dispatcher.overloads.values()
        code.bind()
        return code.library.get_cufunc().kernel, dispatcher


class Launcher:
    """A kernel with its grid on a device; calling it starts it on torch's current stream."""

    def __init__(self, kernel, blocks: int, device: torch.device):
        self.blocks, self.device, self.streams = blocks, device, {}
        if instructions.SIMULATED:
            self.kernel = cuda.jit(kernel)
        else:
            from cuda.core import LaunchConfig

            self.kernel, self._alive = _compiled(kernel, device.index or 0)
            self.config = LaunchConfig(grid=blocks, block=THREADS)

    def __call__(self, *arguments: int | float) -> None:
        if instructions.SIMULATED:
            with warnings.catch_warnings():  # numpy warns of infinities, where a GPU does as it is told
                warnings.simplefilter("ignore", RuntimeWarning)
                self.kernel[self.blocks, THREADS](*arguments)
        elif torch.cuda.current_device() == self.device.index:
            self._launch(arguments)
        else:
            with torch.cuda.device(self.device):
                self._launch(arguments)

    def _launch(self, arguments: tuple) -> None:
        from cuda.core import Stream, launch

        handle = torch.cuda.current_stream(self.device).cuda_stream  # asked each time: capturing a graph changes it
        stream = self.streams.get(handle)
        if stream is None:
            stream = self.streams[handle] = Stream.from_handle(handle)
        launch(stream, self.config, self.kernel, *arguments)
