"""Laws of clipping."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradlab.clip import (
    NONFINITE,
    RULES,
    ClipByGlobalNorm,
    ClipByGroupNorm,
    ClipByValue,
    ClipResult,
    NonFiniteGradientError,
    global_norm,
)

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
ROUNDING = {torch.float16: 2e-3, torch.bfloat16: 1.6e-2, torch.float32: 1e-6, torch.float64: 1e-14}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


@st.composite
def parameters(draw, dtypes=DTYPES, min_tensors=1):
    """Parameters with random gradients: mixed dtypes, shapes and magnitudes, some empty, some without a gradient."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    made = []
    for _ in range(draw(st.integers(min_tensors, 6))):
        shape = draw(st.lists(st.integers(0, 7), max_size=3))
        dtype = draw(st.sampled_from(dtypes))
        scale = 10.0 ** draw(st.integers(-3, 3) if dtype == torch.float16 else st.integers(-12, 12))
        parameter = torch.zeros(shape, dtype=dtype, requires_grad=True)
        if draw(st.booleans()) or not made:
            parameter.grad = (torch.randn(shape, generator=generator, dtype=torch.float64) * scale).to(dtype)
        made.append(parameter)
    return made


def gradients(parameters):
    return [p.grad.clone() for p in parameters if p.grad is not None]


def exact_norm(tensors):
    return math.sqrt(math.fsum(x * x for tensor in tensors for x in tensor.double().flatten().tolist()))


def weights(*grads, dtype=torch.float32):
    made = [torch.zeros(len(g), dtype=dtype, requires_grad=True) for g in grads]
    for parameter, gradient in zip(made, grads, strict=True):
        parameter.grad = torch.tensor(gradient, dtype=dtype)
    return made


# The norm

@given(parameters())
def test_the_norm_is_exact_whatever_the_dtype(given_parameters):
    tensors = gradients(given_parameters)
    assert global_norm(tensors) == pytest.approx(exact_norm(tensors), rel=1e-12, abs=0)


def test_the_norm_does_not_overflow_where_the_dtype_would():
    assert global_norm([torch.full((100_000,), 300.0, dtype=torch.float16)]) == pytest.approx(300 * math.sqrt(100_000))
    assert global_norm([torch.full((4,), 1e20)]) == pytest.approx(2e20, rel=1e-6)
    assert global_norm([torch.full((4,), 1e300, dtype=torch.float64)]) == pytest.approx(2e300)
    assert global_norm([torch.full((4,), 1e-300, dtype=torch.float64)]) == pytest.approx(2e-300)


def test_the_norm_of_nothing_is_zero_and_nan_outranks_infinity():
    assert global_norm([]) == global_norm([torch.zeros(0)]) == global_norm([torch.zeros(3)]) == 0
    assert math.isnan(global_norm([torch.tensor([math.inf]), torch.tensor([math.nan])]))
    assert global_norm([torch.tensor([1.0, -math.inf])]) == math.inf


def test_a_norm_beyond_float64_is_said_to_be_just_that():
    made = weights([1e308] * 10, dtype=torch.float64)
    assert global_norm([made[0].grad]) == math.inf
    with pytest.raises(NonFiniteGradientError, match="every gradient is finite, but the norm"):
        ClipByGlobalNorm(1.0)(made)


def test_groups_of_huge_and_of_tiny_norms_keep_their_sizes():
    for size in (1e200, 1e-300):
        made = weights([2 * size], [0.9 * size], dtype=torch.float64)
        result = ClipByGroupNorm(size)(made)
        assert result.norm_after == pytest.approx(math.hypot(1, 0.9) * size, rel=1e-9)
        assert result.coefficient == pytest.approx(math.hypot(1, 0.9) / math.hypot(2, 0.9))


# Laws that all rules obey

@every_rule
@given(given_parameters=parameters())
def test_below_the_threshold_nothing_moves(rule, given_parameters):
    before = gradients(given_parameters)
    result = rule(max(1.001 * exact_norm(before), 1e-30))(given_parameters)
    assert all(map(torch.equal, gradients(given_parameters), before))
    assert result == ClipResult(result.norm_before, result.norm_before, 1.0, False, True)


