"""What a number belongs to: the machine, the versions, and how busy it was."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

PACKAGES = ("torch", "numba", "llvmlite", "numba-cuda", "cuda-core", "numpy")


def facts(device: str) -> dict[str, object]:
    found: dict[str, object] = {"device": _gpu() if device == "cuda" else _processor()}
    found["python"] = platform.python_version()
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    found["threads"] = torch.get_num_threads()
    found["load before"] = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def _gpu() -> str:
    gpu = torch.cuda.get_device_properties(0)
    cache = f"{gpu.L2_cache_size >> 20} MiB L2"
    return f"{gpu.name}, {gpu.multi_processor_count} processors, {cache}, CUDA {torch.version.cuda}"
