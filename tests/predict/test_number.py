"""Laws of a predicted number."""

import math

import numpy as np
import pytest

from gradlab.predict import predict

QUESTION = "What will the final loss be?"


@pytest.fixture
def guess():
    return predict(QUESTION, between=(0, 5), unit="nats")


def test_the_reveal_says_how_far_off(guess):
    guess.commit(1.2)
    assert guess.answer == 1.2
    card = guess.reveal(0.512, "about 0.5", because="The floor is 0.27.")
    assert repr(card).splitlines() == [
        "You predicted 1.2 nats. It was about 0.5 nats.",
        "Your prediction is 0.69 nats too high, by a factor of 2.3.", "The floor is 0.27."]


@pytest.mark.parametrize("measured, words", [
    (1.21, "as good as exact"), (1.5, "0.3 nats too low."), (-1.0, "2.2 nats too high."),
    (0.0, "1.2 nats too high."), (12.0, "11 nats too low, by a factor of 10.")])
def test_the_distance_is_told_in_two_digits(guess, measured, words):
    guess.commit(1.2)
    assert words in guess.reveal(measured, "so much").text


@pytest.mark.parametrize("measured", [math.nan, math.inf])
def test_a_run_that_diverged_has_no_distance(guess, measured):
    guess.commit(1.2)
    assert guess.reveal(measured, "it diverged").text == "You predicted 1.2 nats. It was it diverged nats."


def test_without_a_prediction_no_measured_digit_is_shown(guess):
    cards = {predict(QUESTION, between=(0, 5), unit="nats").reveal(measured, "about 0.5 nats")
             for measured in (0.5123, 0.4987)}
    assert {card.text for card in cards} == {"No prediction was committed. It was about 0.5 nats."}
    assert len(cards) == 1


def test_the_page_gets_what_was_shown(guess, listen):
    page = listen(guess)
    page.send(2)
    guess.reveal(0.5123, "about 0.5")
    assert page.state == {"answer": 2.0, "revealed": True, "truth": "about 0.5 nats"}


@pytest.mark.parametrize("answer", [-0.1, 5.1, math.nan, math.inf])
def test_a_number_outside_is_refused(guess, listen, answer):
    assert listen(guess).send(answer) == f"a number from 0 to 5 is asked for, got {answer:g}"
    assert guess.answer is None


@pytest.mark.parametrize("answer", ["1.2", None, True, [1]])
def test_what_is_no_number_is_refused(guess, answer):
    with pytest.raises(TypeError, match="commit.. takes a number, got"):
        guess.commit(answer)


def test_numbers_of_numpy_are_numbers(guess):
    guess.commit(np.float32(0.5))
    assert guess.answer == 0.5 and type(guess.answer) is float
    assert "factor" not in guess.reveal(np.float64(0.6), "about 0.6").text


@pytest.mark.parametrize("between, error", [((1, 1), ValueError), ((2, 1), ValueError), ((0, math.inf), ValueError),
                                            (3, TypeError), (("a", "b"), TypeError), ((0, 1, 2), TypeError)])
def test_a_bracket_that_holds_nothing_is_refused(between, error):
    with pytest.raises(error, match="between"):
        predict(QUESTION, between=between)


def test_what_is_no_measurement_is_refused_and_reveals_nothing(guess):
    with pytest.raises(TypeError, match="the measured number first, got 'much'"):
        guess.reveal("much", "much")
    with pytest.raises(TypeError, match="shown must be a string, got 0.5"):
        guess.reveal(0.5, 0.5)
    guess.commit(1)
    assert guess.answer == 1


def test_both_marks_stay_on_the_line():
    for answer, measured in ((0, -100.0), (5, 100.0), (2.5, 2.6)):
        guess = predict(QUESTION, between=(0, 5))
        guess.commit(answer)
        html = guess.reveal(measured, "so much").html
        places = [float(part.partition("%")[0]) for part in html.split("left: ")[1:] if "%" in part[:6]]
        assert len(places) >= 2 and all(0 <= place <= 100 for place in places)
        guess.forget()
