"""What the tests of the kernels share: the backends of this machine, and gradients of all kinds.

Without a GPU Numba simulates CUDA in this process: that is settled when it is first imported. With one, the
simulator's share is left out, as one process cannot have both: NUMBA_ENABLE_CUDASIM=1 turns that around.
"""

import hashlib
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import torch

PACKAGE = Path(__file__).resolve().parents[2] / "kernels" / "gradlab_kernels"

if not torch.cuda.is_available() and "numba" not in sys.modules:
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

# Numba looks for changes only in the file a compiled function stands in, not in those it calls.
_sources = b"".join(path.read_bytes() for path in sorted(PACKAGE.rglob("*.py")))
_folder = f"gradlab-kernels-{hashlib.sha256(_sources).hexdigest()[:16]}"
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / _folder))


@pytest.fixture(autouse=True)
def torch_keeps_its_threads():
    """Numba and torch may share one OpenMP, and who starts threads there may change how many the other uses."""
    before = torch.get_num_threads()
    yield
    now = torch.get_num_threads()
    torch.set_num_threads(before)
    assert now == before


@pytest.fixture(params=["cpu", "torch", "simulator", pytest.param("cuda", marks=pytest.mark.gpu)])
def backend(request):
    from kernel_backends import missing

    if reason := missing(request.param):
        pytest.skip(reason)
    return request.param


@pytest.fixture
def compiled():
    """For tests of what only the compiled kernels do."""
    from kernel_backends import missing

    if reason := missing("cpu"):
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter):
    """What of the kernels was not tried on this machine, a line a reason."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "tests/kernels/" in report.nodeid]
    for reason, times in Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped).items():
        terminalreporter.write_line(f"Left out, {times} of the kernels' tests: {reason}")
