"""`python -m gradlab_kernels` compiles the processor's kernels and keeps them on disk: then no first call waits."""

import importlib
import sys
import time

import torch

from . import ClipPlan, clip_grad_norm_, engines


def main() -> int:
    """Call every entry point once; the exit status is 1 where there is nothing to compile with."""
    if reason := engines.missing_for_cpu():
        print(f"Nothing to compile, torch computes: this {reason}")
        return 1
    began = time.perf_counter()
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    plan = ClipPlan([parameter])
    clip_grad_norm_([parameter], 1.0), plan.clip_(0.5), plan.norms(), plan.coefficient(1.0), plan.clip_value_(0.1)

    passes = importlib.import_module(".cpu.passes", __package__)
    layout = importlib.import_module(".layout", __package__)
    table, norms = layout.describe([parameter.grad]), torch.zeros(1, dtype=torch.float64).numpy()
    for function, *arguments in (
        (passes.measure_with_threads, norms, 0),
        (passes.scale_all, 0.5),
        (passes.scale_with_threads, 0.5),
        (passes.clamp_with_threads, 1.0),
    ):
        function(table, *arguments)
    print(f"The processor's kernels are ready, after {time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
