"""Laws of the transformer and of its knobs."""

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradlab.data import CHARACTERS, IGNORE, NumberWords
from gradlab.model import ACTIVATIONS, INITS, NORMS, Transformer, cross_entropy

VOCABULARY = len(CHARACTERS)


def model(**knobs):
    return Transformer(VOCABULARY, 21, generator=torch.Generator().manual_seed(0), **knobs)


knobs = st.fixed_dictionaries({
    "n_layers": st.integers(1, 3), "n_heads": st.sampled_from([1, 2, 4]), "d_model": st.sampled_from([4, 8, 32]),
    "norm": st.sampled_from(NORMS), "activation": st.sampled_from(list(ACTIVATIONS)), "init": st.sampled_from(INITS),
    "residual": st.booleans(), "qk_norm": st.booleans()})


@given(knobs)
def test_every_setting_of_the_knobs_gives_logits_and_a_gradient_to_every_parameter(setting):
    network, batch = model(**setting), next(NumberWords(0, batch_size=3))
    logits = network(batch.inputs)
    assert logits.shape == (*batch.inputs.shape, VOCABULARY) and logits.isfinite().all()
    cross_entropy(logits, batch.targets).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("qk_norm", [False, True])
def test_no_output_depends_on_what_comes_later(norm, qk_norm):
    network, inputs = model(norm=norm, qk_norm=qk_norm), torch.randint(VOCABULARY, (2, 21))
    changed = inputs.clone()
    changed[:, 10:] = torch.randint(VOCABULARY, (2, 11))
    with torch.no_grad():
        first, second = network(inputs), network(changed)
    torch.testing.assert_close(first[:, :10], second[:, :10])
    assert not torch.allclose(first[:, 10:], second[:, 10:])


def test_the_position_matters():
    network = model()
    out = network(torch.full((1, 5), 7))
    assert not torch.allclose(out[0, 1], out[0, 4], atol=1e-3)


def test_the_default_has_the_expected_size():
    assert sum(p.numel() for p in model().parameters()) == 52_896


def test_post_normalises_what_leaves_a_block_and_pre_what_enters_a_layer():
    x = 100 * torch.randn(2, 5, 32)
    assert model(norm="post").blocks[0](x).std(-1).mean().item() == pytest.approx(1, abs=0.1)
    assert model(norm="pre").blocks[0](x).std(-1).mean() > 50
    pre = model(norm="pre").blocks[0]
    torch.testing.assert_close(pre(x) - x, pre(3 * x) - 3 * x, atol=1e-2, rtol=1e-2)


def test_without_residual_a_silent_block_is_silent_and_with_it_transparent():
    x = torch.randn(2, 5, 32)
    for residual, expected in ((True, x), (False, torch.zeros_like(x))):
        block = model(norm="pre", residual=residual).blocks[0]
        torch.nn.init.zeros_(block.attention.out.weight)
        torch.nn.init.zeros_(block.feed_forward.down.weight)
        torch.nn.init.zeros_(block.feed_forward.down.bias)
        torch.testing.assert_close(block(x), expected)


def test_qk_norm_makes_attention_blind_to_the_size_of_queries_and_keys():
    x = torch.randn(2, 5, 32)
    for qk_norm in (True, False):
        attention = model(qk_norm=qk_norm).blocks[0].attention
        first = attention(x)
        with torch.no_grad():
            attention.qkv.weight[:64] *= 50  # queries and keys, not values
        assert torch.allclose(first, attention(x), atol=1e-4) == qk_norm


def test_norm_none_has_no_layer_norm():
    assert not any(isinstance(module, torch.nn.LayerNorm) for module in model(norm="none").modules())


@pytest.mark.parametrize("init, spread", [("default", 32**-0.5 / 3**0.5), ("xavier", (2 / (32 + 128)) ** 0.5),
                                          ("he", (2 / 32) ** 0.5), ("gpt2", 0.02)])
def test_inits_have_the_spread_they_promise(init, spread):
    up = model(init=init).blocks[0].feed_forward.up
    assert up.weight.std().item() == pytest.approx(spread, rel=0.05)
    assert (up.bias == 0).all() == (init != "default")


def test_gpt2_shrinks_what_comes_back_to_the_residual_path():
    back = model(init="gpt2", n_layers=8).blocks[3].feed_forward.down.weight
    assert back.std().item() == pytest.approx(0.02 / (2 * 8) ** 0.5, rel=0.05)


@pytest.mark.parametrize("init", INITS)
def test_the_weights_come_from_the_given_generator_alone(init):
    torch.manual_seed(1)
    first = model(init=init).state_dict()
    torch.manual_seed(2)
    second = model(init=init).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_groups_hold_every_parameter_once():
    network = model(norm="post", qk_norm=True)
    grouped = [p for group in network.parameter_groups() for p in group["params"]]
    assert len(grouped) == len({id(p) for p in grouped}) == len(list(network.parameters()))
    assert [group["name"] for group in network.parameter_groups()] == [
        "embeddings", "block 0", "block 1", "block 2", "block 3", "head"]


def test_padding_does_not_count_in_the_loss():
    logits, targets = torch.randn(2, 3, VOCABULARY), torch.tensor([[1, 2, 3], [4, IGNORE, IGNORE]])
    seen = ((0, 0), (0, 1), (0, 2), (1, 0))
    alone = [torch.nn.functional.cross_entropy(logits[place], targets[place]) for place in seen]
    torch.testing.assert_close(cross_entropy(logits, targets), torch.stack(alone).mean())


def test_the_forward_pass_fits_on_one_screen():
    assert len(inspect.getsource(Transformer.forward).splitlines()) <= 8


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="d_model=30, n_heads=4"):
        model(d_model=30)
