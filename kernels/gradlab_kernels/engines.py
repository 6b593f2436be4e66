"""Which engine computes: found by looking at the tensors, once a call.

All have the same verbs. `norms()`: each tensor's, float64. `measure(max_norm, eps)`: the norm of all and the decision.
`given(norm, ...)`: the decision for a norm known before. `scale_(decision)`, `clamp_(limit)`: change the tensors.
`value(number)`: a number of a decision as the tensor that is returned.
"""

import functools
import importlib
import importlib.util
import math
import platform
import sys

import numpy as np
import torch
from torch import Tensor

from .arguments import nonfinite
from .layout import (
    COUNT,
    DEVICE,
    F64,
    KIND,
    PLAIN,
    Seen,
    describe,
    device_of,
    is_dense,
    is_plain,
    refuse_shared_memory,
)
from .torch_engine import TorchEngine

BACKENDS = ("cpu", "cuda", "simulator", "torch")


class Foreign(Exception):
    """Tensors whose memory only torch understands: sparse, complex, subclasses such as DTensor."""


class Eyes:
    """What has been seen of some tensors, or of the gradients of some parameters.

    Kept over a loop, they cost only a look at each tensor: what has not moved is not compared with the others again.
    """

    def __init__(
        self,
        owners: list[Tensor],
        of_gradients: bool = True,
        backend: str | None = None,
        kept: dict | None = None,
        exact: bool = False,
    ):
        self.owners, self.of_gradients, self.backend, self.kept = owners, of_gradients, backend, kept
        self.exact = int(exact)
        self._table = _tables.pop(len(owners), None) if kept is None else None
        if self._table is None:
            self._table = np.full((len(owners), 4), -1, np.int64)
        gradient = _GRADIENT if of_gradients else 0
        self._addresses = id(owners), gradient, _PLAIN_AT, self._table.ctypes.data, len(owners)

    def __reduce__(self):
        """A copy, in this process or another, has addresses of its own."""
        return Eyes, (
            self.owners, self.of_gradients, self.backend, None if self.kept is None else {}, bool(self.exact)
        )  # fmt: skip

    def tensors(self) -> list[Tensor]:
        """The tensors as they are now."""
        if not self.of_gradients:
            return self.owners
        return [gradient for owner in self.owners if (gradient := owner.grad) is not None]

    def engine(self):
        """The engine for the tensors as they are now, None if there are none.

        Raises Foreign, SharedMemoryError, or RuntimeError for a missing device.
        """
        compiled = None if self.backend == "torch" else _compiled()
        seen = self._read(compiled) if compiled else None
        if seen is None:
            return self._by_torch()
        return _engine(int(seen.table[0, DEVICE]), self.backend)(seen) if seen.tensors else None

    def clip_(self, max_norm: float, eps: float, hold: bool) -> Tensor | None:
        """Clip a small set on the processor at once, without an engine; the norm, None where that is not possible.

        `hold`: RuntimeError for a norm that is not finite, before anything is changed.
        """
        compiled = _compiled() if self.backend is None or self.backend == "cpu" else None
        function = compiled.exchange_function() if compiled else 0
        if not function:
            return None
        tensors: list[Tensor] = []
        done, wide, norm, coefficient = compiled.clip_(  # in CPython the id of a thing is its address
            function, *self._addresses, id(tensors), max_norm, eps, self.exact, 1 if hold else 0
        )
        if not done:
            return None
        if self.kept is None and len(_tables) < SPARE_TABLES:
            _tables[len(self.owners)] = self._table
        if hold and not math.isfinite(norm):
            raise nonfinite(norm)
        if not coefficient >= 1:
            compiled.tell_autograd(tensors if self.of_gradients else self.owners)
        return compiled.as_tensor(norm, torch.float64 if wide or self.exact else torch.float32)

    def _by_torch(self):
        for k, owner in enumerate(self.owners):
            if not isinstance(owner, Tensor):
                raise TypeError(
                    f"number {k} is a {type(owner).__name__} ({owner!r:.60}), not a tensor; pass model.parameters()"
                )
        tensors = self.tensors()
        for tensor in tensors:
            if not is_plain(tensor):
                raise Foreign(f"{type(tensor).__name__}, {tensor.layout} of {tensor.dtype}")
        return TorchEngine(tensors, wide=bool(self.exact)) if tensors else None

    def _read(self, compiled) -> Seen | None:
        """The table, brought up to date; None if the kernels cannot work by it."""
        function = compiled.exchange_function()
        if not function:
            return self._read_one_by_one()
        tensors: list[Tensor] = []
        table = self._table.copy()  # a call in another thread may write to the kept one before the engine has worked
        found, rows, elements, wide = compiled.read(function, *self._addresses[:3], table, id(tensors))
        self._table[:] = table
        if found <= compiled.MOVED:
            return self._seen(tensors if self.of_gradients else self.owners, table[:rows], elements, wide)
        if found == compiled.SHARED:
            refuse_shared_memory(self.tensors())
        return None

    def _read_one_by_one(self) -> Seen | None:
        tensors = self.tensors()
        if not all(is_plain(t) and is_dense(t) and t.device == tensors[0].device for t in tensors):
            return None
        table = describe(tensors)
        if not np.array_equal(table, self._table[: len(table)]):
            self._table.fill(-1)
            refuse_shared_memory(tensors)
            self._table[: len(table)] = table
        return self._seen(tensors, table, int(table[:, COUNT].sum()), bool((table[:, KIND] == F64).any()))

    def _seen(self, tensors: list[Tensor], table: np.ndarray, elements: int, wide: bool) -> Seen:
        return Seen(tensors, table, elements, wide or bool(self.exact), bool(self.exact), self.kept)


