"""What the kernels work by, on the device: where the gradients are, how they are cut into chunks, and scratch memory.

All but the addresses follows from the sizes alone and is sent once. The addresses are sent again when a gradient has
moved, through pinned memory, so that the host does not wait.
"""

import functools

import numpy as np
import torch

from ..layout import ADDRESS, COUNT, KIND
from .instructions import SIMULATED
from .kernels import CHUNK, multi_clamp, multi_norm, multi_norms, multi_scale
from .launch import Launcher

BLOCKS_PER_PROCESSOR = 4  # what kernels.MAX_REGISTERS allows
PINNED = 4  # buffers, so that four refreshes may be under way


class DeviceTables:
    """Tables, scratch and launchers for gradients of given sizes and dtypes on a device, for a stream at a time."""

    def __init__(self, sizes: np.ndarray, device: torch.device):
        counts, kinds = sizes.T
        self.device, self.sizes, self.tensors = device, sizes, len(sizes)
        pieces = -(-counts // CHUNK)
        first = np.cumsum(pieces) - pieces
        owners = np.repeat(np.arange(self.tensors), pieces)
        self.chunks = len(owners)
        column = np.concatenate([np.zeros(self.tensors, np.int64), counts, kinds, first, owners])
        self.table = torch.from_numpy(column).to(device)
        self.addresses = self.table[: self.tensors]
        self.sent = np.full(self.tensors, -1, np.int64)
        blocks = self._blocks()
        self.partial = torch.empty(max(self.chunks, blocks), dtype=torch.float64, device=device)
        self.counter = torch.zeros(1, dtype=torch.int32, device=device)
        self.norm, self.norms, self.scale, self.clamp = (
            Launcher(kernel, blocks, device) for kernel in (multi_norm, multi_norms, multi_scale, multi_clamp)
        )
        self._buffers = [torch.empty(self.tensors, dtype=torch.int64, pin_memory=not SIMULATED) for _ in range(PINNED)]
        self._sent_off: list = [None] * PINNED
        self._turn = 0

    def _blocks(self) -> int:
        if SIMULATED:
            return min(max(self.chunks, 1), 2)
        processors = torch.cuda.get_device_properties(self.device).multi_processor_count
        return min(max(self.chunks, 1), processors * BLOCKS_PER_PROCESSOR)

    @property
    def walk(self) -> tuple[int, int, int]:
        """The first arguments of every kernel."""
        return self.table.data_ptr(), self.tensors, self.chunks

    @property
    def scratch(self) -> tuple[int, int]:
        return self.partial.data_ptr(), self.counter.data_ptr()

    def point_at(self, addresses: np.ndarray) -> None:
        """Send the addresses if any has changed. RuntimeError while a CUDA graph is captured: it would replay them."""
        if np.array_equal(addresses, self.sent):
            return
        if not SIMULATED and torch.cuda.is_current_stream_capturing():
            raise RuntimeError(
                "gradients have moved while a CUDA graph is captured: run the step once before the capture, and keep "
                "gradients in place with zero_grad(set_to_none=False)"
            )
        self._turn = (self._turn + 1) % PINNED
        buffer, sent_off = self._buffers[self._turn], self._sent_off[self._turn]
        if sent_off is not None:
            sent_off.synchronize()  # waits only if four refreshes are under way
        buffer.numpy()[:] = addresses
        self.addresses.copy_(buffer, non_blocking=True)
        if not SIMULATED:
            self._sent_off[self._turn] = torch.cuda.Event()
            self._sent_off[self._turn].record()
        self.sent[:] = addresses


@functools.lru_cache(maxsize=16)
def _shared_tables(sizes: bytes, device: torch.device, stream: int) -> DeviceTables:
    return DeviceTables(np.frombuffer(sizes, np.int64).reshape(-1, 2), device)


def tables_for(table: np.ndarray, device: torch.device, kept: dict | None) -> DeviceTables:
    """The device tables for the gradients of a table: a plan's own, or for a single call those of an earlier one.

    The latter are of gradients of the same sizes and dtypes on the same stream. Tables hold no gradient.
    """
    sizes = table[:, COUNT : KIND + 1]
    if kept is None:
        stream = 0 if SIMULATED else torch.cuda.current_stream(device).cuda_stream
        tables = _shared_tables(sizes.tobytes(), device, stream)
    else:
        tables = kept.get(device)
        if tables is None or not np.array_equal(tables.sizes, sizes):
            tables = kept[device] = DeviceTables(sizes.copy(), device)
    tables.point_at(table[:, ADDRESS])
    return tables
