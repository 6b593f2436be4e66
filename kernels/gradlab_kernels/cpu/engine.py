"""The processor's kernels behind the interface that all engines share: norms, measure, given, scale_, clamp_, value.

Sets of at most a million elements stay on one thread, and are clipped by cpu/small.py where they can be.
"""

import math
import os
import threading
from contextlib import contextmanager

import numba
import numpy as np
import torch
from torch import Tensor

from ..coefficient import Coefficient, decide
from ..layout import Seen
from ..torch_engine import TorchEngine
from . import passes

_one_at_a_time = threading.Lock()  # Numba's simplest threading layer ends the process where two threads use it
_forked = False
_PROCESSOR = torch.device("cpu")


def _after_fork() -> None:
    """A forked child has none of the threads, nobody who would give back a lock, and OpenMP ends it if it tries."""
    global _forked, _one_at_a_time
    _forked, _one_at_a_time = True, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def _torch_keeps_its_threads():
    """Where both find the same OpenMP, Numba's first start would set how many threads torch uses, too."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


class CpuEngine:
    """Norms and scaling of the tensors of a table, all on the processor, dense and disjoint."""

    def __init__(self, seen: Seen):
        self.tensors, self.table = seen.tensors, seen.table
        self.dtype = torch.float64 if seen.wide else torch.float32
        self.threads = torch.get_num_threads() if seen.elements >= passes.THREADS_FROM else 1
        self.exact = int(seen.exact)

    def norms(self) -> Tensor:
        return torch.from_numpy(self._measure()[0])

    def _measure(self) -> tuple[np.ndarray, float]:
        norms = np.empty(len(self.table))
        norm, extreme = self._run(passes.measure, passes.measure_with_threads, norms, self.exact)
        if extreme:  # float64 beyond 1e±140, or zeros
            engine = TorchEngine(self.tensors)
            return engine.norms().numpy(), engine.measure(1.0, 0.0).norm
        return norms, norm

    def _run(self, alone, with_threads, *arguments):
        if self.threads == 1 or _forked:
            return alone(self.table, *arguments)
        with _one_at_a_time, _torch_keeps_its_threads():
            try:
                before = numba.get_num_threads()
            except ValueError:  # the threading layer that NUMBA_THREADING_LAYER asks for is not installed
                return alone(self.table, *arguments)
            try:
                numba.set_num_threads(min(self.threads, numba.config.NUMBA_NUM_THREADS))
                return with_threads(self.table, *arguments)
            finally:
                numba.set_num_threads(before)

    def measure(self, max_norm: float, eps: float) -> Coefficient:
        return decide(self._measure()[1], max_norm, eps)

    def given(self, norm: Tensor | float, max_norm: float, eps: float) -> Coefficient:
        return decide(float(norm), max_norm, eps)

    def scale_(self, decision: Coefficient) -> None:
        if not decision.coefficient >= 1:
            self._run(passes.scale_all, passes.scale_with_threads, decision.coefficient)
            tell_autograd(self.tensors)

    def clamp_(self, limit: float) -> None:
        if self._run(passes.clamp_all, passes.clamp_with_threads, limit):
            tell_autograd(self.tensors)

    def value(self, number: float) -> Tensor:
        return as_tensor(number, self.dtype)


def as_tensor(number: float, dtype: torch.dtype) -> Tensor:
    """A number as a tensor without dimensions; infinite beyond float32, which has no larger number than that."""
    try:
        return torch.scalar_tensor(number, dtype=dtype, device=_PROCESSOR)  # three times as fast as torch.tensor
    except RuntimeError:
        return torch.scalar_tensor(math.inf, dtype=dtype, device=_PROCESSOR)


def tell_autograd(tensors: list[Tensor]) -> None:
    """Count up the tensors' versions: writing at an address is invisible to those who watch for changes."""
    try:
        torch.autograd.graph.increment_version(tensors)
    except TypeError:  # before torch 2.6 it took one tensor
        for tensor in tensors:
            torch.autograd.graph.increment_version(tensor)
