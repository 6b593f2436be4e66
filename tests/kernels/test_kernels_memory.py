"""Addresses are those of now: no copy, thread, fork, property or compiler makes a kernel read what is gone."""

import copy
import gc
import math
import os
import pickle
import warnings

import pytest
import torch
from gradlab_kernels import ClipPlan, SharedMemoryError, clip_grad_norm_, clip_grads_with_norm_, get_total_norm
from test_kernels_elsewhere import Odd, python, with_gradient
from torch.nn import Parameter


@pytest.mark.parametrize("again", [copy.deepcopy, lambda plan: pickle.loads(pickle.dumps(plan))])
def test_a_copied_plan_looks_at_its_own_parameters(again):
    plan = ClipPlan([with_gradient(torch.ones(4))], exact=True, eps=0.0)
    plan.clip_(math.inf)
    copied = again(plan)
    del plan
    gc.collect()
    for p in copied.parameters:
        p.grad = torch.full((4,), 3.0)
    norm = copied.clip_(3.0)
    assert norm == 6 and norm.dtype == torch.float64 and copied.parameters[0].grad.tolist() == [1.5] * 4


def test_a_property_may_move_the_gradients_that_were_looked_at_before_it(compiled):
    first = with_gradient(torch.full((1 << 16,), 7.0))

    class Mover:
        @property
        def grad(self):
            first.grad.data = torch.full((9,), 1.0)
            return torch.full((7,), 1.0)

    assert clip_grad_norm_([first, Mover()], 1e9) == 4


@pytest.mark.parametrize("backend", [None, "torch"])
def test_zero_tensors_have_no_memory(backend):
    p, other = with_gradient(torch._efficientzerotensor((3,))), with_gradient(torch.ones(4))
    assert ClipPlan([p, other], backend=backend).clip_(5.0) == 2


def test_a_row_that_was_left_out_is_compared_again_when_it_comes_back():
    memory = torch.ones(10)
    first, last = with_gradient(torch.ones(4)), with_gradient(memory[:4])
    plan = ClipPlan([first, last])
    plan.clip_(math.inf)
    first.grad, last.grad = memory[2:6], None
    plan.clip_(math.inf)
    last.grad = memory[:4]
    with pytest.raises(SharedMemoryError):
        plan.clip_(math.inf)


def test_a_compiled_program_clips():
    p = with_gradient(torch.ones(4))
    plan = ClipPlan([p])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.compile's own
        clip = torch.compile(lambda: (clip_grad_norm_([p], 1.0), plan.clip_(0.5)), backend="eager")
        assert [float(norm) for norm in clip()] == pytest.approx([2.0, 1.0])
    assert float(p.grad.norm()) == pytest.approx(0.5, rel=1e-5)


def test_norms_are_where_the_gradients_are_whatever_the_default_device():
    with torch.device("meta"):
        assert get_total_norm([torch.ones(4, device="cpu")]).device.type == "cpu"


def test_foreign_gradients_are_scaled_exactly_however_small_the_norm():
    for clip in (lambda p: clip_grads_with_norm_([p], 1e-12, 5e-12, eps=0.0),
                 lambda p: clip_grad_norm_([p], 1e-12, eps=0.0)):
        p = with_gradient(torch.tensor([3e-12, 4e-12]).as_subclass(Odd))
        clip(p)
        assert p.grad.tolist() == pytest.approx([6e-13, 8e-13], rel=1e-6)


def test_high_orders_of_norm_stay_in_range():
    for size in (1e30, 1e-30):
        assert get_total_norm([torch.full((4,), size)], 20.0).item() == pytest.approx(size * 4**0.05, rel=1e-6)


def test_warnings_name_the_line_of_the_caller():
    with pytest.warns(UserWarning) as seen:
        clip_grad_norm_([], 1.0)
        ClipPlan([])
        clip_grad_norm_([Parameter(torch.zeros(1))], 1.0)
        ClipPlan([Parameter(torch.zeros(1))]).clip_(1.0)
    assert {warning.filename for warning in seen} == {__file__} and len(seen) == 4


LARGE = """
import os, torch, gradlab_kernels as k
torch.set_num_threads(2)
p = torch.nn.Parameter(torch.zeros(1 << 21)); p.grad = torch.ones(1 << 21)
clip = lambda: k.clip_grad_norm_([p], 1e9).item()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_clips(compiled):
    said = python(LARGE + """
first = clip()
if not os.fork():
    os._exit(7 if clip() == first else 1)
print(os.waitstatus_to_exitcode(os.wait()[1]))
""")
    assert said == "7\n"


def test_a_threading_layer_that_is_not_there_leaves_one_thread(compiled):
    assert python(LARGE + "print(round(clip()))", NUMBA_THREADING_LAYER="tbb") == "1448\n"


def test_without_the_compiler_torch_clips(compiled):
    assert python(LARGE + "print(round(clip()))", NUMBA_DISABLE_JIT="1") == "1448\n"


def test_the_program_s_own_number_of_threads_stays(compiled):
    assert python(LARGE + """
import numba
numba.set_num_threads(1); clip(); print(numba.get_num_threads())
""") == "1\n"
