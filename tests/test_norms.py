"""Norms and clipping by the kernels and by torch are the same, and one of them is always there."""

import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_clip import gradients, parameters, weights

from gradlab import norms
from gradlab.clip import NONFINITE, RULES, NonFiniteGradientError

ROOT = Path(__file__).resolve().parent.parent
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


@pytest.fixture(scope="module")
def kernels():
    found = norms._kernels()
    if found is None:
        pytest.skip("no kernels to compare with: Numba is not installed, or GRADLAB_KERNELS=off")
    return found


@pytest.fixture(scope="module")
def both(kernels):
    """Do something by the kernels and by torch; what each gives."""

    def do(action):
        results = []
        for found in (kernels, None):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(norms, "_kernels", lambda found=found: found)
                results.append(action())
        return results

    return do


def copies(given_parameters):
    made = [p.detach().clone().requires_grad_() for p in given_parameters]
    for copy, p in zip(made, given_parameters, strict=True):
        copy.grad = None if p.grad is None else p.grad.clone()
    return made


def ulp(tensor):
    # In float64 the coefficients may differ too: the squares are added in another order.
    eps = torch.finfo(tensor.dtype).eps * (4 if tensor.dtype == torch.float64 else 1)
    return eps * tensor.double().abs() + torch.finfo(tensor.dtype).tiny


# At the norm itself its last bit decides whether anything is clipped.
shares = st.floats(0.01, 2).filter(lambda share: abs(share - 1) > 1e-9)


@every_rule
@given(given_parameters=parameters(), share=shares)
def test_both_clip_to_the_same_gradients(both, rule, given_parameters, share):
    threshold = max(share * norms.global_norm(gradients(given_parameters)), 1e-30)

    def clip():
        clipped = copies(given_parameters)
        return rule(threshold)(clipped), gradients(clipped)

    (ours, by_kernels), (theirs, by_torch) = both(clip)
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-300)
    for mine, reference in zip(by_kernels, by_torch, strict=True):
        assert ((mine.double() - reference.double()).abs() <= ulp(reference)).all()


@every_rule
@given(given_parameters=parameters())
def test_below_the_threshold_neither_changes_a_bit_nor_counts_a_version(both, rule, given_parameters):
    threshold = max(1.001 * norms.global_norm(gradients(given_parameters)), 1e-30)

    def untouched():
        clipped = copies(given_parameters)
        versions = [p.grad._version for p in clipped if p.grad is not None]
        result = rule(threshold)(clipped)
        assert versions == [p.grad._version for p in clipped if p.grad is not None]
        assert all(map(torch.equal, gradients(clipped), gradients(given_parameters)))
        return result.clipped, result.coefficient

    assert both(untouched) == [(False, 1.0)] * 2


@every_rule
@pytest.mark.parametrize("nonfinite", NONFINITE)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_both_do_the_same_with_what_is_not_finite(both, rule, nonfinite, bad):
    def clip():
        made = weights([3.0, 4.0], [1.0, bad])
        try:
            told = rule(1.0, nonfinite=nonfinite)(made)[2:]
        except NonFiniteGradientError as error:
            told = str(error)
        return repr(told), [None if p.grad is None else repr(p.grad.tolist()) for p in made]

    ours, theirs = both(clip)
    assert ours == theirs


def test_both_measure_gradients_that_share_memory_and_leave_the_rest_to_torch(both):
    x = torch.tensor([3.0, 4.0])
    assert both(lambda: norms.global_norm([x, x])) == pytest.approx([math.sqrt(50)] * 2)

    def clip():
        first, second = weights([0.0, 0.0], [0.0, 0.0])
        first.grad = second.grad = torch.tensor([3.0, 4.0])
        RULES["global_norm"](1.0)([first, second])
        return first.grad.tolist()

    ours, theirs = both(clip)
    assert ours == theirs


