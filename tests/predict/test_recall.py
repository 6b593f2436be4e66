"""Laws of a retrieval question."""

import pytest

from gradlab.pitfalls import CATALOGUE
from gradlab.predict import Question, recall

QUESTION = "Your log says `grad norm 37.2`. Is something wrong?"
OPTIONS = {"yes": "What is logged is the norm before clipping.", "no": "It is the norm *before* <clipping>."}


@pytest.fixture
def question():
    return recall(QUESTION, OPTIONS, answer="no")


def test_each_choice_is_answered_at_once_and_may_be_followed_by_another(question, listen):
    page = listen(question)
    assert question.chosen is None and not question.right
    assert page.send(0) == "" and page.state == {"answer": 0}
    assert question.chosen == "yes" and not question.right
    assert question.choose("b").text == "b) Right.\n  no\n  It is the norm *before* <clipping>."
    assert question.right and question.tries == ("yes", "no")
    assert question.choose("a").text.startswith("a) Not this one.")
    assert not question.right and page.state == {"answer": 0}


def test_the_page_needs_no_kernel_to_answer(question):
    assert question.spec["feedback"] == list(OPTIONS.values()) and question.spec["answer"] == 1
    assert isinstance(question, Question)


def test_a_question_asked_again_begins_anew(question):
    question.choose("no")
    assert recall(QUESTION, OPTIONS, answer="no").chosen is None


@pytest.mark.parametrize("answer", ["no", "b", 1])
def test_the_answer_is_named_like_a_choice(answer):
    assert recall(QUESTION, OPTIONS, answer).choose("no").text.startswith("b) Right.")


def test_a_pitfall_is_shown_by_name_when_its_option_is_chosen():
    pitfall = CATALOGUE[0]
    question = recall(QUESTION, OPTIONS, "no", pitfalls={"yes": pitfall.id})
    assert f"Pitfall: {pitfall.name}" in question.choose("yes").text
    assert "Pitfall" not in question.choose("no").text and pitfall.name not in repr(question)
    with pytest.raises(KeyError, match="no-such-pitfall"):
        recall(QUESTION, OPTIONS, "no", pitfalls={"yes": "no-such-pitfall"})
    with pytest.raises(ValueError, match="pitfalls got 'maybe', which is none of the options"):
        recall(QUESTION, OPTIONS, "no", pitfalls={"maybe": pitfall.id})
    with pytest.raises(TypeError, match="pitfalls must be a mapping"):
        recall(QUESTION, OPTIONS, "no", pitfalls=[pitfall.id])


@pytest.mark.parametrize("options, answer, error, words", [
    (OPTIONS, "maybe", ValueError, r"answer got 'maybe'.*a\) 'yes', b\) 'no'"),
    (OPTIONS, None, TypeError, "answer takes an option's text"),
    ({"yes": ""}, "yes", ValueError, "2 to 6 options, got 1"),
    (["yes", "no"], "yes", TypeError, "a mapping from each option to a text"),
    ({"yes": "", "no": None}, "yes", TypeError, "the text of option 'no' must be a string, got None")])
def test_what_makes_no_question_is_refused(options, answer, error, words):
    with pytest.raises(error, match=words):
        recall(QUESTION, options, answer)


def test_a_choice_that_is_no_option_is_refused_in_words(question, listen):
    assert "a) 'yes', b) 'no'" in listen(question).send(7)
    assert question.tries == ()


def test_a_thousand_clicks_leave_a_hundred_tries(question, listen):
    page = listen(question)
    for count in range(1000):
        assert page.send(count % 2) == ""
    assert len(question.tries) == 100 and question.chosen == "no"
