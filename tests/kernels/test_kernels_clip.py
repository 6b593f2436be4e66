"""Clipping, on every backend: scaled by the one right number, or not touched at all."""

import math

import pytest
import torch
from gradlab_kernels import ClipPlan
from hypothesis import assume
from hypothesis import strategies as st
from kernel_cases import assert_close, assert_scaled, cases, copies, exact_norm, examine, gradients

TWO = (torch.float32, torch.bfloat16)


def clipped(backend, case, share):
    """Clip at a share of the norm; the gradients before and after, the norm reported and the exact one."""
    parameters = case.parameters(backend)
    before, exact = copies(parameters), exact_norm(gradients(parameters))
    assume(exact * share > 0)
    norm = ClipPlan(parameters, backend=backend, eps=0.0).clip_(exact * share)
    return before, gradients(parameters), float(norm), exact


def test_above_the_threshold_all_are_scaled_alike(backend):
    def law(backend, case, share):
        before, after, norm, exact = clipped(backend, case, share)
        assert_close(norm, exact)
        assert_scaled(before, after, share)

    examine(backend, law, cases(), st.floats(1e-3, 0.999))


def test_at_or_below_the_threshold_no_bit_changes(backend):
    def law(backend, case, share):
        before, after, norm, exact = clipped(backend, case, share)
        assert_close(norm, exact)
        assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))

    examine(backend, law, cases(), st.floats(1.001, 1e3))


def test_the_norm_afterwards_is_the_threshold(backend):
    def law(backend, case):
        parameters = case.parameters(backend)
        assume(exact_norm(gradients(parameters)) > 1.0)
        ClipPlan(parameters, backend=backend).clip_(1.0)
        assert math.isclose(exact_norm(gradients(parameters)), 1.0, rel_tol=3e-6)

    examine(backend, law, cases(dtypes=(torch.float32,), powers=(0, 3)))


def test_torch_gives_the_same_where_torch_is_right(backend):
    def law(backend, case, max_norm):
        ours, theirs = case.parameters(backend), case.parameters(backend)
        norm = ClipPlan(ours, backend=backend).clip_(max_norm)
        wanted = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        assert math.isclose(norm, wanted, rel_tol=2e-6)
        for our, their in zip(gradients(ours), gradients(theirs), strict=True):
            torch.testing.assert_close(our, their, rtol=4e-6, atol=0)

    examine(backend, law, cases(dtypes=(torch.float32,), powers=(-2, 2)), st.floats(1e-2, 1e2))


def test_gradients_of_several_chunks_are_reached_to_the_last_element(backend):
    device = "cuda" if backend == "cuda" else "cpu"
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        p = torch.nn.Parameter(torch.zeros(9001, dtype=dtype, device=device))
        p.grad = torch.ones_like(p)
        assert_close(ClipPlan([p], backend=backend, eps=0.0).clip_(math.sqrt(9001) / 2), math.sqrt(9001))
        assert (p.grad == 0.5).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bit_gradients_are_rounded_once_as_torch_rounds_them(backend, dtype):
    device = "cuda" if backend == "cuda" else "cpu"
    p = torch.nn.Parameter(torch.zeros(1003, dtype=dtype, device=device))
    p.grad = torch.randn(1003, generator=torch.Generator().manual_seed(3)).to(device, dtype)
    before = p.grad.clone()
    decision = ClipPlan([p], backend=backend).coefficient(1.0)
    ClipPlan([p], backend=backend).clip_(1.0)
    assert torch.equal(p.grad, before * decision.coefficient.float())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_what_is_not_finite_takes_its_course_as_in_torch(backend, dtype):
    def law(backend, case, where, bad):
        ours, theirs = case.parameters(backend), case.parameters(backend)
        for parameters in (ours, theirs):
            full = [g for g in gradients(parameters) if g.numel()]
            assume(full)
            gradient = full[where % len(full)]
            gradient.view(-1)[where % gradient.numel()] = bad
        norm = ClipPlan(ours, backend=backend).clip_(1.0)
        wanted = torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        torch.testing.assert_close(float(norm), float(wanted), equal_nan=True)
        for our, their in zip(gradients(ours), gradients(theirs), strict=True):
            torch.testing.assert_close(our, their, equal_nan=True)

    rows = cases(dtypes=(dtype,), largest=12, powers=(-2, 2)).filter(
        lambda case: all(piece.layout in ("rows", "off by one") for piece in case.pieces)
    )
    examine(backend, law, rows, st.integers(0, 10**6), st.sampled_from([math.nan, math.inf, -math.inf]))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_asked_to_raise_it_raises_before_it_changes_anything(backend, bad):
    device = "cuda" if backend == "cuda" else "cpu"
    p = torch.nn.Parameter(torch.zeros(5, device=device))
    p.grad = torch.tensor([1.0, 2, bad, 4, 5], device=device)
    before = p.grad.clone()
    with pytest.raises(RuntimeError, match="total norm of the gradients is (nan|inf)"):
        ClipPlan([p], backend=backend).clip_(1.0, error_if_nonfinite=True)
    assert str(p.grad) == str(before)


