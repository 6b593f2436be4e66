"""How gradients lie in memory: which the kernels can walk, and which must not be touched at all.

A table holds what the kernels need to know, an int64 row a tensor: address, elements, kind, device. Kind and device
are DLPack's words for dtype and device.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

from .arguments import SharedMemoryError

ADDRESS, COUNT, KIND, DEVICE = range(4)

F32, F64, F16, BF16 = 0x1_20_02, 0x1_40_02, 0x1_10_02, 0x1_10_04  # lanes, bits, code: 2 for floats, 4 for bfloats
KINDS = {torch.float32: F32, torch.float64: F64, torch.float16: F16, torch.bfloat16: BF16}
DEVICES = {"cpu": 1, "cuda": 2}

PLAIN = (Tensor, Parameter)  # of a subclass, such as DTensor, nobody knows what its memory means


class Seen(NamedTuple):
    """What was seen of a list of tensors: their table and how many elements they have.

    `wide`: whether results are float64, because a tensor is or because exact sums were asked for, which is `exact`.
    `kept` is where an engine may keep what it needs again, None where the next call will not be about these tensors.
    """

    tensors: list[Tensor]
    table: np.ndarray
    elements: int
    wide: bool
    exact: bool
    kept: dict | None


def device_of(word: int) -> torch.device:
    """The device that a table names; "meta" for those without kernels."""
    name = next((name for name, kind in DEVICES.items() if kind == word & 0xFFFFFFFF), "meta")
    return torch.device(name, word >> 32) if name == "cuda" else torch.device(name)


def is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is what the kernels are written for, wherever and however it lies."""
    return type(tensor) in PLAIN and tensor.layout == torch.strided and tensor.dtype in KINDS


def is_dense(tensor: Tensor) -> bool:
    """Whether the elements fill one block of memory without gaps, in any order of dimensions.

    Torch's zero tensors, which forward differentiation makes, have no memory at all.
    """
    return tensor.numel() == 0 or (_gaps(tensor) == "none" and tensor.data_ptr() != 0)


def _gaps(tensor: Tensor) -> str:
    """"none", "some", or "overlap" where elements share memory, as after expand()."""
    reach, gaps = 1, "none"  # elements from the first to the last, so far
    for stride, size in sorted((s, n) for s, n in zip(tensor.stride(), tensor.shape, strict=True) if n != 1):
        if stride < reach:
            return "overlap"
        if stride > reach:
            gaps = "some"
        reach = stride * (size - 1) + reach
    return gaps


def describe(tensors: list[Tensor]) -> np.ndarray:
    """The table of plain tensors, asked one by one."""
    rows = [
        (t.data_ptr(), t.numel(), KINDS[t.dtype], DEVICES.get(t.device.type, 0) | (t.device.index or 0) << 32)
        for t in tensors
    ]
    return np.array(rows, np.int64).reshape(-1, 4)


def refuse_shared_memory(tensors: list[Tensor]) -> None:
    """Raise SharedMemoryError, naming the tensors, if any two, or the elements of any one, share memory."""
    full = [(index, tensor) for index, tensor in enumerate(tensors) if tensor.numel()]
    for index, tensor in full:
        if _gaps(tensor) == "overlap":
            raise SharedMemoryError(
                f"elements of gradient {index}, shape {tuple(tensor.shape)}, strides {tensor.stride()}, share memory: "
                "scaling would reach some more than once. Make it .contiguous()"
            )
    extents = sorted((str(t.device), t.data_ptr(), t.data_ptr() + _reach(t), index) for index, t in full)
    reaching = []  # of those that began before, the ones that may reach into the next
    for device, start, end, second in extents:
        reaching = [(place, till, first) for place, till, first in reaching if place == device and till > start]
        for _, _, first in reaching:
            if not _interleaved(tensors[first], tensors[second]):
                first, second = sorted((first, second))
                raise SharedMemoryError(
                    f"gradients {first}, shape {tuple(tensors[first].shape)}, and {second}, shape "
                    f"{tuple(tensors[second].shape)}, share memory: it would be counted and scaled twice. List every "
                    "parameter once"
                )
        reaching.append((device, end, second))


def _reach(tensor: Tensor) -> int:
    """Bytes from the first element to the end of the last."""
    last = sum(stride * (size - 1) for stride, size in zip(tensor.stride(), tensor.shape, strict=True))
    return (last + 1) * tensor.element_size()


def _interleaved(one: Tensor, other: Tensor) -> bool:
    """Whether tensors with gaps, whose extents overlap, have no byte in common, as neighbouring columns of a matrix."""
    if is_dense(one) and is_dense(other):
        return False
    return not np.intersect1d(_bytes(one), _bytes(other)).size


def _bytes(tensor: Tensor) -> np.ndarray:
    places = np.zeros(1, np.int64)
    for stride, size in zip(tensor.stride(), tensor.shape, strict=True):
        places = (places[:, None] + stride * np.arange(size)).ravel()
    width = tensor.element_size()
    return (tensor.data_ptr() + places[:, None] * width + np.arange(width)).ravel()
