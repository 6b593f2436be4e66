"""What is refused, before any gradient is touched, with the caller's own values in the message."""

import math

import numpy as np
import pytest
import torch
from gradlab_kernels import (
    ClipPlan,
    SharedMemoryError,
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    per_tensor_norms,
)
from torch.nn import Parameter


def with_gradient(gradient):
    p = Parameter(torch.zeros_like(gradient))
    p.grad = gradient
    return p


@pytest.fixture
def parameters():
    return [with_gradient(torch.ones(4)), with_gradient(torch.full((3,), 2.0))]


@pytest.mark.parametrize("function", [clip_grad_norm_, clip_grad_value_])
@pytest.mark.parametrize("limit, error, words", [
    (0, ValueError, "got 0.0: 0 would erase every gradient"),
    (-1.0, ValueError, "got -1.0: a negative threshold would turn every gradient around"),
    (math.nan, ValueError, "got nan: no norm exceeds NaN"),
    ("1", TypeError, "must be a number, got '1'"),
    (True, TypeError, "must be a number, got True"),
    (torch.tensor(1.0), TypeError, r"pass \.item\(\)"),
    (None, TypeError, "must be a number, got None"),
])  # fmt: skip
def test_a_threshold_that_does_not_clip(parameters, function, limit, error, words):
    with pytest.raises(error, match=words):
        function(parameters, limit)
    assert parameters[0].grad.tolist() == [1.0] * 4


@pytest.mark.parametrize("limit", [1, 1.0, np.float32(1), np.int64(1)])
def test_any_number_is_a_threshold(parameters, limit):
    assert clip_grad_norm_(parameters, limit) == 4


@pytest.mark.parametrize("norm_type", [0, -1, -math.inf, math.nan])
def test_an_order_that_is_no_norm(parameters, norm_type):
    with pytest.raises(ValueError, match="norm_type must be above 0"):
        clip_grad_norm_(parameters, 1.0, norm_type)


@pytest.mark.parametrize("eps", [-1.0, math.inf, math.nan, "1"])
def test_an_epsilon_that_is_none(parameters, eps):
    with pytest.raises(ValueError, match="eps must be a finite number"):
        clip_grad_norm_(parameters, 1.0, eps=eps)


@pytest.mark.parametrize("make", [
    lambda ps: (p for p in ps),
    lambda ps: filter(lambda p: True, ps),
    lambda ps: map(lambda p: p, ps),
])  # fmt: skip
def test_a_used_up_iterator(parameters, make):
    iterator = make(parameters)
    assert clip_grad_norm_(iterator, 10.0) == 4
    for function in (clip_grad_norm_, clip_grad_value_, get_total_norm):
        with pytest.raises(ValueError, match="holds nothing: used up"):
            function(iterator, 1.0)


def test_an_empty_list_and_gradients_that_are_not_there_are_named_and_measure_zero():
    with pytest.warns(UserWarning, match="an empty list"):
        assert clip_grad_norm_([], 1.0) == 0
    with pytest.warns(UserWarning, match="none of the 1 parameters has a gradient"):
        assert clip_grad_norm_([Parameter(torch.zeros(3))], 1.0) == 0
    with pytest.warns(UserWarning, match="an empty tuple"):
        clip_grad_value_((), 1.0)
    with pytest.warns(UserWarning, match="an empty list"):
        assert len(per_tensor_norms([])) == 0


@pytest.mark.parametrize("thing", [None, 3, {"params": []}, "weight"])
def test_things_that_are_no_tensors(parameters, thing):
    for function in (clip_grad_norm_, get_total_norm):
        with pytest.raises(TypeError, match=f"number 2 is a {type(thing).__name__}"):
            function([*parameters, thing], 1.0)


def test_a_single_tensor_is_a_list_of_one(parameters):
    assert clip_grad_norm_(parameters[0], 1.0) == 2
    assert get_total_norm(torch.tensor([3.0, 4.0])) == 5


# Shared memory ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", [None, "torch"])
def test_a_parameter_listed_twice(parameters, backend):
    with pytest.raises(SharedMemoryError, match=r"gradients 0, shape \(4,\), and 2, shape \(4,\), share memory"):
        ClipPlan([*parameters, parameters[0]], backend=backend).clip_(1.0)
    assert parameters[0].grad.tolist() == [1.0] * 4


@pytest.mark.parametrize("views", [
    lambda x: (x[:6], x[4:]),
    lambda x: (x[2:4], x),
    lambda x: (x, x[2:4]),
    lambda x: (x[::2], x[1:4]),
    lambda x: (x[:2], x[::3], x[3:5]),
])  # fmt: skip
@pytest.mark.parametrize("backend", [None, "torch"])
def test_gradients_that_overlap(views, backend):
    with pytest.raises(SharedMemoryError):
        ClipPlan([with_gradient(v) for v in views(torch.ones(10))], backend=backend).clip_(1.0)


@pytest.mark.parametrize("backend", [None, "torch"])
def test_elements_that_share_memory(parameters, backend):
    parameters.append(with_gradient(torch.ones(1).expand(5)))
    with pytest.raises(SharedMemoryError, match=r"elements of gradient 2, shape \(5,\), strides \(0,\), share memory"):
        ClipPlan(parameters, backend=backend).clip_(1.0)
    assert parameters[0].grad.tolist() == [1.0] * 4


@pytest.mark.parametrize("views", [
    lambda x: (x[:5], x[5:]),
    lambda x: (x[5:], x[:5], x[3:3]),
    lambda x: (x[::2], x[1::2]),
])  # fmt: skip
@pytest.mark.parametrize("backend", [None, "torch"])
def test_neighbours_are_welcome(views, backend):
    x = torch.ones(10)
    ClipPlan([with_gradient(v) for v in views(x)], backend=backend, eps=0).clip_(math.sqrt(10) / 2)
    assert x.allclose(torch.tensor(0.5), rtol=1e-6)


def test_a_norm_known_before_is_applied(parameters):
    clip_grads_with_norm_(parameters, 2.0, torch.tensor(4.0), eps=0)
    assert parameters[0].grad.tolist() == [0.5] * 4
    clip_grads_with_norm_(parameters, 2.0, 1.0)
    assert parameters[0].grad.tolist() == [0.5] * 4
