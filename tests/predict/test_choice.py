"""Laws of a prediction among options."""

import pytest

from gradlab.predict import Prediction, predict

QUESTION = "What does `max_norm=1` do?"
OPTIONS = ["nothing", "it survives", "it learns slowly"]


def test_an_answer_is_committed_by_text_letter_or_place():
    for answer in ("it survives", " it survives ", "b", "B", "b)", 1):
        guess = predict(QUESTION, OPTIONS)
        assert guess.answer is None
        guess.commit(answer)
        assert guess.answer == "it survives"
        guess.forget()


def test_a_text_counts_before_a_letter():
    guess = predict("Which comes first?", ["b", "a"])
    guess.commit("a")
    assert guess.answer == "a"


def test_a_committed_answer_stays(listen):
    guess = predict(QUESTION, OPTIONS)
    page = listen(guess)
    assert page.send(1) == "" and page.state == {"answer": 1, "revealed": False, "truth": None}
    assert "b is committed already and stays, so c was not taken" in page.send(2)
    with pytest.raises(ValueError, match="To begin anew call forget"):
        guess.commit("a")
    guess.commit("b")  # the same cell run again
    assert guess.answer == "it survives" and page.state["answer"] == 1


def test_the_reveal_says_what_was_predicted_and_what_was_measured(listen):
    guess = predict(QUESTION, OPTIONS)
    page = listen(guess)
    guess.commit("b")
    card = guess.reveal("it learns slowly", because="Every step is shorter.")
    assert repr(card).splitlines() == [
        "You predicted b. It was c.", "  ○ a) nothing", "  ● b) it survives   [your prediction]",
        "  ✓ c) it learns slowly   [what happened]", "Every step is shorter."]
    assert page.state == {"answer": 1, "revealed": True, "truth": 2}


def test_a_right_prediction_is_marked_once():
    guess = predict(QUESTION, OPTIONS)
    guess.commit("c")
    text = repr(guess.reveal("c"))
    assert text.startswith("You predicted c. It was c.")
    assert "✓ c) it learns slowly   [your prediction, and what happened]" in text and "●" not in text


def test_without_a_prediction_the_reveal_says_so_and_blames_nobody():
    card = predict(QUESTION, OPTIONS).reveal("b", because="It does.")
    assert repr(card).splitlines() == [
        "No prediction was committed. It was b.", "  ○ a) nothing", "  ✓ b) it survives   [what happened]",
        "  ○ c) it learns slowly", "It does."]


def test_after_the_reveal_nothing_is_taken_and_asking_again_asks_anew(listen):
    guess = predict(QUESTION, OPTIONS)
    guess.reveal("b")
    assert "has been shown already, so a was not taken" in listen(guess).send(0)
    assert guess.answer is None
    again = predict(QUESTION, OPTIONS)  # nothing was committed, so there is nothing to keep
    again.commit("a")
    assert again.answer == "nothing"


def test_a_committed_answer_survives_reveal_and_asking_again():
    guess = predict(QUESTION, OPTIONS)
    guess.commit("a")
    first = repr(guess.reveal("b"))
    again = predict(QUESTION, OPTIONS)
    assert again.state == {"answer": 0, "revealed": True, "truth": 1}
    again.commit("a")
    assert repr(again.reveal("b")) == first


def test_explanations_are_told_by_the_reveal_and_not_before():
    guess = predict(QUESTION, {"nothing": "It caps the `norm`.", "it survives": "", "it learns slowly": "It does not."})
    before = str(guess.spec) + repr(guess) + guess._repr_mimebundle_()[0]["text/html"]
    assert "caps" not in before
    card = guess.reveal("b")
    assert "       It caps the `norm`." in card.text and "It caps the <code>norm</code>." in card.html


def test_the_truth_is_one_of_the_options():
    guess = predict(QUESTION, OPTIONS)
    guess.commit("a")
    with pytest.raises(ValueError, match=r"reveal\(\) got 'it explodes'.*a\) 'nothing', b\) 'it survives', c\)"):
        guess.reveal("it explodes")
    assert not guess.state["revealed"]  # the author's mistake costs the learner nothing


@pytest.mark.parametrize("answer, error", [("d", ValueError), (3, ValueError), (-1, ValueError), ("", ValueError),
                                           (True, TypeError), (None, TypeError), (1.0, TypeError)])
def test_what_means_no_option_is_refused_with_the_value(answer, error, listen):
    guess = predict(QUESTION, OPTIONS)
    with pytest.raises(error, match="commit"):
        guess.commit(answer)
    assert repr(answer) in listen(guess).send(answer)
    assert guess.answer is None


@pytest.mark.parametrize("question, options, error, words", [
    ("", OPTIONS, ValueError, "the question is empty"),
    ("  ", OPTIONS, ValueError, "the question is empty"),
    (3, OPTIONS, TypeError, r"the question must be a string, got 3 \(int\)"),
    ("Q?", [], ValueError, "2 to 6 options, got 0"),
    ("Q?", ["one"], ValueError, r"2 to 6 options, got 1: \['one'\]"),
    ("Q?", list("abcdefg"), ValueError, "2 to 6 options, got 7"),
    ("Q?", ["one", "two", "one "], ValueError, "options must differ, got 'one' twice"),
    ("Q?", ["one", 2], TypeError, r"option 1 must be a string, got 2 \(int\)"),
    ("Q?", ["one", ""], ValueError, "option 1 is empty"),
    ("Q?", "one", TypeError, "a list of strings"),
    ("Q?", {"one", "two"}, TypeError, "a list of strings"),  # a set has no order, and letters need one
    ("Q?", 7, TypeError, "a list of strings"),
    ("Q?", {"one": "", "two": 2}, TypeError, "the text of option 'two' must be a string"),
])
def test_what_makes_no_question_is_refused_with_the_value(question, options, error, words):
    with pytest.raises(error, match=words):
        predict(question, options)


def test_a_prediction_has_options_or_a_bracket():
    for arguments in ({}, {"options": OPTIONS, "between": (0, 1)}):
        with pytest.raises(TypeError, match="either options or between"):
            predict("Q?", **arguments)
    assert isinstance(predict("Q?", OPTIONS), Prediction)
