"""Gradient norms through depth: what the theory says of them, on several seeds."""

import math

import numpy as np
import pytest
import torch

from gradlab import depth
from gradlab.depth import transformer
from gradlab.depth.profile import Profile, typical, weight_norms
from gradlab.train import make_model

SEEDS = range(3)


def ratios(**change):
    return [depth.plain_profile(20, seed=seed, **change).ratio for seed in SEEDS]


class TestPlainNet:
    @pytest.mark.parametrize(("activation", "init", "low", "high"), [
        ("sigmoid", "default", 1e14, 1e18), ("sigmoid", "xavier", 1e10, 1e14), ("tanh", "default", 1e3, 1e5),
        ("tanh", "xavier", 0.25, 4), ("relu", "default", 1e5, 1e8), ("relu", "he", 0.1, 10),
        ("relu", "he_uniform", 0.1, 10), ("gelu", "he", 0.1, 10)])
    def test_the_weights_decide_whether_the_gradient_arrives(self, activation, init, low, high):
        assert all(low < ratio < high for ratio in ratios(activation=activation, init=init))

    def test_batch_norm_multiplies_by_the_constant_of_its_theory_in_each_layer(self):
        growths = [depth.plain_profile(50, norm="batch", samples=512, seed=seed).growth for seed in SEEDS]
        assert np.mean(growths) == pytest.approx(math.sqrt(math.pi / (math.pi - 1)), rel=0.03)

    def test_layer_norm_keeps_the_size_where_the_default_weights_do_not(self):
        assert max(ratios(init="default", norm="layer")) < 100 < min(ratios(init="default"))

    def test_skips_keep_the_size_of_the_default_weights(self):
        assert max(ratios(init="default", residual=True)) < 100 < min(ratios(init="default"))

    def test_uniform_and_normal_weights_have_the_same_variance(self):
        layers = [torch.nn.Linear(400, 300) for _ in range(2)]
        for layer, init in zip(layers, ("he", "he_uniform"), strict=True):
            depth.plain.draw(layer, init, torch.Generator().manual_seed(1))
            assert layer.weight.var().item() == pytest.approx(2 / 400, rel=0.02)
        assert layers[1].weight.abs().max() <= math.sqrt(6 / 400) < layers[0].weight.abs().max()

    def test_a_layer_without_bias_is_drawn_too(self):
        depth.plain.draw(torch.nn.Linear(3, 3, bias=False), "he")


class TestResidualStack:
    def test_with_hes_weights_each_block_triples_the_mean_square(self):
        for blocks in (10, 20):
            sizes = [depth.residual_profile(blocks, "he", seed=seed)[1] for seed in SEEDS]
            assert np.median(sizes) == pytest.approx(3 ** (blocks / 2), rel=0.4)

    @pytest.mark.parametrize(("branch", "most"), [("default", 6), ("scaled", 4), ("zero", 1.1), ("norm", 15)])
    def test_what_keeps_the_addition_small_keeps_fifty_blocks_small(self, branch, most):
        assert all(depth.residual_profile(50, branch, seed=seed)[1] < most for seed in SEEDS)

    def test_a_branch_that_begins_as_zero_adds_nothing_and_learns(self):
        stack = depth.ResidualStack(5, "zero")
        x = torch.randn(4, 100)
        assert torch.equal(stack(x), x)
        stack(x).square().sum().backward()
        assert all(block["second"].weight.grad.norm() > 0 for block in stack.blocks)


class TestVanillaRNN:
    @pytest.mark.parametrize("gain", [0.5, 1.0, 1.3])
    def test_without_activation_each_step_back_multiplies_by_the_gain(self, gain):
        profile = depth.recurrent_profile(30, gain=gain, activation="linear")
        assert profile.norms[:-1] / profile.norms[1:] == pytest.approx([gain] * 29, rel=1e-4)

    def test_tanh_shrinks_it_at_gain_one(self):
        assert all(depth.recurrent_profile(30, seed=seed).growth < 0.9 for seed in SEEDS)

    def test_the_recurrent_matrix_is_orthogonal_times_the_gain(self):
        weight = depth.VanillaRNN(1.5).inner.weight
        assert torch.allclose(weight @ weight.T, 2.25 * torch.eye(32), atol=1e-4)


