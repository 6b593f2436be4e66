"""The noise scale: unbiased from two batch sizes, averaged before it is divided, and equal to the exact one."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradlab.noise import NoiseScale, exact_noise_scale

sizes = st.integers(1, 1000)
lengths = st.floats(1e-6, 1e6)


def squared(signal, noise, batch):
    """The squared norm of the gradient of `batch` samples, on average."""
    return signal + noise / batch


@given(lengths, lengths, sizes, sizes)
def test_squared_norms_without_scatter_give_signal_and_noise_back(signal, noise, b, more):
    scale = NoiseScale(b, b + more)
    scale.update(squared(signal, noise, b), squared(signal, noise, b + more))
    total = signal + noise / b  # what is lost to rounding is a share of the squares, and grows as the sizes get close
    slack = 1e-13 * total * (b + more) / more
    assert scale.signal == pytest.approx(signal, abs=2 * slack + 1e-12 * signal)
    assert scale.noise == pytest.approx(noise, abs=2 * slack * b + 1e-12 * noise)


def test_signal_and_noise_are_averaged_before_they_are_divided():
    scale = NoiseScale(16, 128)
    for small, large in ((0.8, 0.05), (0.1, 0.13), (0.42, 0.09)):
        scale.update(small, large)
    assert scale.signal == pytest.approx(0.04) and scale.noise == pytest.approx(6.4)
    assert scale.value == pytest.approx(160) and scale.updates == 3


def test_of_several_small_batches_the_mean_is_taken():
    one, several = NoiseScale(4, 16), NoiseScale(4, 16)
    one.update(2.5, 1.0)
    several.update(torch.tensor([1.0, 4.0, 2.0, 3.0]), torch.tensor(1.0))
    assert one.value == several.value


def test_without_updates_or_signal_there_is_no_value():
    scale = NoiseScale(1, 2)
    assert math.isnan(scale.value) and math.isnan(scale.signal) and math.isnan(scale.noise)
    scale.update(4.0, 1.0)
    assert scale.signal < 0 and math.isnan(scale.value)
    assert "nan samples from 1 updates at 1 and 2" in repr(scale)


@pytest.mark.parametrize("small, large, error, words", [
    (8, 8, ValueError, "one equation for two unknowns"), (64, 8, ValueError, "wrong order"),
    (0, 8, ValueError, "small_batch must be at least 1, got 0"), (-2, 8, ValueError, "got -2"),
    (True, 8, TypeError, "got True"), (8, 64.0, TypeError, "large_batch must be a whole number"),
    ("8", 64, TypeError, "got '8'"), (8, None, TypeError, "got None")])
def test_impossible_batch_sizes_are_refused(small, large, error, words):
    with pytest.raises(error, match=words):
        NoiseScale(small, large)


@pytest.mark.parametrize("small, large, error, words", [
    (math.nan, 1.0, ValueError, "small_squared must be finite.*got nan; leave out"),
    (1.0, math.inf, ValueError, "large_squared must be finite.*got inf"),
    (-1.0, 1.0, ValueError, "got -1.0; a square is not negative"), ([1.0, -4.0], 1.0, ValueError, "-4.0"),
    ([], 1.0, ValueError, "no squared norm"), ("ab", 1.0, TypeError, "small_squared"), (None, 1.0, TypeError, "None"),
    (True, 1.0, TypeError, "True"), (1.0, [1.0], TypeError, "large_squared")])
def test_what_is_no_squared_norm_is_refused_and_changes_nothing(small, large, error, words):
    scale = NoiseScale(8, 64)
    scale.update(3.0, 1.0)
    before = (scale.signal, scale.noise, scale.updates)
    with pytest.raises(error, match=words):
        scale.update(small, large)
    assert (scale.signal, scale.noise, scale.updates) == before


@pytest.mark.parametrize("mean", [None, torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)])
def test_the_exact_one_is_the_mean_squared_distance_over_the_squared_mean(mean):
    gradients = torch.randn(50, 3, generator=torch.Generator().manual_seed(1)) + 0.3
    around = gradients.double().mean(0) if mean is None else mean
    distance = ((gradients.double() - around) ** 2).sum(1).mean()
    assert exact_noise_scale(gradients, mean) == pytest.approx(float(distance / (around @ around)), rel=1e-9)


def test_equal_gradients_have_no_noise():
    assert exact_noise_scale(torch.full((4, 3), 0.1)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("gradients, mean, words", [
    (torch.ones(5), None, r"shape \(samples, parameters\)"), (torch.ones(1, 5), None, r"at least two samples"),
    (torch.ones(3, 5), torch.ones(4), r"mean must have the shape \(5,\)"),
    (torch.tensor([[1.0], [-1.0]]), None, "mean gradient is 0"), (torch.tensor([[1.0], [math.nan]]), None, "finite")])
def test_gradients_that_have_no_noise_scale_are_refused(gradients, mean, words):
    with pytest.raises(ValueError, match=words):
        exact_noise_scale(gradients, mean)


@pytest.fixture(scope="module")
def classifier():
    """A linear classifier on 20,000 noisy samples: the gradient of each, `(20000, 330)`, and a generator."""
    torch.manual_seed(0)
    x, teacher = torch.randn(20_000, 32), torch.randn(32, 10)
    y = (x @ teacher + 3 * torch.randn(20_000, 10)).argmax(1)
    layer = nn.Linear(32, 10)
    slope = torch.softmax(layer(x).detach(), 1) - F.one_hot(y, 10)
    return torch.einsum("np,nd->npd", slope, F.pad(x, (0, 1), value=1.0)).flatten(1)


def estimated(gradients, small, large, repeats=200):
    """The estimate from windows drawn at random, and the ratio of each window alone."""
    draw, scale, ratios = torch.Generator().manual_seed(5), NoiseScale(small, large), []
    for _ in range(repeats):
        window = gradients[torch.randint(len(gradients), (large,), generator=draw)]
        one = NoiseScale(small, large)
        for each in (scale, one):
            each.update(float((window[:small].mean(0) ** 2).sum()), float((window.mean(0) ** 2).sum()))
        ratios.append(one.noise / one.signal)
    return scale.value, ratios


def test_the_estimate_is_the_exact_one(classifier):
    exact = exact_noise_scale(classifier)
    assert exact == pytest.approx(136.7, rel=0.02)
    assert exact_noise_scale(classifier[:2000], classifier.mean(0)) == pytest.approx(exact, rel=0.05)
    assert estimated(classifier, 32, 256)[0] == pytest.approx(exact, rel=0.10)
    assert estimated(classifier, 8, 64)[0] == pytest.approx(exact, rel=0.15)


def test_ratios_of_single_windows_scatter_too_far_to_be_averaged(classifier):
    _, ratios = estimated(classifier, 8, 64)
    assert min(ratios) < 30 and max(ratios) > 400
