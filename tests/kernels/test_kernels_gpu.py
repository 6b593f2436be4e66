"""What only a GPU can answer: races, repeats, streams, graphs. `pytest -m gpu tests/kernels` on any machine with one.

Not run by those who wrote it: they had none.
"""

import pytest
import torch
from gradlab_kernels import ClipPlan, clip_coefficient, clip_grad_norm_
from kernel_backends import missing
from kernel_cases import assert_close, exact_norm, gradients
from torch.nn import Parameter

pytestmark = pytest.mark.gpu

GPT2_LAYER = [(768,), (768,), (768, 2304), (2304,), (768, 768), (768,), (768,), (768,), (768, 3072), (3072,),
              (3072, 768), (768,)]  # fmt: skip


@pytest.fixture(autouse=True)
def gpu():
    if reason := missing("cuda"):
        pytest.skip(reason)


@pytest.fixture
def parameters():
    torch.manual_seed(0)
    found = [Parameter(torch.zeros(shape, device="cuda")) for shape in [(50257, 768), (1024, 768), *GPT2_LAYER * 2]]
    for p in found:
        p.grad = torch.randn_like(p)
    return found


def test_two_thousand_repeats_give_the_same_bits(parameters):
    plan = ClipPlan(parameters, backend="cuda")
    first = plan.clip_(float("inf"))
    norms = torch.stack([plan.clip_(float("inf")) for _ in range(2000)])
    assert (norms == first).all()
    assert_close(first, float(torch.stack([g.double().norm() for g in gradients(parameters)]).norm()))


def test_clipping_never_waits_for_the_gpu(parameters):
    plan = ClipPlan(parameters, backend="cuda")
    plan.clip_(1.0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(10):
            plan.clip_(1.0), plan.norms(), plan.coefficient(1.0), clip_grad_norm_(parameters, 1.0)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_work_is_queued_on_the_current_stream(parameters):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)
        for p in parameters:
            p.grad.fill_(1.0)
        norm = clip_grad_norm_(parameters, 1.0)
    torch.cuda.current_stream().wait_stream(stream)
    assert_close(norm, sum(p.numel() for p in parameters) ** 0.5)


def test_a_graph_clips_at_each_replay(parameters):
    plan = ClipPlan(parameters, backend="cuda", eps=0.0)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        plan.clip_(1.0)  # compiles, loads, and sends the addresses
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):  # on a stream of its own
            norm = plan.clip_(1.0)
    for value in (1.0, 0.5, 1e-6):
        for p in parameters:
            p.grad.fill_(value)
        graph.replay()
        exact = value * sum(p.numel() for p in parameters) ** 0.5
        assert_close(norm, exact)
        assert torch.allclose(parameters[0].grad, torch.tensor(value * min(1.0, 1.0 / exact), device="cuda"))


def test_gradients_that_move_during_a_capture_are_an_error(parameters):
    plan = ClipPlan(parameters, backend="cuda")
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        plan.clip_(1.0)
        parameters[0].grad = parameters[0].grad.clone()
        torch.cuda.synchronize()
        with pytest.raises(RuntimeError, match="moved while a CUDA graph is captured"):
            with torch.cuda.graph(torch.cuda.CUDAGraph(), stream=stream):
                plan.clip_(1.0)


def test_a_fused_optimizer_takes_the_coefficient(parameters):
    copies = [Parameter(p.detach().clone()) for p in parameters]
    for copy, p in zip(copies, parameters, strict=True):
        copy.grad = p.grad.clone()
    clip_grad_norm_(copies, 1.0)
    torch.optim.AdamW(copies, fused=True).step()
    optimizer = torch.optim.AdamW(parameters, fused=True)
    decision = clip_coefficient(parameters, 1.0)
    optimizer.grad_scale, optimizer.found_inf = decision.grad_scale, decision.found_inf
    optimizer.step()
    for copy, p in zip(copies, parameters, strict=True):
        torch.testing.assert_close(copy, p)


def test_gradients_on_two_devices_are_one_vector(parameters):
    parameters.append(Parameter(torch.zeros(5)))
    parameters[-1].grad = torch.full((5,), 100.0)
    assert_close(clip_grad_norm_(parameters, 1.0), exact_norm([g.cpu() for g in gradients(parameters)]))
