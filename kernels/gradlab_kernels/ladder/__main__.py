"""The ladder from the command line: times on a GPU where there is one, counts everywhere.

python -m gradlab_kernels.ladder [--elements N] [--json]
"""

import argparse
import json
import sys

import numpy as np
import torch
from numba.core import config

from .run import run
from .rungs import RUNGS
from .timing import measure, missing

COUNTED = 2000  # elements on the machine that counts


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gradlab_kernels.ladder", description=__doc__.splitlines()[0])
    parser.add_argument("--elements", type=int, default=1 << 26, help="on the GPU (default: 67 million, 0.27 GB)")
    parser.add_argument("--json", action="store_true", help="one object: GB/s by rung, empty without a GPU")
    options = parser.parse_args(arguments)
    reason = missing() or _hidden()
    if options.json:
        print(json.dumps({} if reason else dict(measure(options.elements))))
        return 0
    if reason:
        print(f"Not timed: {reason}. The kernels run on the processor instead, where only counts mean anything.")
    else:
        _times(measure(options.elements), options.elements)
    _counts()
    return 0


def _hidden() -> str:
    return "NUMBA_ENABLE_CUDASIM is set, so Numba has no GPU in this process" if config.ENABLE_CUDASIM else ""


def _times(measured, elements: int) -> None:
    print(f"{torch.cuda.get_device_name()}, {elements:,} float32, one launch each")
    ceiling = 0.0
    for name, speed in measured:
        ceiling = ceiling or speed  # "read" comes first
        print(f"  {name:8} {speed:8.1f} GB/s  {speed / ceiling:6.1%} of reading alone", flush=True)


def _counts() -> None:
    values = np.random.default_rng(0).standard_normal(COUNTED).astype(np.float32)
    print(f"\nCounted on {COUNTED} elements, nothing clipped:")
    print("  rung      loads stores   bytes atomics barriers launches   idle")
    for name in RUNGS:
        found = run(name, values, max_norm=1e9)
        did = found.counts
        print(f"  {name:8} {did.loads:6} {did.stores:6} {found.gradient_bytes:7} {did.atomics:7} {did.barriers:8} "
              f"{did.launches:8} {did.idle:6.0%}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
