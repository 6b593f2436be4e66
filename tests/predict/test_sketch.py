"""Laws of a drawn prediction."""

import math

import numpy as np
import pytest

from gradlab import History, Recipe, train
from gradlab.plot import Picture
from gradlab.predict import predict

QUESTION = "How will the loss fall?"
CURVE = [0, 50, 150], [3.6, 1.0, 0.5]


@pytest.fixture(scope="module")
def history():
    return History(train(Recipe(d_model=8, n_layers=1, n_heads=2, batch_size=2, digits=1, steps=20)))


@pytest.fixture
def guess():
    return predict.sketch(QUESTION, x=(0, 150), y=(0, 4))


def labels(picture):
    return [text.get_text() for text in picture.axes[0].get_legend().get_texts()]


def sketched(picture):
    return next(line for line in picture.axes[0].lines if line.get_label() == "your sketch")


def test_a_curve_is_committed_as_arrays_and_given_back(guess, listen):
    assert guess.curve is None
    page = listen(guess)
    assert page.send([list(values) for values in CURVE]) == ""
    x, y = guess.curve
    np.testing.assert_array_equal(x, CURVE[0])
    np.testing.assert_array_equal(y, CURVE[1])
    assert page.state["answer"] == [[0.0, 50.0, 150.0], [3.6, 1.0, 0.5]]
    assert "a curve of 2 points was not taken" in page.send([[0, 1], [1, 1]])


def test_the_points_that_the_page_offers_span_the_frame():
    for span in ((0, 150), (10, 11), (0, 1e6), (-1, 0.3)):
        points = predict.sketch(QUESTION, x=span).spec["points"]
        assert points[0] == span[0] and points[-1] == span[1] and (np.diff(points) > 0).all()
        guess = predict.sketch(QUESTION, x=span)
        guess.commit((points, np.ones(len(points))))


def test_the_sketch_is_laid_over_runs(guess, history):
    guess.commit(CURVE)
    picture = guess.reveal(history)
    assert isinstance(picture, Picture) and labels(picture) == ["measured", "your sketch"]
    np.testing.assert_array_equal(sketched(picture).get_xydata(), np.transpose(CURVE))
    assert picture.axes[0].get_ylim() == (0, 4) and picture.axes[0].get_xlim()[1] >= 150
    assert picture.png().startswith(b"\x89PNG")


@pytest.mark.parametrize("column", ["loss", "norm_before"])
def test_runs_come_as_a_history_several_or_by_label(guess, history, column):
    for measured, names in ((history, ["measured"]), ([history, history, history], ["measured"]),
                            ([history, history], ["measured"]), ([history], ["measured"]),
                            ({"SGD": history, "AdamW": [history]}, ["SGD", "AdamW"])):
        picture = guess.reveal(measured, column)
        assert labels(picture) == names and len(picture.png()) > 1000


def test_a_pair_of_arrays_is_a_curve_too(guess):
    guess.commit(CURVE)
    picture = guess.reveal((np.arange(3), np.array([3.0, np.nan, 1.0])))
    measured = picture.axes[0].lines[0].get_xydata()
    np.testing.assert_array_equal(measured, [[0, 3], [2, 1]])


def test_the_cross_of_a_diverged_run_stays_in_the_frame(guess, history):
    steps = [*history, history[-1]._replace(step=20, loss=3.0, norm_before=1e9),
             history[-1]._replace(step=21, loss=math.nan, norm_before=math.nan)]
    for column in ("loss", "norm_before"):
        picture = guess.reveal(History(steps), column)
        [cross] = [line for line in picture.axes[0].lines if line.get_marker() == "x"]
        assert 0 <= cross.get_ydata()[0] <= 4 and cross.get_xdata()[0] == 20


def test_a_logarithmic_frame_is_drawn_so(history):
    guess = predict.sketch("How large?", y=(1e-3, 10), ylabel="gradient norm", log=True)
    guess.commit(([0, 150], [1e-3, 10]))
    picture = guess.reveal(history, "norm_before")
    assert picture.axes[0].get_yscale() == "log" and picture.axes[0].get_ylim() == (1e-3, 10)
    assert len(picture.png()) > 1000


def test_the_pictures_words_do_not_tell_whether_there_is_a_sketch(guess, history):
    without = guess.reveal(history)
    assert labels(without) == ["measured"]
    guess.forget()
    guess.commit(CURVE)
    assert repr(guess.reveal(history)) == repr(without)


def test_after_the_reveal_no_curve_is_taken(guess, history):
    guess.reveal(history)
    with pytest.raises(ValueError, match="shown already, so a curve of 3 points was not taken"):
        guess.commit(CURVE)


@pytest.mark.parametrize("curve, error, words", [
    (([0, 1], [1]), ValueError, "same length"), (([0], [1]), ValueError, "2 points at least"),
    (([0, 200], [1, 1]), ValueError, "x goes from 0 to 150, got 200"),
    (([0, 1], [1, 4.5]), ValueError, "y goes from 0 to 4, got 4.5"),
    (([0, 1], [1, np.nan]), ValueError, "y goes from 0 to 4, got nan"),
    (([1, 0], [1, 1]), ValueError, "must ascend"), (([0, 0], [1, 1]), ValueError, "must ascend"),
    ("ab", TypeError, "pair of arrays"), (None, TypeError, "pair of arrays"), (3, TypeError, "pair of arrays"),
    (([0, 1], ["a", "b"]), TypeError, "pair of arrays"), (([0, 1],), TypeError, "pair of arrays")])
def test_what_is_no_curve_is_refused(guess, curve, error, words):
    with pytest.raises(error, match=words):
        guess.commit(curve)
    assert guess.curve is None


def test_what_cannot_be_drawn_is_refused_and_reveals_nothing(guess, history):
    for measured, error in (([1, 2, 3], TypeError), ({"SGD": [1]}, TypeError), (([0, 1], [1]), ValueError)):
        with pytest.raises(error, match="reveal"):
            guess.reveal(measured)
    with pytest.raises(ValueError, match="there is no column 'speed'"):
        guess.reveal(history, "speed")
    guess.commit(CURVE)


@pytest.mark.parametrize("frame, words", [({"x": (5, 5)}, r"x=\(5, 5\)"), ({"y": (1, 0)}, r"y=\(1, 0\)"),
                                          ({"y": (0, 1), "log": True}, "begins above 0"),
                                          ({"ylabel": ""}, "ylabel is empty")])
def test_a_frame_that_holds_nothing_is_refused(frame, words):
    with pytest.raises(ValueError, match=words):
        predict.sketch(QUESTION, **frame)