_NAME = sys.intern("grad")
_GRADIENT = id(_NAME)
_PLAIN = np.array([id(kind) for kind in PLAIN] + [id(None)], np.int64)
_PLAIN_AT = _PLAIN.ctypes.data

# Tables of single calls, by their length, for the next call for as many tensors. What a table says is compared with the
# tensors before it is believed, whosever they are. One that is in use is not in here.
_tables: dict[int, np.ndarray] = {}
SPARE_TABLES = 8


@functools.cache
def _compiled():
    """What looks at tensors in compiled code, None without Numba. Imported here, by the first call that needs it."""
    return None if missing_for_cpu() else importlib.import_module(".cpu.small", __package__)


def missing_for_cpu() -> str:
    try:
        from llvmlite.binding import get_host_cpu_features
        from numba.core import config
    except ImportError:
        return "needs Numba: pip install numba"
    if config.DISABLE_JIT:
        return "needs Numba's compiler, which NUMBA_DISABLE_JIT=1 switches off"
    if platform.machine().lower() in ("arm64", "aarch64"):
        return ""
    # LLVM then calls functions that nobody has, and ends the process.
    if config.CPU_NAME == "generic" or not (config.CPU_NAME or get_host_cpu_features().get("f16c")):
        return "needs a processor that converts 16-bit floats (F16C), and Numba sees none"
    return ""


@functools.lru_cache(maxsize=64)
def _engine(device: int, backend: str | None):
    """The class of engine for a device, as a table names it, or for the backend that was asked for by name."""
    device = device_of(device).type
    if backend is None:
        backend = device if device == "cpu" or not _missing_for_cuda() else "torch"
    if backend == "torch":
        return lambda seen: TorchEngine(seen.tensors, wide=seen.wide)
    expected = "cuda" if backend == "cuda" else "cpu"
    if device != expected:
        raise RuntimeError(
            f"backend {backend!r} works on {expected} tensors, the gradients are on {device}; "
            "leave backend out, and it follows the gradients"
        )
    if backend == "cpu":
        return importlib.import_module(".cpu.engine", __package__).CpuEngine
    if reason := _missing_for_cuda() if backend == "cuda" else _missing_for_simulator():
        raise RuntimeError(reason)
    return importlib.import_module(".cuda.engine", __package__).CudaEngine


def check_backend(backend: str | None) -> None:
    """Raise, before any gradient is there, what could only be wrong with it later."""
    if backend is None:
        return
    if backend not in BACKENDS:
        raise ValueError(
            f"backend must be one of {', '.join(BACKENDS)}, or None to follow the gradients; got {backend!r}"
        )
    reason = ""
    if backend != "torch" and missing_for_cpu():
        reason = f"backend {backend!r} {missing_for_cpu()}"
    elif backend == "cuda":
        reason = _missing_for_cuda()
    elif backend == "simulator":
        reason = _missing_for_simulator()
    if reason:
        raise RuntimeError(reason)


def _missing_for_cuda() -> str:
    if not torch.cuda.is_available():
        return "no CUDA device: torch.cuda.is_available() is False. backend=None computes where the gradients are"
    if importlib.util.find_spec("numba_cuda") is None:
        return "the GPU's kernels need numba-cuda: pip install numba-cuda[cu13]"
    if _simulated():
        return "NUMBA_ENABLE_CUDASIM is set, so Numba has no GPU in this process: unset it and start Python again"
    return ""


def _missing_for_simulator() -> str:
    if _simulated():
        return ""
    return "the simulator is chosen when Numba is imported: start Python with NUMBA_ENABLE_CUDASIM=1"


def _simulated() -> bool:
    from numba.core import config

    return bool(config.ENABLE_CUDASIM)
