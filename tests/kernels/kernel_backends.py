"""Which backends this machine has. Imported after conftest.py, which settles whether Numba simulates CUDA."""

import os

import torch

GPU = torch.cuda.is_available() and os.environ.get("NUMBA_ENABLE_CUDASIM") != "1"

try:
    from numba.core import config
except ImportError:
    config = None


def missing(backend: str) -> str:
    """Why a backend cannot be tested here, "" if it can."""
    if backend == "torch":
        return ""
    if config is None:
        return "Numba is not installed"
    if backend == "simulator" and not config.ENABLE_CUDASIM:
        return "Numba was imported without NUMBA_ENABLE_CUDASIM=1"
    if backend == "cuda" and not GPU:
        return "no GPU, or NUMBA_ENABLE_CUDASIM=1 hides it"
    return ""