@every_rule
@given(given_parameters=parameters(), share=st.floats(0.01, 2))
def test_the_result_tells_what_happened(rule, given_parameters, share):
    before = gradients(given_parameters)
    threshold = max(share * exact_norm(before), 1e-30)
    result = rule(threshold)(given_parameters)
    after = gradients(given_parameters)
    assert result.norm_before == pytest.approx(exact_norm(before), rel=1e-12)
    slack = max(ROUNDING[g.dtype] for g in after)
    # float16 has no small numbers to spare: what is scaled below 6e-8 rounds to nothing
    assert result.norm_after == pytest.approx(exact_norm(after), rel=slack, abs=1e-6 * len(after))
    assert result.finite and 0 < result.coefficient <= 1
    assert result.clipped == (result.coefficient < 1) or rule is ClipByValue
    if not result.clipped:
        assert all(map(torch.equal, after, before))


@every_rule
@given(given_parameters=parameters(dtypes=(torch.float64,)), share=st.floats(0.01, 2))
def test_clipping_twice_equals_clipping_once(rule, given_parameters, share):
    clip = rule(max(share * exact_norm(gradients(given_parameters)), 1e-30))
    clip(given_parameters)
    once = gradients(given_parameters)
    clip(given_parameters)
    for again, first in zip(gradients(given_parameters), once, strict=True):
        torch.testing.assert_close(again, first, rtol=1e-13, atol=0)


@every_rule
@given(given_parameters=parameters(), share=st.floats(0.01, 2))
def test_no_element_grows_or_turns_its_sign(rule, given_parameters, share):
    before = gradients(given_parameters)
    rule(max(share * exact_norm(before), 1e-30))(given_parameters)
    for after, first in zip(gradients(given_parameters), before, strict=True):
        assert (after.abs() <= first.abs()).all() and (after * first >= 0).all()


@every_rule
def test_infinity_measures_without_clipping(rule):
    made = weights([3.0, 4.0])
    assert rule(math.inf)(made) == ClipResult(5.0, 5.0, 1.0, False, True)
    assert made[0].grad.tolist() == [3, 4]


@every_rule
def test_without_gradients_there_is_nothing_to_clip(rule):
    assert rule(1.0)([torch.zeros(3, requires_grad=True)]) == ClipResult(0.0, 0.0, 1.0, False, True)


@every_rule
def test_an_optimizers_groups_a_generator_and_one_tensor_are_all_welcome(rule):
    model = torch.nn.Linear(3, 2)
    for given_as in (model.parameters(), list(model.parameters()), torch.optim.SGD(model.parameters()).param_groups):
        model(torch.ones(4, 3)).sum().backward()
        assert rule(0.1)(given_as).clipped
        model.zero_grad()
    assert rule(0.1)(weights([3.0, 4.0])[0]).norm_before == 5


# What sets the rules apart

@given(parameters(dtypes=(torch.float32, torch.float64)), st.floats(0.01, 0.99))
def test_the_global_norm_becomes_the_threshold_and_the_direction_stays(given_parameters, share):
    before = gradients(given_parameters)
    norm = exact_norm(before)
    if norm == 0:
        return
    result = ClipByGlobalNorm(share * norm)(given_parameters)
    assert result.norm_after == pytest.approx(share * norm) and result.coefficient == pytest.approx(share)
    for after, first in zip(gradients(given_parameters), before, strict=True):
        torch.testing.assert_close(after, first * result.coefficient, rtol=2e-6, atol=1e-40)


@given(parameters(dtypes=(torch.float32,)), st.floats(0.01, 0.99))
def test_the_global_norm_rule_agrees_with_torch_up_to_its_epsilon(given_parameters, share):
    norm = exact_norm(gradients(given_parameters))
    if not 1e-2 < norm < 1e8:
        return
    twins = [torch.zeros_like(p, requires_grad=True) for p in given_parameters if p.grad is not None]
    for twin, gradient in zip(twins, gradients(given_parameters), strict=True):
        twin.grad = gradient
    returned = torch.nn.utils.clip_grad_norm_(twins, share * norm)
    result = ClipByGlobalNorm(share * norm)(given_parameters)
    assert result.norm_before == pytest.approx(float(returned), rel=1e-5)
    for ours, theirs in zip(gradients(given_parameters), gradients(twins), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-4, atol=1e-30)


def test_value_clipping_is_a_clamp_and_turns_the_gradient():
    made = weights([10.0, 0.1, 0.1, -0.1])
    first = made[0].grad.clone()
    result = ClipByValue(0.5)(made)
    assert made[0].grad.tolist() == pytest.approx([0.5, 0.1, 0.1, -0.1])
    assert result.norm_after == pytest.approx(exact_norm(gradients(made))) and result.clipped
    assert torch.cosine_similarity(made[0].grad, first, dim=0) == pytest.approx(0.950, abs=0.001)


