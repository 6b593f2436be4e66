"""A plan in a loop: gradients move, shrink, vanish and change their dtype, and no number is ever a stale one's."""

import gc
import math
import weakref

import pytest
import torch
from gradlab_kernels import ClipPlan, SharedMemoryError
from kernel_cases import assert_close, exact_norm, gradients
from torch.nn import Parameter


@pytest.fixture
def device(backend):
    return "cuda" if backend == "cuda" else "cpu"


@pytest.fixture
def parameters(device):
    found = [Parameter(torch.zeros(n, device=device)) for n in (300, 1, 70)]
    for p in found:
        p.grad = torch.randn_like(p)
    return found


def measured(plan):
    norm = plan.clip_(math.inf)
    assert_close(norm, exact_norm(gradients(plan.parameters)))


def test_gradients_may_move(backend, parameters):
    plan = ClipPlan(parameters, backend=backend)
    for _ in range(6):  # more often than there are buffers for addresses on their way
        measured(plan)
        for p in parameters:
            p.grad = torch.randn_like(p)
    measured(plan)


def test_gradients_may_vanish_and_come_back(backend, parameters):
    plan = ClipPlan(parameters, backend=backend)
    measured(plan)
    kept, parameters[1].grad = parameters[1].grad, None
    measured(plan)
    assert len(plan.norms()) == 2
    parameters[1].grad = kept
    measured(plan)
    for p in parameters:
        p.grad = None
    with pytest.warns(UserWarning, match="none of the 3 parameters has a gradient"):
        assert plan.clip_(1.0) == 0


def test_gradients_may_shrink_in_place(backend, parameters):
    """The address stays, the size does not: by the old size a kernel would read what it must not."""
    plan = ClipPlan(parameters, backend=backend)
    measured(plan)
    parameters[0].grad.data = parameters[0].grad.data[:10]
    measured(plan)


def test_gradients_may_change_their_dtype_in_place(backend, parameters):
    plan = ClipPlan(parameters, backend=backend)
    measured(plan)
    for p in parameters:
        bits = p.grad.view(torch.bfloat16)[: len(p)].nan_to_num_(0.5).clamp_(-2, 2)
        p.data = p.data.bfloat16()
        p.grad = None
        p.grad = bits
    measured(plan)


def test_gradients_that_come_to_share_memory_are_refused(backend, parameters):
    plan = ClipPlan(parameters, backend=backend)
    measured(plan)
    parameters[2].grad = parameters[0].grad[10:80]
    for _ in range(2):  # the second time too, although nothing has moved since
        with pytest.raises(SharedMemoryError, match=r"gradients 0, shape \(300,\), and 2, shape \(70,\), share memory"):
            plan.clip_(1.0)


def test_a_plan_holds_no_gradient(backend, parameters):
    plan = ClipPlan(parameters, backend=backend)
    plan.clip_(0.1)
    gone = weakref.ref(parameters[0].grad)
    parameters[0].grad = None
    gc.collect()
    assert gone() is None


def test_earlier_results_stay(backend, parameters):
    plan = ClipPlan(parameters, backend=backend)
    first = plan.clip_(math.inf)
    was = float(first)
    parameters[0].grad.mul_(3)
    assert plan.clip_(math.inf) != first and float(first) == was


def test_autograd_learns_of_writing_at_an_address(backend, parameters):
    version = parameters[0].grad._version
    ClipPlan(parameters, backend=backend).clip_(0.1)
    assert parameters[0].grad._version > version


def test_plans_work_in_inference_mode(backend, parameters):
    with torch.inference_mode():
        for p in parameters:
            p.grad = torch.randn(p.shape, device=p.device)
        measured(ClipPlan(parameters, backend=backend))
        ClipPlan(parameters, backend=backend).clip_(0.1)
    assert_close(exact_norm(gradients(parameters)), 0.1)


def test_an_unknown_backend_is_an_error_at_once(parameters):
    with pytest.raises(ValueError, match="one of cpu, cuda, simulator, torch"):
        ClipPlan(parameters, backend="gpu")


def test_a_missing_gpu_is_an_error_at_once(parameters, compiled):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RuntimeError, match="no CUDA device"):
        ClipPlan(parameters, backend="cuda")
