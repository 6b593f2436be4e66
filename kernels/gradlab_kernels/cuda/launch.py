"""Starting a kernel: by Numba in the simulator, by cuda.core on a GPU, which skips Numba's handling of arguments.

The branch for a GPU was written against the sources of numba-cuda 0.30.4 and cuda-core 1.2.2. It has not run yet.
"""

import functools

import torch
from numba import cuda

from . import instructions
from .blocks import THREADS
from .kernels import SIGNATURES


@functools.cache
def _compiled(kernel, device: int):
    """The kernel's machine code on a device, for cuda.core."""
    instructions.before_sm_80 = any(
        torch.cuda.get_device_capability(d) < (8, 0) for d in range(torch.cuda.device_count())
    )
    with cuda.gpus[device]:
        dispatcher = cuda.jit(SIGNATURES[kernel], cache=True)(kernel)
        (code,) = dispatcher.overloads.values()
        code.bind()
        return code.library.get_cufunc().kernel


class Launcher:
    """A kernel with its grid on a device; calling it starts it on torch's current stream."""

    def __init__(self, kernel, blocks: int, device: torch.device):
        self.blocks = blocks
        if instructions.SIMULATED:
            self.kernel = cuda.jit(kernel)
        else:
            from cuda.core import LaunchConfig, Stream, launch

            self.device = device.index or 0
            self.kernel, self._launch, self._stream_of = _compiled(kernel, self.device), launch, Stream.from_handle
            self.config = LaunchConfig(grid=blocks, block=THREADS)
            self.streams: dict = {}

    def __call__(self, *arguments: int | float) -> None:
        if instructions.SIMULATED:
            self.kernel[self.blocks, THREADS](*arguments)
            return
        handle = torch.cuda.current_stream(self.device).cuda_stream  # asked each time: capturing a graph changes it
        stream = self.streams.get(handle)
        if stream is None:
            stream = self.streams[handle] = self._stream_of(handle)
        self._launch(stream, self.config, self.kernel, *arguments)