def test_group_clipping_bounds_each_group_and_leaves_quiet_ones_alone():
    loud, quiet = weights([30.0, 40.0], [0.3, 0.4])
    result = ClipByGroupNorm(1.0)([{"params": [loud]}, {"params": [quiet]}])
    assert loud.grad.tolist() == pytest.approx([0.6, 0.8])
    assert quiet.grad.tolist() == pytest.approx([0.3, 0.4])
    assert result.norm_before == pytest.approx(math.hypot(50, 0.5))
    assert result.norm_after == pytest.approx(math.hypot(1, 0.5))


def test_with_one_group_the_group_rule_is_the_global_rule():
    one, other = weights([3.0, 4.0], [12.0]), weights([3.0, 4.0], [12.0])
    assert ClipByGroupNorm(1.0)([{"params": one}]) == pytest.approx(ClipByGlobalNorm(1.0)(other))
    assert all(map(torch.equal, gradients(one), gradients(other)))


# Non-finite gradients

@every_rule
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_raise_names_the_parameter_and_touches_nothing(rule, bad):
    made = weights([3.0, 4.0], [1.0, bad])
    found = r"1 of 2 gradients .* parameter 1, shape \(2,\): .*1 (NaN|infinite)"
    with pytest.raises(NonFiniteGradientError, match=found):
        rule(1.0)(made)
    torch.testing.assert_close(made[0].grad, torch.tensor([3.0, 4.0]))
    torch.testing.assert_close(made[1].grad, torch.tensor([1.0, bad]), equal_nan=True)


@every_rule
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("optimizer", [lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9),
                                       lambda p: torch.optim.AdamW(p, lr=1.0, weight_decay=0.5)])
def test_skip_makes_the_next_step_change_nothing(rule, bad, optimizer):
    made = [torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)]
    stepper = optimizer(made)
    for parameter in made:
        parameter.grad = torch.ones_like(parameter)
    stepper.step()  # so that there is momentum to be led astray by
    before = [p.detach().clone() for p in made]
    made[0].grad = torch.tensor([1.0, bad])
    result = rule(1.0, nonfinite="skip")(made)
    stepper.step()
    assert all(map(torch.equal, made, before))
    assert not result.finite and result.clipped and result.norm_after == result.coefficient == 0


@pytest.mark.parametrize("grads", [([1.0, math.nan], [2.0]), ([1.0, math.inf], [2.0]), ([math.nan], [math.inf])])
def test_torch_does_what_torch_does(grads):
    ours, theirs = weights(*grads), weights(*grads)
    torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    result = ClipByGlobalNorm(1.0, nonfinite="torch")(ours)
    for mine, reference in zip(gradients(ours), gradients(theirs), strict=True):
        torch.testing.assert_close(mine, reference, equal_nan=True)
    assert not result.finite and not math.isfinite(result.norm_before)


def test_torch_value_clipping_clamps_infinity_and_keeps_nan():
    made = weights([math.inf, -math.inf, math.nan, 0.5])
    ClipByValue(1.0, nonfinite="torch")(made)
    torch.testing.assert_close(made[0].grad, torch.tensor([1.0, -1.0, math.nan, 0.5]), equal_nan=True)


@every_rule
@pytest.mark.parametrize("choice", NONFINITE)
def test_finite_gradients_are_treated_alike_whatever_the_choice(rule, choice):
    made, reference = weights([3.0, 4.0], [0.1]), weights([3.0, 4.0], [0.1])
    assert rule(1.0, nonfinite=choice)(made) == rule(1.0)(reference)
    assert all(map(torch.equal, gradients(made), gradients(reference)))


# Other devices

@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@every_rule
@pytest.mark.parametrize("spread", ["on the GPU", "over both"])
@given(given_parameters=parameters(), share=st.floats(0.01, 2))
def test_a_gpu_gives_the_same_result(rule, spread, given_parameters, share):
    clip = rule(max(share * exact_norm(gradients(given_parameters)), 1e-30))
    moved = []
    for index, parameter in enumerate(given_parameters):
        device = "cpu" if spread == "over both" and index % 2 else "cuda"
        moved.append(parameter.detach().to(device).requires_grad_())
        moved[-1].grad = None if parameter.grad is None else parameter.grad.to(device)
    there, here = clip(moved), clip(given_parameters)
    assert there == pytest.approx(here, rel=1e-12, abs=1e-300)
    for theirs, ours in zip(gradients(moved), gradients(given_parameters), strict=True):
        torch.testing.assert_close(theirs.cpu(), ours)
