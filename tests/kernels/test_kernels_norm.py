"""The norm, on every backend: near the truth whatever the dtype, the size, the layout and the magnitude."""

import math

import pytest
import torch
from gradlab_kernels import ClipPlan, get_total_norm, per_tensor_norms
from kernel_cases import assert_close, cases, exact_norm, examine, gradients


def test_the_norm_of_all_is_within_a_millionth_of_float64(backend):
    def law(backend, case):
        parameters = case.parameters(backend)
        norm = ClipPlan(parameters, backend=backend).clip_(math.inf)
        assert_close(norm, exact_norm(gradients(parameters)))

    examine(backend, law, cases())


def test_the_norm_of_each_is_within_a_millionth_of_float64(backend):
    def law(backend, case):
        parameters = case.parameters(backend)
        norms = ClipPlan(parameters, backend=backend).norms()
        assert norms.dtype == torch.float64 and len(norms) == len(gradients(parameters))
        for norm, gradient in zip(norms, gradients(parameters), strict=True):
            assert_close(norm, exact_norm([gradient]))

    examine(backend, law, cases())


def test_the_same_gradients_give_the_same_bits(backend):
    def law(backend, case):
        first, second = (ClipPlan(case.parameters(backend), backend=backend).clip_(math.inf) for _ in range(2))
        assert float(first) == float(second)

    examine(backend, law, cases())


def test_the_order_of_gradients_changes_no_more_than_rounding(backend):
    def law(backend, case):
        parameters = case.parameters(backend)
        norms = [ClipPlan(p, backend=backend).clip_(math.inf) for p in (parameters, parameters[::-1])]
        assert math.isclose(*map(float, norms), rel_tol=3e-7)

    examine(backend, law, cases())


def test_measuring_writes_nothing(backend):
    def law(backend, case):
        parameters = case.parameters(backend)
        before = [(g.clone(), g._version) for g in gradients(parameters)]
        plan = ClipPlan(parameters, backend=backend)
        plan.norms(), plan.coefficient(1e-30), plan.clip_(math.inf)
        for (old, version), new in zip(before, gradients(parameters), strict=True):
            assert torch.equal(old, new) and new._version == version

    examine(backend, law, cases())


@pytest.mark.parametrize("dtypes, wanted", [
    ([torch.float32], torch.float32),
    ([torch.bfloat16, torch.float16], torch.float32),
    ([torch.float16, torch.float64], torch.float64),
])  # fmt: skip
def test_the_norm_is_float64_if_any_gradient_is_and_else_float32(backend, dtypes, wanted):
    device = "cuda" if backend == "cuda" else "cpu"
    parameters = [torch.nn.Parameter(torch.zeros(3, dtype=d, device=device)) for d in dtypes]
    for p in parameters:
        p.grad = torch.ones_like(p)
    norm = ClipPlan(parameters, backend=backend).clip_(1.0)
    assert norm.dtype == wanted and norm.shape == () and norm.device.type == device


@pytest.mark.parametrize("norm_type", [1, 2, 3, 0.5, math.inf, "inf"])
def test_other_orders_are_right_too(norm_type):
    tensors = [torch.tensor([3.0, -4.0]), torch.zeros(0), torch.tensor([12.0], dtype=torch.bfloat16)]
    whole = torch.tensor([3.0, 4.0, 12.0], dtype=torch.float64)
    wanted = torch.linalg.vector_norm(whole, float(norm_type))
    assert_close(get_total_norm(tensors, norm_type), float(wanted))


# Where torch is wrong ---------------------------------------------------------------------------------------


def test_float16_does_not_overflow():
    tensors = [torch.full((300,), 6e4, dtype=torch.float16)]
    assert math.isinf(torch.nn.utils.get_total_norm(tensors))
    assert_close(get_total_norm(tensors), exact_norm(tensors))


def test_bfloat16_keeps_its_digits():
    tensors = [torch.full((64, 64), 0.1, dtype=torch.bfloat16) for _ in range(148)]
    exact = exact_norm(tensors)
    assert abs(float(torch.nn.utils.get_total_norm(tensors)) / exact - 1) > 1e-4
    assert_close(get_total_norm(tensors), exact)


@pytest.mark.parametrize("value", [1e20, 1e-24, 3e38, 1e-44])
def test_float32_neither_overflows_nor_vanishes(value):
    tensors = [torch.tensor([value, 0.0])]
    assert_close(get_total_norm(tensors), exact_norm(tensors))


@pytest.mark.parametrize("value", [1e200, 1e-200, 1.7e308, 5e-320])
def test_float64_neither_overflows_nor_vanishes_on_the_processor(value):
    tensors = [torch.tensor([value, 0.0], dtype=torch.float64), torch.ones(1)]
    assert_close(get_total_norm(tensors), exact_norm(tensors))
    assert_close(per_tensor_norms(tensors)[0], value)


def test_large_tensors_keep_their_digits():
    tensor = torch.randn(1 << 21, generator=torch.Generator().manual_seed(0))
    exact = math.sqrt(math.fsum((tensor.double() ** 2).tolist()))
    assert math.isclose(float(get_total_norm(tensor)), exact, rel_tol=1e-7)
