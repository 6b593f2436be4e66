"""The rungs on a GPU, in GB/s. Written without one: this file has not run yet."""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from numba import cuda

from .rungs import RUNGS

REPEATS = 20
PACKAGES = Path(__file__).resolve().parents[2]


def missing() -> str:
    """Why the rungs cannot be timed here, "" if they can."""
    if not torch.cuda.is_available():
        return "torch finds no NVIDIA GPU here"
    if importlib.util.find_spec("numba_cuda") is None:
        return "there is a GPU, but numba-cuda is not installed: pip install numba-cuda[cu13]"
    return ""


def on_gpu(elements: int = 1 << 26, seconds: float = 300) -> dict[str, float]:
    """GB/s of each rung, and of "read", the most that was measured for reading, by name; empty without a GPU.

    Runs in a process of its own, for whether Numba has a GPU or simulates one is settled when it is imported.

    Errors: RuntimeError with what the process said, if it failed.
    """
    if missing():
        return {}
    told = subprocess.run(
        [sys.executable, "-m", "gradlab_kernels.ladder", "--json", "--elements", str(elements)],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if told.returncode:
        raise RuntimeError(f"the rungs could not be timed: {told.stderr[-2000:]}")
    return json.loads(told.stdout.splitlines()[-1])


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    paths = [str(PACKAGES), kept.get("PYTHONPATH", "")]
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def measure(elements: int) -> Iterator[tuple[str, float]]:
    """GB/s of each rung on one array, smallest rung first, after that of reading as such.

    A rung whose norm is off by more than 1e-6 raises ValueError and gets no number.
    """
    x = torch.randn(elements, device="cuda")
    total = torch.zeros(1, dtype=torch.float64, device="cuda")
    expected = float(torch.linalg.vector_norm(x, dtype=torch.float64))
    values, sums = cuda.as_cuda_array(x), cuda.as_cuda_array(total)
    yield "read", _gigabytes(x, lambda: x.view(torch.int32).max())
    wide = 8 * torch.cuda.get_device_properties(0).multi_processor_count
    for name in ("atomic", "tree", "shuffle", "stride", "vector"):
        (kernel,) = RUNGS[name].kernels
        compiled = cuda.jit(kernel)
        grid = -(-elements // 256) if RUNGS[name].blocks is None else wide
        given = (x.data_ptr(), elements, sums) if name == "vector" else (values, sums)

        def call(start=compiled[grid, 256], given=given):
            start(*given)

        total.zero_()
        call()
        found = float(total.sqrt())
        if abs(found / expected - 1) > 1e-6:
            raise ValueError(f"{name}: the norm is {found}, in float64 {expected}")
        yield name, _gigabytes(x, call)


def _gigabytes(x: torch.Tensor, call: Callable[[], object]) -> float:
    """GB/s of a call that reads x once; the median of some, by the GPU's own clock."""
    call()
    seconds = []
    for _ in range(REPEATS):
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        began.record()
        call()
        ended.record()
        torch.cuda.synchronize()
        seconds.append(began.elapsed_time(ended) / 1e3)
    return x.nbytes / statistics.median(seconds) / 1e9
