"""Laws of a picture that is a function of sliders."""

import base64
import math

import pytest

import gradlab
from gradlab.live import Slide, slide
from gradlab.live.page import SLIDE
from gradlab.plot import Picture


class Drawing:
    """A function that draws, and keeps what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, **values):
        self.asked.append(values)
        picture = Picture("a line", width=1, height=1)
        picture.subplots().plot([0, values.get("depth", 1)])
        return picture


@pytest.fixture
def drawing():
    return Drawing()


@pytest.fixture
def made(drawing):
    made = slide(drawing, depth=(2, 8, 32), activation=("relu", "tanh"), residual=True, start={"depth": 8})
    made.told = []
    made._post = lambda content, buffers=None: made.told.append((content, buffers))
    return made


def press(made, **values):
    made._on_event({"kind": "set", "id": "a-1", "values": values})
    return made.told[-1]


def test_it_is_part_of_the_public_surface():
    assert gradlab.slide is slide


def test_nothing_is_drawn_before_it_is_shown_and_then_the_start(made, drawing):
    assert drawing.asked == []
    data, _ = made._repr_mimebundle_()
    assert drawing.asked == [{"depth": 8, "activation": "relu", "residual": True}]
    assert base64.b64decode(data["image/png"])[:4] == b"\x89PNG" and data["text/plain"] == "[figure: a line]"


def test_a_moved_control_draws_the_picture_of_all_values(made, drawing):
    content, [png] = press(made, depth=32, residual=False)
    assert drawing.asked == [{"depth": 32, "activation": "relu", "residual": False}] and made.values == drawing.asked[0]
    assert content["ack"] == "a-1" and not content["error"] and content["alt"] == "a line" and png[:4] == b"\x89PNG"


def test_a_setting_seen_before_is_not_drawn_again_and_few_are_kept(drawing):
    made = slide(drawing, depth=tuple(range(1, 201)))
    for depth in (*range(1, 201), 200, 199):
        made.set(depth=depth)
    assert len(drawing.asked) == 200 and len(made._pictures) == 64


@pytest.mark.parametrize("values, words", [
    ({"depth": 3}, "depth takes 2, 8, 32; got 3"), ({"depth": "8"}, "depth takes"), ({"residual": 1}, "residual takes"),
    ({"activation": None}, "activation takes 'relu', 'tanh'; got None"), ({"width": 4}, "no control 'width'")])
def test_what_is_not_offered_is_refused_in_words_and_moves_nothing(made, values, words):
    content, buffers = press(made, **values)
    assert words in content["error"] and buffers is None and made.values["depth"] == 8
    with pytest.raises(ValueError, match=words.split(";")[0]):
        made.set(**values)


def test_an_error_of_the_drawing_is_told_on_the_page_and_the_next_setting_works(made, drawing):
    made._draw = lambda **values: 1 / 0 if values["depth"] == 32 else drawing(**values)
    assert press(made, depth=32)[0]["error"] == "ZeroDivisionError: division by zero"
    content, [png] = press(made, depth=2)
    assert not content["error"] and png


def test_a_drawing_that_gives_no_picture_is_told_so():
    with pytest.raises(TypeError, match="must return a gradlab.plot.Picture, got 7"):
        slide(lambda depth: 7, depth=(1, 2))._repr_mimebundle_()


@pytest.mark.parametrize("controls, error, words", [
    ({}, ValueError, "something to slide"), ({"depth": 3}, TypeError, "tuple of finite numbers"),
    ({"depth": (2, "a")}, TypeError, "depth"), ({"depth": (2,)}, ValueError, "two different values"),
    ({"depth": (2, 2)}, ValueError, "two different"), ({"depth": (8, 2)}, ValueError, "ascend"),
    ({"depth": (1, math.nan)}, TypeError, "finite"), ({"depth": (True, 2)}, TypeError, "depth"),
    ({"depth": ()}, TypeError, "depth"), ({"depth": "ab"}, TypeError, "depth")])
def test_a_control_that_makes_no_sense_is_refused_when_it_is_made(drawing, controls, error, words):
    with pytest.raises(error, match=words):
        slide(drawing, **controls)


def test_a_start_must_be_offered_and_the_drawing_a_function(drawing):
    with pytest.raises(ValueError, match="depth takes 1, 2; got 5"):
        slide(drawing, depth=(1, 2), start={"depth": 5})
    with pytest.raises(TypeError, match="takes a function that draws first, got 'draw'"):
        slide("draw", depth=(1, 2))


def test_what_the_page_gets_is_json_and_its_script_is_whole(made):
    import json

    json.dumps(made.spec)
    assert [each["kind"] for each in made.spec["controls"]] == ["slider", "select", "check"]
    for name in ("class Kernel", "function slider", "function followPage", "gl-slide-picture"):
        assert name in SLIDE
    assert isinstance(made, Slide) and repr(made).startswith("gradlab slide: depth, activation, residual")