@pytest.mark.parametrize("gradient", [
    torch.randn(6, 8)[:, ::2],
    torch.randn(6, 8).t(),
    torch.randn(5).as_subclass(type("Odd", (torch.Tensor,), {})),
], ids=["with gaps", "transposed", "of a subclass"])  # fmt: skip
def test_both_clip_gradients_however_they_lie(both, gradient):
    def clip():
        p = torch.zeros_like(gradient, requires_grad=True)
        p.grad = torch.empty_strided(gradient.shape, gradient.stride()).copy_(gradient).as_subclass(type(gradient))
        return RULES["global_norm"](0.5)([p]), p.grad.detach().as_subclass(torch.Tensor).flatten().tolist()

    (ours, by_kernels), (theirs, by_torch) = both(clip)
    assert ours == pytest.approx(theirs, rel=1e-12) and by_kernels == pytest.approx(by_torch, rel=3e-7)


def test_training_is_the_same_by_either(both):
    from gradlab import Recipe, run

    recipe = Recipe(steps=6, max_norm=0.5, d_model=8, n_layers=1, batch_size=4)
    ours, theirs = both(lambda: run(recipe))
    for column in ("loss", "norm_before", "norm_after", "param_norm", "update_ratio"):
        assert getattr(ours, column) == pytest.approx(getattr(theirs, column), rel=1e-9)


# One of them is always there --------------------------------------------------------------------------------------


def python(program: str, **environment: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])} | environment
    run = subprocess.run([sys.executable, "-W", "error::UserWarning:gradlab", "-c", textwrap.dedent(program)],
                         env=environment, capture_output=True, text=True, timeout=300)  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


CLIP = """
import torch
from gradlab import norms
from gradlab.clip import ClipByGlobalNorm
p = torch.zeros(2, requires_grad=True)
p.grad = torch.tensor([30.0, 40.0])
print(ClipByGlobalNorm(5.0)([p]).norm_before, p.grad.tolist(), norms._kernels() is None)
"""


def test_importing_gradlab_imports_neither_numba_nor_the_kernels():
    said = python("import sys, gradlab; print({'numba', 'llvmlite', 'gradlab_kernels'} & set(sys.modules))")
    assert said == "set()\n"


@pytest.mark.parametrize("package", ["numba", "gradlab_kernels"])
def test_without_a_package_torch_clips(package):
    assert python(f"import sys; sys.modules[{package!r}] = None{CLIP}") == "50.0 [3.0, 4.0] True\n"


def test_a_variable_chooses_torch():
    assert python(CLIP, GRADLAB_KERNELS="off") == "50.0 [3.0, 4.0] True\n"


def test_kernels_that_do_not_work_are_named_once_and_torch_clips(monkeypatch, kernels):
    def fails(*args, **kwargs):
        raise NotImplementedError("LLVM has had enough")

    norms._kernels.cache_clear()
    monkeypatch.setattr(kernels, "get_total_norm", fails)
    try:
        with pytest.warns(UserWarning, match=r"torch computes norms instead \(NotImplementedError: LLVM has had"):
            assert norms.global_norm([torch.tensor([3.0, 4.0])]) == 5
        assert norms.global_norm([torch.tensor([3.0, 4.0])]) == 5
    finally:
        norms._kernels.cache_clear()


def test_a_numba_that_cannot_be_imported_is_as_good_as_none(tmp_path):
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba/__init__.py").write_text("raise ImportError('Numba needs NumPy 1.0 or less')")
    assert python(f"import sys; sys.path.insert(0, {str(tmp_path)!r}){CLIP}").startswith("50.0 [3.0, 4.0]")


def test_the_labs_models_are_clipped_by_one_thread(monkeypatch, kernels):
    """The panel trains in a thread of its own, and Numba's simplest threads cannot be started by two at a time."""
    from gradlab import Recipe
    from gradlab.train import make_model

    passes = pytest.importorskip("gradlab_kernels.cpu.passes")
    model = make_model(Recipe(d_model=64))
    assert sum(p.numel() for p in model.parameters()) < passes.THREADS_FROM / 4
    for name in ("measure_with_threads", "scale_with_threads"):
        monkeypatch.setattr(passes, name, None)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    assert RULES["global_norm"](1.0)(model.parameters()).clipped
