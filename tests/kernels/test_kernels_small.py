"""Small sets are clipped in one compiled call, to the bit as by the engine, and no call believes another's table."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from gradlab_kernels import ClipPlan, SharedMemoryError, clip_grad_norm_, get_total_norm
from gradlab_kernels.engines import Eyes
from hypothesis import assume
from hypothesis import strategies as st
from kernel_cases import cases, copies, exact_norm, examine, gradients
from torch.nn import Parameter

pytestmark = pytest.mark.usefixtures("compiled")


def with_gradients(*tensors):
    found = [Parameter(torch.zeros_like(t)) for t in tensors]
    for p, t in zip(found, tensors, strict=True):
        p.grad = t
    return found


@pytest.fixture
def by_engine(monkeypatch):
    """Clip as sets that are not small are clipped; the norm."""

    def clip(parameters, max_norm, **how):
        with monkeypatch.context() as patch:
            patch.setattr(Eyes, "clip_", lambda *_: None)
            return ClipPlan(parameters, **how).clip_(max_norm)

    return clip


def test_at_once_and_step_by_step_are_the_same_to_the_bit(by_engine):
    def law(backend, case, share, exact):
        ours, theirs = case.parameters(backend), case.parameters(backend)
        max_norm = share * exact_norm(gradients(ours))
        assume(max_norm > 0)
        norm, wanted = ClipPlan(ours, exact=exact).clip_(max_norm), by_engine(theirs, max_norm, exact=exact)
        assert norm.dtype == wanted.dtype and norm == wanted
        for our, their in zip(gradients(ours), gradients(theirs), strict=True):
            assert torch.equal(our, their) and our._version == their._version

    examine("cpu", law, cases(), st.floats(1e-3, 2.0), st.booleans())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_too(by_engine, bad):
    ours, theirs = (with_gradients(torch.tensor([3.0, bad]), torch.ones(2)) for _ in range(2))
    assert str(ClipPlan(ours).clip_(1.0)) == str(by_engine(theirs, 1.0))
    assert str(copies(ours)) == str(copies(theirs))


def test_exact_norms_are_exact_and_float64(backend):
    def law(backend, case):
        norm = ClipPlan(case.parameters(backend), backend=backend, exact=True).clip_(math.inf)
        assert norm.dtype == torch.float64
        assert float(norm) == pytest.approx(exact_norm(gradients(case.parameters(backend))), rel=1e-12)

    examine(backend, law, cases(powers=(-3, 3)))


def test_single_calls_for_as_many_tensors_do_not_mix_them_up():
    sets = [with_gradients(torch.full((n,), 1.0), torch.full((m,), 1.0)) for n, m in ((4, 5), (30, 6), (1, 0))]
    for _ in range(2):
        for parameters in sets:
            assert get_total_norm(gradients(parameters)) == pytest.approx(exact_norm(gradients(parameters)))
            assert clip_grad_norm_(parameters, 100.0) == pytest.approx(exact_norm(gradients(parameters)))


def test_a_table_that_was_refused_is_not_believed_the_next_time():
    x = torch.ones(10)
    for _ in range(3):
        with pytest.raises(SharedMemoryError):
            clip_grad_norm_(with_gradients(x[:6], x[4:]), 1.0)
    assert x.tolist() == [1.0] * 10


def test_a_call_within_a_call_has_a_table_of_its_own():
    """A `grad` that is a Python property may do anything."""
    inner = with_gradients(torch.full((2,), 10.0), torch.full((3,), 10.0))

    class Owner:
        @property
        def grad(self):
            assert clip_grad_norm_(inner, 1e9) == pytest.approx(math.sqrt(500))
            return inner[1].grad

    for _ in range(2):
        assert clip_grad_norm_([*with_gradients(torch.ones(7)), Owner()], 1e9) == pytest.approx(math.sqrt(307))


def test_threads_of_python_may_clip_at_the_same_time():
    """As the live panel does, beside the notebook."""
    random = torch.Generator().manual_seed(0)
    first = [torch.randn(5000, generator=random) for _ in range(20)]

    def clip(_):
        parameters = with_gradients(*[t.clone() for t in first])
        norms = [float(clip_grad_norm_(parameters, share)) for share in (100.0, 50.0, 10.0)]
        return norms, torch.cat(gradients(parameters)).tolist()

    alone = clip(0)
    with ThreadPoolExecutor(4) as pool:
        assert all(result == alone for result in pool.map(clip, range(40)))


def test_float64_whose_squares_are_subnormal_keeps_its_digits():
    tiny = torch.tensor([3e-159, 4e-159], dtype=torch.float64)
    assert math.isclose(get_total_norm([tiny]), 5e-159, rel_tol=1e-12)


def test_clamping_counts_a_version_where_it_changes_something_and_none_where_not():
    (p,) = with_gradients(torch.tensor([1.0, 3.0]))
    plan = ClipPlan([p])
    for limit, counted in ((4.0, 0), (2.0, 1), (2.0, 0)):
        version = p.grad._version
        plan.clip_value_(limit)
        assert p.grad._version == version + counted
