"""More threads, the same bits."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from gradlab_kernels import ClipPlan
from gradlab_kernels.layout import describe
from torch.nn import Parameter

SIZES = (1_100_000, 3, 70_001, 32_768)


@pytest.fixture
def tensors():
    random = torch.Generator().manual_seed(0)
    kinds = (torch.float32, torch.bfloat16, torch.float64, torch.float16)
    return [torch.randn(n, generator=random).to(kind) for n, kind in zip(SIZES, kinds, strict=True)]


@pytest.fixture
def numba(compiled):
    import numba

    threads = torch.get_num_threads()
    before = numba.get_num_threads()  # starts its threads, and may set torch's number
    torch.set_num_threads(threads)
    yield numba
    numba.set_num_threads(before)


@pytest.mark.parametrize("exact", [0, 1])
def test_norms_are_the_same_with_any_number_of_threads(numba, tensors, exact):
    from gradlab_kernels.cpu import passes

    table = describe(tensors)
    results = []
    for run, threads in ((passes.measure, 1), (passes.measure_with_threads, 1),
                         (passes.measure_with_threads, numba.config.NUMBA_NUM_THREADS)):  # fmt: skip
        numba.set_num_threads(threads)
        norms = np.empty(len(tensors))
        results.append((run(table, norms, exact), norms.tolist()))
    assert results[0] == results[1] == results[2]


def test_gradients_are_the_same_with_any_number_of_threads(numba, tensors):
    from gradlab_kernels.cpu import passes

    for alone, together, number in ((passes.scale_all, passes.scale_with_threads, 0.3),
                                    (passes.clamp_all, passes.clamp_with_threads, 0.7)):  # fmt: skip
        one, other = ([t.clone() for t in tensors] for _ in range(2))
        assert alone(describe(one), number) == together(describe(other), number)
        assert all(map(torch.equal, one, other))


def test_a_large_set_is_clipped_by_as_many_threads_as_torch_has(numba, tensors, monkeypatch):
    from gradlab_kernels.cpu import engine

    parameters = [Parameter(torch.zeros_like(t)) for t in tensors]
    used = []
    monkeypatch.setattr(engine.numba, "set_num_threads", used.append)
    for threads in (1, 2):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        for p, t in zip(parameters, tensors, strict=True):
            p.grad = t.clone()
        ClipPlan(parameters).clip_(1.0)
    assert used[::2] == [2, 2] or numba.config.NUMBA_NUM_THREADS == 1


TORCHS_NUMBER = """
import torch
from gradlab_kernels import clip_grad_norm_

torch.set_num_threads(3)
parameter = torch.nn.Parameter(torch.zeros(1_200_000))
parameter.grad = torch.ones_like(parameter)
clip_grad_norm_([parameter], 1.0)
print(torch.get_num_threads())
"""


def test_torch_keeps_its_number_of_threads(compiled):
    told = subprocess.run([sys.executable, "-c", TORCHS_NUMBER], capture_output=True, text=True, check=True)
    assert told.stdout == "3\n"
