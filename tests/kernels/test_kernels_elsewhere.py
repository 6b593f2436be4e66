"""What the kernels do not do, torch does: sparse, complex, subclasses, gaps, and everything without Numba."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from gradlab_kernels import ClipPlan, clip_grad_norm_, clip_grad_value_, engines, get_total_norm, per_tensor_norms
from kernel_cases import assert_close, exact_norm
from torch.nn import Parameter

KERNELS = Path(__file__).resolve().parents[2] / "kernels"


def with_gradient(gradient):
    p = Parameter(torch.zeros(gradient.shape, dtype=gradient.dtype))
    p.grad = gradient
    return p


class Odd(torch.Tensor):
    pass


@pytest.mark.parametrize("gradient", [
    torch.tensor([3 + 4j, 0]),
    torch.ones(25).as_subclass(Odd),
])  # fmt: skip
def test_foreign_gradients_are_torchs_affair(gradient):
    ours, theirs = with_gradient(gradient.clone()), with_gradient(gradient.clone())
    assert clip_grad_norm_([ours], 1.0) == torch.nn.utils.clip_grad_norm_([theirs], 1.0) == 5
    assert torch.equal(ours.grad, theirs.grad)
    assert get_total_norm([gradient]) == 5
    with pytest.raises(TypeError, match="only torch.nn.utils.clip_grad_norm_ clips such"):
        ClipPlan([ours]).clip_(1.0)
    with pytest.raises(TypeError, match="torch.linalg.vector_norm"):
        per_tensor_norms([gradient])


def test_exact_norms_of_foreign_gradients_are_exact():
    gradient = torch.full((300, 300), 0.1, dtype=torch.bfloat16).as_subclass(Odd)
    exact = 300 * float(torch.tensor(0.1, dtype=torch.bfloat16))
    p = with_gradient(gradient)
    assert get_total_norm([gradient], exact=True).item() == pytest.approx(exact, rel=1e-12)
    assert clip_grad_norm_([p], 1.0, exact=True).item() == pytest.approx(exact, rel=1e-12)
    assert exact_norm([p.grad]) == pytest.approx(1.0, rel=1e-2)


def test_sparse_gradients_fail_as_they_do_in_torch():
    p = torch.nn.Embedding(4, 3, sparse=True)
    p(torch.tensor([1, 2])).sum().backward()
    for clip in (clip_grad_norm_, torch.nn.utils.clip_grad_norm_):
        with pytest.raises(NotImplementedError):
            clip(p.parameters(), 1.0)


def test_gradients_with_gaps_are_clipped_and_what_lies_between_is_not():
    whole = torch.full((6, 8), 2.0)
    p = with_gradient(whole[:, ::2])
    exact = exact_norm([p.grad])
    assert_close(clip_grad_norm_([p], exact / 2, eps=0), exact)
    assert (whole[:, ::2] == 1).all() and (whole[:, 1::2] == 2).all()
    clip_grad_value_([p], 0.25)
    assert (whole[:, ::2] == 0.25).all() and (whole[:, 1::2] == 2).all()


def test_gradients_with_a_graph_are_clipped_without_one():
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    (x.grad,) = torch.autograd.grad((x**2).sum(), x, create_graph=True)
    norm = clip_grad_norm_([x], 1.0)
    assert norm == 10 and not norm.requires_grad
    assert_close(x.grad.detach().norm(), 1.0)


def test_an_older_torch_is_asked_about_each_tensor_in_python(monkeypatch, compiled):
    from gradlab_kernels.cpu import table

    monkeypatch.setattr(table, "exchange_function", lambda: 0)
    parameters = [with_gradient(torch.randn(7, 5).t()), Parameter(torch.zeros(2)), with_gradient(torch.ones(3).half())]
    plan = ClipPlan(parameters)
    exact = exact_norm([p.grad for p in parameters if p.grad is not None])
    for _ in range(2):
        assert_close(plan.clip_(100.0), exact)
    assert len(plan.norms()) == 2


def test_without_numba_torch_computes_the_same(monkeypatch):
    parameters = [with_gradient(torch.randn(7, 5)), with_gradient(torch.ones(3).bfloat16())]
    wanted = get_total_norm([p.grad for p in parameters])
    monkeypatch.setattr(engines, "_compiled", lambda: None)
    monkeypatch.setattr(engines, "missing_for_cpu", lambda: "needs Numba")
    assert_close(get_total_norm([p.grad for p in parameters]), float(wanted))
    with pytest.raises(RuntimeError, match="backend 'cpu' needs Numba"):
        ClipPlan(parameters, backend="cpu")


def python(program: str, **environment: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_ENABLE_CUDASIM"} | environment
    environment["PYTHONPATH"] = str(KERNELS)
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_importing_is_light_and_silent():
    said = python("""
        import warnings; warnings.simplefilter("error")
        import sys, torch
        before = set(sys.modules)
        import gradlab_kernels
        new = {name.split(".")[0] for name in set(sys.modules) - before}
        assert new <= {"gradlab_kernels"} | set(sys.stdlib_module_names), new
    """)
    assert said == ""


def test_a_python_without_numba_clips():
    said = python("""
        import sys; sys.modules["numba"] = None
        import torch, gradlab_kernels as k
        p = torch.nn.Parameter(torch.zeros(2)); p.grad = torch.tensor([3.0, 4.0])
        print(k.clip_grad_norm_([p], 1.0, eps=0).item(), p.grad.tolist())
    """)
    assert said.split(maxsplit=1)[0] == "5.0" and "0.6" in said


def test_a_processor_without_16_bit_floats_is_left_to_torch(compiled):
    """LLVM would end the process there, and no `except` could help."""
    said = python("""
        import torch, gradlab_kernels as k
        p = torch.nn.Parameter(torch.zeros(2)); p.grad = torch.tensor([3.0, 4.0])
        print(k.clip_grad_norm_([p], 1.0).item())
        try:
            k.ClipPlan([p], backend="cpu")
        except RuntimeError as error:
            print(error)
    """, NUMBA_CPU_NAME="generic")
    assert said.startswith("5.0\nbackend 'cpu' needs a processor that converts 16-bit floats")


def test_the_simulator_must_be_asked_for_before_numba_is_imported(compiled):
    said = python("""
        import torch, numba, gradlab_kernels as k
        try:
            k.ClipPlan([torch.nn.Parameter(torch.zeros(2))], backend="simulator")
        except RuntimeError as error:
            print(error)
    """)
    assert said == "the simulator is chosen when Numba is imported: start Python with NUMBA_ENABLE_CUDASIM=1\n"


def test_what_is_compiled_is_kept_on_disk(tmp_path, compiled):
    """So that the second Python does not wait."""
    program = """
        import torch, gradlab_kernels as k
        p = torch.nn.Parameter(torch.zeros(2)); p.grad = torch.ones(2)
        k.clip_grad_norm_([p], 1.0)
        from gradlab_kernels.cpu import small
        print(sum(small.clip_.stats.cache_hits.values()))
    """
    assert [python(program, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)] == ["0\n", "1\n"]
    for path in tmp_path.rglob("*.nb[ci]"):  # the machine gave out while they were written
        path.write_bytes(path.read_bytes()[:100])
    assert [python(program, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)] == ["0\n", "1\n"]


def test_where_nothing_can_be_kept_each_process_compiles(tmp_path, compiled):
    shutil.copytree(KERNELS / "gradlab_kernels", tmp_path / "gradlab_kernels",
                    ignore=shutil.ignore_patterns("__pycache__", "cuda", "ladder"))  # fmt: skip
    (tmp_path / "gradlab_kernels/cpu/__pycache__").write_bytes(b"")  # neither beside the sources nor elsewhere
    nowhere = str(tmp_path / "gradlab_kernels/cpu/__pycache__/x")
    said = python(f"""
        import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.dont_write_bytecode = True
        import torch, gradlab_kernels as k
        p = torch.nn.Parameter(torch.zeros(2)); p.grad = torch.tensor([3.0, 4.0])
        print(k.clip_grad_norm_([p], 1.0).item())
        from gradlab_kernels import cpu
        print(cpu.KEEP)
    """, NUMBA_CACHE_DIR=nowhere, HOME=nowhere, XDG_CACHE_HOME=nowhere)
    assert said == "5.0\nFalse\n"


def test_what_was_compiled_before_a_source_changed_is_forgotten(tmp_path, compiled):
    """Numba would not see that a function called by a kept one is another."""
    package, unneeded = tmp_path / "gradlab_kernels", shutil.ignore_patterns("__pycache__", "cuda", "ladder")
    shutil.copytree(KERNELS / "gradlab_kernels", package, ignore=unneeded)
    kept = package / "cpu/__pycache__/passes.scale_all-1.py311.nbi"
    kept.parent.mkdir()
    kept.write_bytes(b"")
    elements, later = package / "cpu/elements.py", kept.stat().st_mtime + 10
    for changed, stays in ((later - 20, True), (later, False)):
        for path in package.rglob("*.py"):
            os.utime(path, (later - 20, later - 20))
        os.utime(elements, (changed, changed))
        python(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import gradlab_kernels.cpu")
        assert kept.exists() == stays


def test_the_warm_up_compiles_all_that_is_kept(tmp_path, compiled):
    python("import gradlab_kernels.__main__ as warm; assert warm.main() == 0", NUMBA_CACHE_DIR=str(tmp_path))
    names = {path.name.split("-")[0] for path in tmp_path.rglob("*.nbc")}
    entries = {f"{path.stem}.{name}" for path in (KERNELS / "gradlab_kernels/cpu").glob("*.py")
               for name in re.findall(r"@kept.*\ndef (\w+)", path.read_text())}  # fmt: skip
    assert names == entries


def test_without_numba_the_warm_up_says_so():
    said = python("import sys; sys.modules['llvmlite'] = None; import gradlab_kernels.__main__ as m; print(m.main())")
    assert said == "Nothing to compile, torch computes: this needs Numba: pip install numba\n1\n"
