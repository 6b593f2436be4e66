"""The GPU's kernels behind the interface that all engines share; in the simulator, on tensors in main memory.

The host neither reads nor waits: norm and coefficient stay on the device, and the kernel that scales looks there.
"""

import torch
from torch import Tensor

from ..coefficient import Coefficient
from ..layout import DEVICE, Seen, device_of
from .tables import tables_for


class CudaEngine:
    """Norms and scaling of the tensors of a table, all on one device, dense and disjoint."""

    def __init__(self, seen: Seen):
        self.tensors, self.device = seen.tensors, device_of(int(seen.table[0, DEVICE]))
        self.wide = int(seen.wide)
        self.dtype = torch.float64 if seen.wide else torch.float32
        self.tables = tables_for(seen.table, self.device, seen.kept)

    def norms(self) -> Tensor:
        norms = torch.empty(len(self.tensors), dtype=torch.float64, device=self.device)
        self.tables.norms(*self.tables.walk, *self.tables.scratch, norms.data_ptr())
        return norms

    def measure(self, max_norm: float, eps: float) -> Coefficient:
        result = torch.empty(4, dtype=self.dtype, device=self.device)  # new each time: earlier results stay valid
        self.tables.norm(*self.tables.walk, *self.tables.scratch, result.data_ptr(), self.wide, max_norm, eps)
        return Coefficient(*result.unbind())

    def given(self, norm: Tensor | float, max_norm: float, eps: float) -> Coefficient:
        norm = torch.as_tensor(norm, dtype=torch.float64, device=self.device)
        coefficient = (max_norm / (norm + eps)).clamp(max=1)
        parts = norm, coefficient, 1 / coefficient, 1 - norm.isfinite().double()
        return Coefficient(*torch.stack(parts).to(self.dtype).unbind())

    def scale_(self, decision: Coefficient) -> None:
        self.tables.scale(*self.tables.walk, decision.coefficient.data_ptr(), self.wide)
        torch.autograd.graph.increment_version(self.tensors)  # whether anything was written, only the device knows

    def clamp_(self, limit: float) -> None:
        self.tables.clamp(*self.tables.walk, limit)
        torch.autograd.graph.increment_version(self.tensors)

    def value(self, number: Tensor) -> Tensor:
        return number
