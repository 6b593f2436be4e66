"""What learners read and write is what a GPU runs: it compiles for one, without one here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
from types import SimpleNamespace
import numba.cuda.dispatcher
from numba import cuda, float32, float64, int32, int64, void
numba.cuda.dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(9, 0))
from gradlab import exercises
from gradlab_kernels.ladder.rungs import RUNGS
x, total, whole = float32[::1], float64[::1], int64[::1]
signatures = {"one_each": (x, total), "tree": (x, total), "shuffle": (x, total), "stride": (x, total),
              "vector": (int64, int64, total), "lists": (whole, whole, whole, whole, total), "always": (x, x)}
kernels = {kernel.__name__: kernel for rung in RUNGS.values() for kernel in rung.kernels}
jobs = [(kernels[name], signature) for name, signature in signatures.items()]
jobs += [(exercises.get("block-sum").right, (x, total)), (exercises.get("clip-kernel").right, (x, x, float64)),
         (exercises.get("grid-norm").right, (x, total, int32[::1], total))]
for kernel, signature in jobs:
    code, _ = cuda.compile(kernel, void(*signature), cc=(9, 0), device=False, abi="numba", output="ptx")
    words = ("bar.sync", "shfl.sync.down", "ld.global.v4", "atom", "red.", "membar", "ld.shared", "st.global")
    print(json.dumps([kernel.__name__, [word for word in words if word in code]]))
"""


@pytest.fixture(scope="module")
def code():
    """For each kernel the kinds of instruction that its code has."""
    if importlib.util.find_spec("numba_cuda") is None:
        pytest.skip("numba-cuda is not installed")
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=kept | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return dict(map(json.loads, run.stdout.splitlines()))


def test_every_rung_and_every_solution_compiles(code):
    assert len(code) == 10


def test_what_a_rung_is_about_is_in_its_code(code):
    assert "ld.shared" in code["tree"] and "bar.sync" in code["tree"] and "shfl.sync.down" not in code["tree"]
    assert "shfl.sync.down" in code["shuffle"] and "shfl.sync.down" in code["stride"]
    assert "ld.global.v4" in code["vector"] and "ld.global.v4" not in code["stride"]
    assert "membar" in code["grid_norm"]
