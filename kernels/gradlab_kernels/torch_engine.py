"""The same arithmetic by torch's own operations: what runs where no kernel does.

That is without Numba, on devices without kernels, for tensors with gaps, on several devices at once, and for norms
other than the 2-norm. Slower than the kernels, and as exact: norms are taken in float64 whatever the dtype.
"""

import math

import torch
from torch import Tensor

from .coefficient import Coefficient, decide
from .layout import refuse_shared_memory


class TorchEngine:
    """Norms and scaling of plain tensors, anywhere.

    `norm_type` is the order of the norm; `wide`: results are float64, whatever the tensors.
    """

    def __init__(self, tensors: list[Tensor], norm_type: float = 2.0, wide: bool = False):
        refuse_shared_memory(tensors)
        self.tensors = [tensor.detach() for tensor in tensors]
        self.norm_type = norm_type
        self.device = tensors[0].device
        wide = wide or any(t.dtype == torch.float64 for t in tensors)
        self.dtype = torch.float64 if wide else torch.float32

    def norms(self) -> Tensor:
        return torch.stack([self._norm(tensor).to(self.device) for tensor in self.tensors])

    def _norm(self, tensor: Tensor) -> Tensor:
        if not tensor.numel():  # torch has no largest element of none
            return torch.zeros((), dtype=torch.float64, device=tensor.device)
        if tensor.dtype == torch.float64 or 4 < self.norm_type < math.inf:  # powers that may leave float64
            return self._in_units_of_the_largest(tensor.double())
        return torch.linalg.vector_norm(tensor, self.norm_type, dtype=torch.float64)

    def _in_units_of_the_largest(self, vector: Tensor) -> Tensor:
        """The norm of a float64 vector whose powers may leave the range of float64, squares beyond about 1e±154."""
        largest = vector.abs().max()
        norm = torch.linalg.vector_norm(vector / largest, self.norm_type) * largest
        return torch.where((largest > 0) & largest.isfinite(), norm, largest)  # 0, infinity and NaN stay themselves

    def measure(self, max_norm: float, eps: float) -> Coefficient:
        return self.given(self._in_units_of_the_largest(self.norms()), max_norm, eps)

    def given(self, norm: Tensor | float, max_norm: float, eps: float) -> Coefficient:
        if self.device.type == "cpu":
            return decide(float(norm), max_norm, eps)
        norm = torch.as_tensor(norm, dtype=torch.float64, device=self.device)
        one = torch.ones_like(norm)
        coefficient = one if max_norm == math.inf else (max_norm / (norm + eps)).clamp(max=1)
        return Coefficient(norm, coefficient, 1 / coefficient, 1 - norm.isfinite().to(norm.dtype))

    def scale_(self, decision: Coefficient) -> None:
        coefficient = decision.coefficient
        if isinstance(coefficient, float) and coefficient >= 1:
            return
        for group in self._by_device_and_dtype():
            dtype = torch.promote_types(group[0].dtype, torch.float32)  # a 16-bit factor would be 0.3 % off
            factor = torch.as_tensor(coefficient, dtype=dtype, device=group[0].device)
            torch._foreach_mul_(group, factor)  # by 1 where a GPU's norm is below the threshold: looking would wait

    def clamp_(self, limit: float) -> None:
        for group in self._by_device_and_dtype():
            if limit < torch.finfo(group[0].dtype).max:
                torch._foreach_clamp_min_(group, -limit)
                torch._foreach_clamp_max_(group, limit)

    def _by_device_and_dtype(self) -> list[list[Tensor]]:
        groups: dict = {}
        for tensor in self.tensors:
            if tensor.numel():
                groups.setdefault((tensor.device, tensor.dtype), []).append(tensor)
        return list(groups.values())

    def value(self, number: Tensor | float) -> Tensor:
        """A number of a decision as a tensor without dimensions, where the first gradient is."""
        return torch.as_tensor(number, dtype=self.dtype, device=self.device)
