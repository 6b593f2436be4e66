"""Each rung finds the norm, and what it costs follows from its idea."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("numba")

from gradlab_kernels import ladder  # noqa: E402
from gradlab_kernels.cuda.blocks import THREADS  # noqa: E402

SIZES = (1, 3, 64, 777, 2049, 5003)
NAMES = tuple(ladder.RUNGS)
MEASURE = NAMES[:6]
every = pytest.mark.parametrize("name", NAMES)


def draw(*sizes, seed=0):
    source = np.random.default_rng(seed)
    return [(source.standard_normal(size) - 0.3).astype(np.float32) for size in sizes]


@every
@pytest.mark.parametrize("size", [0, 1, 31, 100, 1030])
def test_a_rung_finds_the_norm_of_any_number_of_elements(name, size):
    (values,) = draw(size)
    found = ladder.run(name, values)
    assert found.error < 1e-6 and found.elements == size
    assert math.isclose(found.reference, np.linalg.norm(values.astype(float)), rel_tol=1e-12)


@every
def test_many_tensors_have_one_norm(name):
    tensors = draw(*SIZES)
    given = [torch.from_numpy(tensor).reshape(-1) for tensor in tensors]
    assert ladder.run(name, given).error < 1e-6
    assert all(np.array_equal(a, b) for a, b in zip(tensors, draw(*SIZES), strict=True))  # left as they were


@every
def test_every_element_is_read_once_for_the_norm(name):
    found = ladder.run(name, draw(*SIZES))
    once = 4 * sum(SIZES)
    assert found.gradient_bytes == (3 * once if name == "always" else once)


def test_a_clip_that_does_nothing_reads_4_bytes_an_element_and_one_that_acts_moves_12():
    tensors = draw(*SIZES)
    for max_norm, always, clip in ((1e6, 12, 4), (1.0, 12, 12)):
        assert ladder.run("always", tensors, max_norm=max_norm).bytes_per_element == always
        assert ladder.run("clip", tensors, max_norm=max_norm).bytes_per_element == clip
    far = ladder.run("clip", tensors, max_norm=1e6)
    assert not [name for name in far.counts.written_to if name.startswith("tensor")]
    assert all(np.array_equal(a, b) for a, b in zip(far.values, tensors, strict=True))


@pytest.mark.parametrize("poison, max_norm", [(None, 1.0), (None, 1e6), (math.nan, 1.0), (math.inf, 1.0)])
@pytest.mark.parametrize("name", ["always", "clip"])
def test_what_clips_does_what_torch_does(name, poison, max_norm):
    tensors = draw(*SIZES)
    if poison is not None:
        tensors[3][7] = poison
    parameters = [torch.nn.Parameter(torch.zeros(size)) for size in SIZES]
    for parameter, tensor in zip(parameters, tensors, strict=True):
        parameter.grad = torch.from_numpy(tensor.copy())
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    found = ladder.run(name, tensors, max_norm=max_norm)
    assert np.isclose(found.norm, norm.item(), rtol=1e-5, equal_nan=True) and found.error < 1e-6
    for parameter, after in zip(parameters, found.values, strict=True):
        assert np.allclose(parameter.grad.numpy(), after, rtol=2e-6, atol=0, equal_nan=True)


def test_the_ladder_goes_from_an_atomic_an_element_to_one_a_block():
    (values,) = draw(2000)
    counts = {name: ladder.run(name, values).counts for name in MEASURE}
    blocks = 63
    assert counts["atomic"].atomics == 2000
    assert counts["tree"].atomics == counts["shuffle"].atomics == blocks
    assert counts["stride"].atomics == counts["vector"].atomics == 4
    assert counts["tree"].barriers == 6 * blocks and counts["shuffle"].barriers == blocks
    assert counts["stride"].barriers == 4 and counts["atomic"].barriers == 0
    assert counts["shuffle"].shared_reads == blocks and counts["tree"].shared_reads == 63 * blocks
    assert counts["shuffle"].shuffles == 10 * blocks


def test_a_wide_load_is_a_quarter_of_the_loads_and_the_same_bytes():
    (values,) = draw(2003)
    narrow, wide = (ladder.run(name, values).counts for name in ("stride", "vector"))
    assert narrow.loads == 2003 and wide.loads == 2000 // 4 + 3
    assert narrow.read_from["values"] == wide.read_from["values"] == 4 * 2003


def test_lists_take_one_launch_and_single_rungs_one_a_tensor():
    tensors = draw(*SIZES)
    launches = {name: ladder.run(name, tensors, max_norm=1.0).counts.launches for name in NAMES}
    assert launches == dict.fromkeys(MEASURE[:5], len(SIZES)) | {"lists": 1, "always": 2 * len(SIZES), "clip": 2}


def test_more_elements_a_thread_leave_fewer_idle():
    (values,) = draw(4096)
    tree, many = ladder.run("tree", values).counts, ladder.run("stride", values).counts
    assert tree.idle > 0.7 and many.idle < 0.1


def test_counts_add_up():
    first, second = (ladder.run("tree", tensor).counts for tensor in draw(64, 100))
    both = ladder.run("tree", draw(64, 100)).counts
    assert first + second == both == sum([first, second])


@pytest.mark.parametrize("name", NAMES[:4])
def test_numbas_own_simulator_finds_the_same(name):
    from numba import cuda
    from numba.core import config

    if not config.ENABLE_CUDASIM:
        pytest.skip("Numba was imported without NUMBA_ENABLE_CUDASIM=1")
    from gradlab_kernels.cuda import instructions  # noqa: F401 - lends the simulator its warps

    (values,), total = draw(100), np.zeros(1)
    cuda.jit(ladder.RUNGS[name].kernels[0])[4, 32](values, total)
    assert math.isclose(math.sqrt(total[0]), ladder.run(name, values).norm, rel_tol=1e-12)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("trees", [1.0]), "there is no rung 'trees'; the rungs are atomic, tree"),
        (("tree", [1.0], {"threads": 48}), "a power of two, got 48"),
        (("stride", [1.0], {"threads": 16}), "a multiple of 32, got 16"),
        (("tree", [1.0], {"blocks": 2}), "leave blocks out"),
    ],
)
def test_what_a_rung_cannot_do_is_refused(arguments, words):
    name, values, *options = arguments
    with pytest.raises((KeyError, ValueError), match=words):
        ladder.run(name, np.array(values), **(options[0] if options else {}))


def test_the_grid_is_told():
    (values,) = draw(100)
    assert (ladder.run("tree", values, threads=64).blocks, ladder.run("tree", values, threads=64).threads) == (2, 64)
    assert (ladder.run("stride", values, blocks=7).blocks, ladder.run("clip", values).threads) == (7, THREADS)


@every
def test_a_rung_is_short_enough_to_be_shown(name):
    assert len(ladder.source(name).splitlines()) < 50
    assert ladder.source(name)._repr_markdown_().startswith(("```python\ndef ", "```python\n@cuda.jit"))


def run_as_a_command(*arguments):
    folder = str(Path(ladder.__file__).parents[2])
    kept = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    command = [sys.executable, "-W", "error", "-m", "gradlab_kernels.ladder", *arguments]
    told = subprocess.run(command, env=kept | {"PYTHONPATH": folder}, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_counts():
    said = run_as_a_command()
    assert said.startswith("Not timed: torch finds no NVIDIA GPU here.") and "GB/s" not in said
    assert all(f"\n  {name:8} " in said for name in NAMES)
    assert json.loads(run_as_a_command("--json")) == {} and ladder.on_gpu() == {} and ladder.missing()


@pytest.mark.gpu
@pytest.mark.skipif(bool(ladder.missing()), reason=ladder.missing())
def test_with_a_gpu_every_single_rung_has_a_speed():
    speeds = ladder.on_gpu(1 << 22)
    assert list(speeds) == ["read", *MEASURE[:5]] and all(speed > 0 for speed in speeds.values())
