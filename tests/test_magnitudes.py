"""Magnitudes: which gradient entries a narrower dtype keeps."""

import math
from functools import cache

import pytest
import torch
from torch.nn.functional import cross_entropy

from gradlab import magnitudes
from gradlab.magnitudes import limits, shares

HALF = torch.float16


@cache
def peaked(seed):
    """The gradient of 4,096 sharp predictions over 256 classes, for their logits before they are sharpened."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(4096, 256, generator=draw).requires_grad_()
    cross_entropy(6 * logits, torch.randint(256, (4096,), generator=draw)).backward()
    return logits.grad


def hidden(seed):
    """The gradient of the activations below the layer that makes such logits."""
    draw = torch.Generator().manual_seed(seed)
    activations = torch.randn(4096, 64, generator=draw).requires_grad_()
    head = torch.randn(64, 256, generator=draw) / 8
    cross_entropy(6 * activations @ head, torch.randint(256, (4096,), generator=draw)).backward()
    return activations.grad


class TestLimits:
    @pytest.mark.parametrize("dtype", magnitudes.DTYPES)
    def test_the_smallest_number_is_the_last_one_above_zero(self, dtype):
        smallest, normal, largest = (torch.tensor(limit, dtype=torch.float64) for limit in limits(dtype))
        assert smallest.to(dtype) > 0 and (smallest / 2).to(dtype) == 0
        assert largest.to(dtype).isfinite() and smallest < normal < largest

    def test_float16_has_the_limits_of_the_standard(self):
        assert limits(HALF) == (2.0**-24, 2.0**-14, 65504.0)

    @pytest.mark.parametrize("dtype", [torch.int32, torch.complex64, "float16", None, 16])
    def test_other_dtypes_are_refused(self, dtype):
        with pytest.raises(TypeError, match="limits are known of float16, bfloat16"):
            limits(dtype)


class TestShares:
    def test_each_fate_is_counted(self):
        given = torch.tensor([2.0**-26, 2.0**-20, 1.0, 1e6], dtype=torch.float64)
        assert shares(given, HALF) == (0.25, 0.25, 0.25)

    def test_it_is_what_a_cast_does(self):
        given = torch.logspace(-30, 20, 5000, base=2, dtype=torch.float64)
        cast = given.to(HALF)
        assert shares(given, HALF).underflow == (cast == 0).double().mean().item()
        assert shares(given, HALF).overflow == cast.isinf().double().mean().item()

    def test_half_of_the_smallest_number_is_lost_and_a_little_more_is_kept(self):
        assert shares(torch.tensor([2.0**-25]), HALF).underflow == 1
        assert shares(torch.tensor([1.01 * 2.0**-25]), HALF).underflow == 0

    def test_a_scale_moves_the_window_by_its_factor(self):
        given = peaked(0)
        assert shares(given, HALF, 2.0**10) == shares(given.double() * 2.0**10, HALF)

    def test_a_larger_scale_loses_fewer_entries_to_zero_and_more_to_infinity(self):
        given = peaked(0)
        told = [shares(given, HALF, 2.0**power) for power in range(0, 40, 4)]
        assert all(a.underflow >= b.underflow for a, b in zip(told, told[1:], strict=False))
        assert all(a.overflow <= b.overflow for a, b in zip(told, told[1:], strict=False))
        assert told[0].overflow == 0 < told[-1].overflow

    def test_zeros_infinities_and_nan_do_not_count(self):
        given = torch.tensor([0.0, math.inf, math.nan, -math.inf, 1.0, -1e-12])
        assert shares(given, HALF).underflow == 0.5

    def test_the_sign_and_the_shape_do_not_matter(self):
        given = peaked(0)
        assert shares(-given, HALF) == shares([given.flatten()[:100], given.flatten()[100:]], HALF) == shares(given)

    def test_bfloat16_keeps_the_range_of_float32(self):
        assert shares(peaked(0), torch.bfloat16) == (0, 0, 0)

    @pytest.mark.parametrize("seed", range(3))
    def test_a_peaked_softmax_loses_most_of_its_gradient_to_float16(self, seed):
        given = peaked(seed)
        lost = [100 * shares(given, HALF, 2.0**power).underflow for power in (0, 3, 8, 16, 24)]
        assert lost == pytest.approx([84.8, 76.0, 56.4, 24.0, 5.9], abs=3)
        assert shares(given, HALF, 2.0**24).overflow == 0

    def test_the_gradient_below_it_loses_next_to_nothing(self):
        assert 0 < shares(hidden(0)).underflow < 0.003
        assert shares(hidden(0), loss_scale=2.0**8).underflow == 0


class TestBadInput:
    @pytest.mark.parametrize("scale", [0, -1.0, math.inf, math.nan])
    @pytest.mark.parametrize("ask", [shares, magnitudes.histogram])
    def test_a_scale_that_is_none(self, ask, scale):
        with pytest.raises(ValueError, match=f"loss_scale must be above 0 and finite, got {scale}"):
            ask(torch.ones(3), HALF, scale)

    @pytest.mark.parametrize("scale", [True, "8", None, torch.ones(2)])
    def test_a_scale_that_is_no_number(self, scale):
        with pytest.raises(TypeError, match="loss_scale must be a number"):
            shares(torch.ones(3), HALF, scale)

    @pytest.mark.parametrize("given, said", [([torch.ones(2), None], "gradient 1.*None; pass the gradients"),
                                             ([torch.ones(2, dtype=torch.int64)], "gradient 0"), (3.0, "got 3.0"),
                                             ([1.0], "gradient 0.*1.0")])
    def test_what_is_no_gradient(self, given, said):
        with pytest.raises(TypeError, match=said):
            shares(given, HALF)

    @pytest.mark.parametrize("given", [[], torch.zeros(4), torch.tensor([math.nan, 0.0]), torch.ones(0)])
    def test_nothing_to_count(self, given):
        with pytest.raises(ValueError, match="there is none"):
            shares(given, HALF)


class TestHistogram:
    def test_the_axis_stays_and_the_limits_move_with_the_scale(self):
        def drawn(scale):
            (axes,) = magnitudes.histogram(peaked(0)[:64], HALF, scale).axes
            lines = sorted(line.get_xdata()[0] for line in axes.lines)
            return axes.get_xlim(), lines, [text.get_text() for text in axes.get_legend().get_texts()]

        (here, at_one, told), (there, at_256, other) = drawn(1.0), drawn(256.0)
        assert here == there and told != other
        assert at_one[:2] == [-24, -14] and at_256[:2] == [-32, -22]

    def test_the_legend_states_the_shares(self):
        given = peaked(0)[:64]
        (axes,) = magnitudes.histogram(given, HALF).axes
        assert axes.get_legend().get_texts()[0].get_text() == f"becomes 0: {100 * shares(given).underflow:.1f} %"

    def test_the_bars_hold_all_entries(self):
        (axes,) = magnitudes.histogram(peaked(0)[:64], HALF).axes
        assert sum(bar.get_height() for group in axes.containers for bar in group) == pytest.approx(100)

    @pytest.mark.parametrize("dtype, scale", [(torch.bfloat16, 1.0), (HALF, 2.0**60), (HALF, 3.0), (torch.float64, 1)])
    def test_any_dtype_and_scale_can_be_drawn(self, dtype, scale):
        assert len(magnitudes.histogram(peaked(0)[:8], dtype, scale).png()) > 5000

    def test_its_words_do_not_depend_on_what_was_measured(self):
        assert repr(magnitudes.histogram(torch.ones(3))) == repr(magnitudes.histogram(peaked(0)[:8], HALF, 8.0))
