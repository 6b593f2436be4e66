"""What every case file keeps to."""

import inspect
import re

import pytest

from gradlab import cases, pitfalls
from gradlab.cases.suspects import GLOSSES, suspect

CASES = [cases.get(name) for name in cases.names()]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_the_names_are_those_under_which_the_cases_are_found():
    assert cases.names() == tuple(case.name for case in CASES)
    assert {"clipping-was-on", "frozen", "nothing-to-clip"} < set(cases.names())


@pytest.mark.parametrize("asked, meant", [("clipping_was_on", "clipping-was-on"), ("frosen", "frozen"),
                                          ("Nothing to clip", "nothing-to-clip")])
def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(asked, meant):
    with pytest.raises(cases.UnknownCaseError, match=f"{re.escape(repr(asked))}.*did you mean.*{meant}"):
        cases.get(asked)


def test_a_name_unlike_any_other_is_answered_with_all():
    with pytest.raises(KeyError, match="there are clipping-was-on, frozen"):
        cases.get("xyz")


@every_case
def test_the_truth_is_one_of_four_suspects_and_all_are_in_the_catalogue(case):
    assert len(set(case.suspects)) == 4 and case.pitfall in case.suspects
    assert set(case.suspects) <= set(pitfalls.ids())


@every_case
def test_every_option_says_what_its_name_means_in_one_line(case):
    options = case.diagnose().options
    for id, option in zip(case.suspects, options, strict=True):
        name, gloss = option.split(": ", 1)
        assert name == pitfalls.get(id).name and len(gloss.split()) >= 6 and len(option) <= 140
        assert not re.search(r"\d\.|`|[.!?]$", gloss)
    assert len({option.split(": ", 1)[1] for option in options}) == 4


def test_no_gloss_is_left_over():
    assert set(GLOSSES) == {id for case in CASES for id in case.suspects}


def test_no_length_gives_the_truth_away():
    ranks = [sorted(case.suspects, key=lambda id: len(suspect(id))).index(case.pitfall) for case in CASES]
    assert len(set(ranks)) >= 3


@every_case
def test_the_thread_that_a_case_is_built_after_is_one_of_its_pitfalls(case):
    assert case.threads[0] in pitfalls.get(case.pitfall).threads
    assert all(re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/issues/\d+", link) for link in case.links)


@every_case
def test_no_text_holds_a_number_that_was_measured(case):
    for text in (case.brief, case.question, case.shows, case.report):
        assert not re.search(r"\d\.\d|\de[-+]?\d", text)


@every_case
def test_the_brief_and_the_question_do_not_name_the_truth(case):
    told = f"{case.brief} {case.question}".lower()
    assert pitfalls.get(case.pitfall).name.lower() not in told and case.pitfall not in told


@every_case
def test_the_verdict_says_what_the_drawing_shows(case):
    drawn, told = repr(case.ledger().draw()), "nothing to report" in case.shows
    assert told == ("nothing to report" in drawn) == (case.finding.level == "info")
    assert told or pitfalls.get(case.pitfall).name in drawn


@every_case
def test_a_loop_is_short_and_stands_on_its_own(case):
    for loop in (case.program, case.mended):
        source = inspect.getsource(loop)
        assert len(source.splitlines()) <= 20
        assert "loss.item()" in source and "torch.optim." in source


@every_case
def test_loops_differ_by_a_line_or_two(case):
    before, after = (set(inspect.getsource(loop).splitlines()[1:]) for loop in (case.program, case.mended))
    assert len(before ^ after) <= 2