class TestTransformer:
    def test_it_is_the_model_of_the_recipe(self):
        from gradlab import Recipe
        from gradlab.data import NumberWords
        from gradlab.model import cross_entropy
        from gradlab.train import DATA_STREAM

        model = make_model(Recipe(seed=3, n_layers=2))
        batch = next(NumberWords(3 ^ DATA_STREAM, 3, 16))
        cross_entropy(model(batch.inputs), batch.targets).backward()
        assert depth.transformer_profile(2, seed=3).norms == pytest.approx(weight_norms(model.blocks), rel=1e-5)

    def test_it_vanishes_without_skips_and_norms_and_not_with_them(self):
        assert all(depth.transformer_profile(6, residual=False, norm="none", seed=seed).ratio > 1e5 for seed in SEEDS)
        assert all(0.5 < depth.transformer_profile(6, seed=seed).ratio < 2 for seed in SEEDS)

    def test_pre_norm_falls_with_depth_and_post_norm_does_not(self):
        def last(blocks, **change):
            return np.median([depth.transformer_profile(blocks, width=64, init="xavier", seed=seed, **change).norms[-1]
                              for seed in SEEDS])
        # 1/√L: a half for four times as many blocks, once the blocks outweigh the embeddings.
        assert 0.4 < last(24, embedding=0.3) / last(6, embedding=0.3) < 0.65
        assert last(24) / last(6) < 0.95
        assert last(24, norm="post") / last(6, norm="post") > 0.9


class TestProfile:
    def test_growth_is_the_mean_factor_on_the_way_back(self):
        profile = Profile([8.0, 4.0, 2.0, 1.0])
        assert profile.ratio == 1 / 8 and profile.growth == pytest.approx(2)
        assert Profile([3.0]).growth == 1 and Profile([3.0]).ratio == 1

    def test_nothing_that_arrives_is_an_infinite_ratio_and_no_error(self):
        assert Profile([0.0, 1.0]).ratio == math.inf and math.isnan(Profile([0.0, 0.0]).ratio)
        assert math.isnan(Profile([math.nan, 1.0]).ratio)

    def test_typical_is_the_median_at_each_place(self):
        found = typical([Profile([1, 5]), Profile([3, 4]), Profile([2, 9])])
        assert found.norms.tolist() == [2, 5]

    def test_matrices_count_and_vectors_do_not(self):
        layer, frozen = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        layer.weight.grad, layer.bias.grad = torch.tensor([[3.0, 4.0]]), torch.tensor([100.0])
        assert weight_norms([layer])[0] == 5
        assert math.isnan(weight_norms([frozen])[0])

    @pytest.mark.parametrize("norms", [[], 3.0, [[1.0]], [-1.0]])
    def test_what_is_no_row_of_norms_is_refused(self, norms):
        with pytest.raises(ValueError, match="row of at least one norm|at least 0"):
            Profile(norms)

    def test_profiles_of_different_lengths_have_no_median(self):
        with pytest.raises(ValueError, match="lengths 1, 2"):
            typical([Profile([1]), Profile([1, 2])])
        with pytest.raises(ValueError, match="got none"):
            typical([])


@pytest.mark.parametrize("measure", [depth.plain_profile, depth.recurrent_profile, depth.transformer_profile,
                                     lambda **kw: depth.residual_profile(**kw)[0]])
def test_a_seed_decides_everything(measure):
    one, same, other = (measure(seed=seed) for seed in (4, 4, 5))
    assert np.array_equal(one.norms, same.norms) and not np.array_equal(one.norms, other.norms)


def test_a_targets_gradient_is_that_of_its_loss_alone():
    """The product of two norms is the norm of the matrix's gradient for one target at a time."""
    arguments = {"norm": "pre", "width": 8, "seed": 3}
    model, batch = transformer._fresh(2, "pre", "gelu", "default", True, 8, 1.0, 3)
    log_probabilities = torch.log_softmax(model(batch.inputs), dim=-1)
    norms = []
    for row, column in batch.mask.nonzero().tolist():
        loss = -log_probabilities[row, column, batch.targets[row, column]]
        [gradient] = torch.autograd.grad(loss, [model.blocks[-1].feed_forward.down.weight], retain_graph=True)
        norms.append(gradient.norm().item())
    assert transformer.last_block_gradient(2, **arguments) == pytest.approx(np.mean(norms), rel=1e-5)


def test_pre_norm_gradients_fall_like_one_over_the_root_of_the_depth_and_post_norm_gradients_do_not():
    mean = {(norm, n): np.mean([transformer.last_block_gradient(
        n, norm=norm, activation="relu", init="xavier", width=64, embedding=0.3, seed=seed) for seed in range(3)])
        for norm in ("pre", "post") for n in (6, 24)}
    assert mean["pre", 24] / mean["pre", 6] == pytest.approx(0.5, rel=0.15)
    assert mean["post", 24] / mean["post", 6] == pytest.approx(1, rel=0.15)
