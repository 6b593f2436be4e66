"""Where gradients lie in memory, so that a view of one, or a buffer of several, is known for what it is."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Span(NamedTuple):
    """The bytes that the gradient of parameter number `place` takes up, and its number of elements."""

    place: int
    begin: int
    end: int
    elements: int


class Memory:
    """Of some gradients, by the place of their parameters; None where there is none."""

    def __init__(self, gradients: Sequence[Tensor | None]):
        self._spans: dict[int, list[Span]] = {}  # by the address of the storage
        for place, gradient in enumerate(gradients):
            if gradient is not None and (address := _storage(gradient)) is not None:
                self._spans.setdefault(address, []).append(Span(place, *_extent(gradient), gradient.numel()))

    def touched_by(self, tensor: Tensor) -> tuple[list[int], bool]:
        """The places of gradients that a tensor has elements of, and whether it has all of theirs."""
        spans = self._spans.get(_storage(tensor), ())
        if not spans:
            return [], False
        if len(spans) == 1 and tensor.numel() == spans[0].elements:
            return [spans[0].place], True
        begin, end = _extent(tensor)
        met = [span for span in spans if span.begin < end and begin < span.end]
        return [span.place for span in met], all([begin <= span.begin and span.end <= end for span in met])


def _storage(tensor: Tensor) -> int | None:
    try:
        if tensor.layout is not torch.strided:
            return id(tensor)
        return tensor.untyped_storage().data_ptr() or None
    except (RuntimeError, NotImplementedError):  # functorch's and other tensors without memory of their own
        return None


def _extent(tensor: Tensor) -> tuple[int, int]:
    if tensor.layout is not torch.strided:
        return 0, 1
    begin = tensor.data_ptr()
    reach = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return begin, begin + (reach + 1) * tensor.element_size() * (tensor.numel() > 0)
