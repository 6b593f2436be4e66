"""The chart of the loss scale marks every update that was left out."""

import pytest

from gradlab.history import History, Step
from gradlab.plot_loss_scale import loss_scales


def history(*scales, skipped=()):
    return History(Step(i, 1.0, 0.1, 1.0, 1.0, 1.0, 1.0, False, 1.0, 0.1, 1, 0.0, loss_scale=scale,
                        skipped=i in skipped) for i, scale in enumerate(scales))


def test_there_is_a_cross_for_each_skipped_update_at_the_scale_that_was_too_large():
    (axes,) = loss_scales(history(8.0, 4.0, 2.0, 2.0, skipped=(0, 1))).axes
    line, crosses = axes.lines
    assert list(line.get_ydata()) == [8, 4, 2, 2]
    assert list(crosses.get_xdata()) == [0, 1] and list(crosses.get_ydata()) == [8, 4]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["loss scale", "2 updates skipped"]


def test_without_a_skip_there_are_no_crosses():
    (axes,) = loss_scales(history(8.0, 8.0)).axes
    assert len(axes.lines) == 1


def test_several_runs_have_a_colour_each():
    picture = loss_scales({"one": history(2.0, 4.0), "other": history(8.0, 4.0, skipped=(0,))})
    (axes,) = picture.axes
    assert len({line.get_color() for line in axes.lines[:2]}) == 2
    assert repr(picture).endswith("for one, other]") and len(picture.png()) > 3000


def test_scales_below_one_and_far_above_can_be_drawn():
    (axes,) = loss_scales(history(2.0**-3, 2.0**100)).axes
    low, high = axes.get_ylim()
    assert low < 2.0**-3 and high > 2.0**100


@pytest.mark.parametrize("given, error, said", [
    (None, TypeError, "got None"), ([history(1.0)], TypeError, "by name, got"),
    ({"a": 3}, TypeError, "got 3 as 'a'"), ({}, ValueError, "no History to draw"),
    (History(), ValueError, "without steps"), ({"a": History()}, ValueError, "'a' has none")])
def test_what_cannot_be_drawn(given, error, said):
    with pytest.raises(error, match=said):
        loss_scales(given)
