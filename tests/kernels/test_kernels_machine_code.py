"""The GPU's kernels become good machine code for three generations of chips, without any of them here."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "kernels" / "compile_check.py"
CHIPS = (75, 80, 90)

spec = importlib.util.spec_from_file_location("compile_check", SCRIPT)
compile_check = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compile_check)


@pytest.fixture(scope="module")
def code():
    """What the compilers say of each kernel on each chip; all chips are compiled for at once."""
    if reason := compile_check.missing():
        pytest.skip(f"the GPU's kernels were not compiled: {reason}; install the extra compile-check")
    runs = [
        subprocess.Popen([sys.executable, SCRIPT, str(chip)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for chip in CHIPS
    ]
    facts = []
    for run in runs:
        said, complained = run.communicate(timeout=300)
        assert run.returncode == 0, complained
        facts += map(json.loads, said.splitlines())
    return {(fact["kernel"], fact["chip"]): fact for fact in facts}


KERNELS = ("multi_norm", "multi_norms", "multi_scale", "multi_clamp")
every_kernel_and_chip = pytest.mark.parametrize("kernel, chip", [(k, c) for k in KERNELS for c in CHIPS])


@every_kernel_and_chip
def test_registers_leave_room_for_four_blocks_and_none_is_spilled(code, kernel, chip):
    fact = code[kernel, chip]
    assert fact["registers"] <= 64 and fact["spilled"] == 0
    assert not {"LDL", "STL"} & {name.split(".")[0] for name in fact["instructions"]}


@every_kernel_and_chip
def test_loads_and_stores_are_128_bits_wide(code, kernel, chip):
    assert code[kernel, chip]["instructions"]["LDG.E.128"] >= 4
    if kernel in ("multi_scale", "multi_clamp"):
        assert code[kernel, chip]["instructions"]["STG.E.128"] >= 4


@pytest.mark.parametrize("chip", CHIPS)
def test_partial_sums_are_fenced_before_the_ticket(code, chip):
    names = code["multi_norm", chip]["instructions"]
    assert names["MEMBAR.SC.GPU"] == 2 and any(name.startswith("ATOMG") for name in names)


@pytest.mark.parametrize("chip", CHIPS)
def test_bf16_is_rounded_by_the_chip_where_it_can(code, chip):
    names = code["multi_scale", chip]["instructions"]
    assert any("BF16" in name for name in names) == (chip >= 80)
