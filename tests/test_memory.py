"""Memory is counted: activations grow with the micro-batch, the rest does not, and accumulation keeps them small."""

import gc

import pytest
import torch
from torch import nn

from gradlab.data import encode, spell
from gradlab.memory import SavedTensors, step_memory
from gradlab.model import cross_entropy
from gradlab.recipe import Recipe
from gradlab.train import make_model, make_optimizer


def measured(micro_batches, examples, together=False, optimizer="adamw"):
    recipe = Recipe(optimizer=optimizer)
    model = make_model(recipe)
    optimizer, batch = make_optimizer(recipe, model), encode([spell(777)] * examples)

    def update():
        optimizer.zero_grad()
        losses = []
        for _ in range(micro_batches):
            loss = cross_entropy(model(batch.inputs), batch.targets) / micro_batches
            losses.append(loss) if together else loss.backward()
        if together:
            sum(losses).backward()
        optimizer.step()

    return step_memory(model, optimizer, update)


def test_activations_grow_linearly_with_the_micro_batch_and_the_rest_does_not_move():
    one, two, three, eight = (measured(1, examples) for examples in (1, 2, 3, 8))
    stride = two.activations - one.activations
    assert stride > 0.9 * one.activations
    assert three.activations == one.activations + 2 * stride and eight.activations == one.activations + 7 * stride
    assert one[:3] == two[:3] == three[:3] == eight[:3]


def test_accumulation_keeps_the_activations_of_one_micro_batch():
    assert measured(4, 2) == measured(1, 2)


def test_one_backward_for_all_losses_keeps_the_activations_of_all():
    assert measured(4, 2, together=True).activations == pytest.approx(measured(1, 8).activations, rel=0.01)


@pytest.mark.parametrize("optimizer, averages", [("sgd", 1), ("adamw", 2)])
def test_parameters_gradients_and_averages_are_of_one_size(optimizer, averages):
    memory = measured(1, 1, optimizer=optimizer)
    assert memory.parameters == memory.gradients == 4 * sum(p.numel() for p in make_model(Recipe()).parameters())
    assert memory.optimizer == pytest.approx(averages * memory.parameters, rel=1e-3)  # Adam counts steps, too
    assert memory.total == sum(memory)


def test_what_is_saved_can_be_counted_by_hand():
    x, weight = torch.randn(10, 3), torch.randn(3, 5, requires_grad=True)
    with SavedTensors(besides=[weight]) as saved:
        out = (x @ weight).tanh()  # keeps x for the product and its own result
        assert saved.now == saved.most == 4 * (10 * 3 + 10 * 5)
        out.sum().backward()
    assert saved.now == 0 and saved.most == 4 * (10 * 3 + 10 * 5)


def test_a_storage_counts_once_and_a_parameter_not_at_all():
    x = torch.randn(10, 4, requires_grad=True)
    with SavedTensors() as saved:
        halves = x[:5] * x[5:]  # two views of one storage
    assert saved.now == 4 * 40
    with SavedTensors(besides=[x]) as saved:
        _ = x[:5] * x[5:]
    assert saved.now == saved.most == 0 and halves.requires_grad


def test_a_graph_that_is_dropped_without_a_backward_pass_is_no_longer_kept():
    x = torch.randn(100, requires_grad=True)
    with SavedTensors() as saved:
        y = x.exp()
        assert saved.now == 400
        del y
        gc.collect()
        assert saved.now == 0 and saved.most == 400


def test_buffers_count_with_the_parameters():
    net = nn.BatchNorm1d(6)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    memory = step_memory(net, optimizer, lambda: net(torch.randn(4, 6)).sum().backward())
    assert memory.parameters == 4 * 4 * 6 + 8 and memory.gradients == 2 * 4 * 6 and memory.optimizer == 0


def test_an_update_that_is_none_is_refused():
    net = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="update must be a function that makes one update, got tensor"):
        step_memory(net, optimizer, net(torch.ones(2)).sum())
    with pytest.raises(ValueError, match="after the update no parameter has a gradient"):
        step_memory(net, optimizer, lambda: net(torch.ones(2)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, whose allocator counts, too")
def test_the_allocator_of_a_gpu_agrees():
    net = nn.Sequential(nn.Linear(512, 512), nn.Tanh(), nn.Linear(512, 512), nn.Tanh(), nn.Linear(512, 1)).cuda()
    optimizer, x = torch.optim.SGD(net.parameters(), lr=0.1), torch.randn(4096, 512, device="cuda")

    def update():
        optimizer.zero_grad()
        net(x).sum().backward()

    update()  # what libraries allocate once
    optimizer.zero_grad()
    before = torch.cuda.memory_allocated()
    loss = net(x).sum()
    kept = torch.cuda.memory_allocated() - before
    del loss
    inputs = x.untyped_storage().nbytes()  # there before, and kept for the backward pass
    assert step_memory(net, optimizer, update).activations - inputs == pytest.approx(kept, rel=0.1)