def test_with_an_infinite_threshold_not_even_infinity_is_touched(backend):
    device = "cuda" if backend == "cuda" else "cpu"
    p = torch.nn.Parameter(torch.zeros(2, device=device))
    p.grad = torch.tensor([1.0, math.inf], device=device)
    assert math.isinf(ClipPlan([p], backend=backend).clip_(math.inf))
    assert p.grad.tolist() == [1.0, math.inf]
    assert float(ClipPlan([p], backend=backend).coefficient(math.inf).coefficient) == 1


def test_zero_gradients_stay_zero_whatever_eps_is(backend):
    device = "cuda" if backend == "cuda" else "cpu"
    p = torch.nn.Parameter(torch.zeros(7, device=device))
    p.grad = torch.zeros_like(p)
    for eps in (0.0, 1e-6):
        assert float(ClipPlan([p], backend=backend, eps=eps).clip_(1.0)) == 0
    assert p.grad.tolist() == [0.0] * 7


def test_the_coefficient_is_what_clipping_multiplies_by(backend):
    def law(backend, case, max_norm):
        parameters = case.parameters(backend)
        before, exact = copies(parameters), exact_norm(gradients(parameters))
        decision = ClipPlan(parameters, backend=backend).coefficient(max_norm)
        wanted = min(1.0, max_norm / (exact + 1e-6))
        assert all(torch.equal(old, new) for old, new in zip(before, gradients(parameters), strict=True))
        assert_close(decision.norm, exact)
        assert_close(decision.coefficient, wanted)
        assert_close(decision.grad_scale, 1 / wanted)
        assert float(decision.found_inf) == 0

    examine(backend, law, cases(dtypes=TWO, powers=(-3, 3)), st.floats(1e-3, 1e3))


def test_clamping_is_torchs(backend):
    def law(backend, case, limit):
        ours, theirs = case.parameters(backend), case.parameters(backend)
        for parameters in (ours, theirs):
            for gradient in gradients(parameters):
                if gradient.is_contiguous() and gradient.numel() > 2:
                    gradient.view(-1)[0], gradient.view(-1)[-1] = math.nan, -math.inf
        ClipPlan(ours, backend=backend).clip_value_(limit)
        torch.nn.utils.clip_grad_value_(theirs, limit)
        for our, their in zip(gradients(ours), gradients(theirs), strict=True):
            torch.testing.assert_close(our, their, rtol=0, atol=0, equal_nan=True)

    examine(backend, law, cases(powers=(-2, 2)), st.floats(1e-3, 1e3))


def test_a_limit_that_the_dtype_cannot_hold_clips_nothing(backend):
    p = torch.nn.Parameter(torch.zeros(2, dtype=torch.float16, device="cuda" if backend == "cuda" else "cpu"))
    p.grad = torch.full_like(p, 6e4)
    ClipPlan([p], backend=backend).clip_value_(1e6)
    assert (p.grad == 6e4).all()
