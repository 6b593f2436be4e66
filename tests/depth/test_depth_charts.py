"""The charts show what they are given, in two dimensions and in three, and stay the same."""

import math

import numpy as np
import pytest

from gradlab import depth
from gradlab.depth.profile import Profile


def lines(picture):
    return picture.axes[0].get_lines()


def test_a_chart_has_a_line_an_arm_and_says_so():
    picture = depth.profiles({"a": Profile([1, 2, 3]), "b": [Profile([2, 2, 2]), Profile([4, 4, 4])]})
    drawn = [line for line in lines(picture) if not line.get_label().startswith("_")]
    assert [line.get_label() for line in drawn] == ["a", "b"]
    assert drawn[1].get_ydata().tolist() == [3, 3, 3] and drawn[0].get_xdata().tolist() == [1, 2, 3]
    assert picture.alt == "gradient norm against depth for a, b" and picture.axes[0].get_yscale() == "log"
    assert len(picture.png()) > 3000


def test_the_axis_names_what_is_counted():
    assert "block" in depth.profiles({"a": Profile([1, 2], "block")}).axes[0].get_xlabel()
    assert "time step" in depth.profiles({"a": Profile([1, 2], "time step")}).axes[0].get_xlabel()


def test_what_lies_beyond_the_axis_stands_at_its_edge_as_an_open_mark():
    picture = depth.profiles({"a": Profile([1e-9, 1, math.nan, 1e9, 0])}, limits=(1e-3, 1e3))
    line, edge = lines(picture)
    assert line.get_ydata().tolist() == [1e-3, 1, 1e-3, 1e3, 1e-3]
    assert edge.get_xdata().tolist() == [1, 3, 4, 5] and edge.get_markerfacecolor() == "white"


@pytest.mark.parametrize("norms", [[0.0, 0.0], [math.nan, math.nan], [math.inf, 1.0], [1.0], [1e-300, 1e300]])
def test_no_profile_is_too_strange_to_be_drawn(norms):
    assert len(depth.profiles({"a": Profile(norms)}).png()) > 2000


def test_noise_is_not_drawn_as_a_trend():
    low, high = depth.profiles({"a": Profile([1.0, 1.1, 0.9])}).axes[0].get_ylim()
    assert high / low >= 99


@pytest.mark.parametrize(("arms", "more", "match"), [
    ({}, {}, "no arm"), ({"a": []}, {}, "a: 0"), ({"a": Profile([1])}, {"limits": (2, 1)}, "limits must rise"),
    ({"a": Profile([1])}, {"limits": (0, 1)}, "limits must be above 0"),
    ({"a": Profile([1]), "b": Profile([1], "block")}, {}, "block and layer")])
def test_what_cannot_be_drawn_is_refused(arms, more, match):
    with pytest.raises(ValueError, match=match):
        depth.profiles(arms, **more)


def test_the_cliff_stands_in_three_dimensions_with_the_descents_on_it():
    two = {"free": depth.descend(updates=120), "clipped": depth.descend(updates=120, max_norm=15.0)}
    picture = depth.cliff_picture(two)
    ground, above, costs = picture.axes
    assert ground.name == "3d" and costs.get_yscale() == "log" and above.get_title("left") == "seen from above"
    assert picture.alt.endswith("with the descents free, clipped") and picture.png() == depth.cliff_picture(two).png()
    assert [line.get_label() for line in costs.get_lines()] == ["free", "clipped"]


def test_the_landscape_is_drawn_without_descents_too():
    assert len(depth.cliff_picture().axes) == 1


def test_a_descent_that_never_was_on_the_landscape_does_no_harm():
    assert len(depth.cliff_picture({"away": depth.descend(w=0.0, b=3.0, updates=5)}).png()) > 5000


def test_a_landscape_shows_no_descents_from_several_starts():
    with pytest.raises(ValueError, match=r"'many' with shape \(3, 2\)"):
        depth.cliff_picture({"many": depth.descend(np.array([5.0, 6.0]), -2.0, updates=2)})
