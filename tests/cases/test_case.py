"""A case shows what ran, runs it once, and says the same thing everywhere."""

import dataclasses
import inspect

import pytest

from gradlab import cases, pitfalls
from gradlab.cases.suspects import suspect
from gradlab.plot import Picture

CASES = [cases.get(name) for name in cases.names()]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture
def small():
    """A case of its own, short, that nobody has run yet."""
    case = cases.get("clipping-was-on")
    return dataclasses.replace(case, recipe=case.recipe.replace(steps=2), seeds=(0, 1), question="Which of the four?")


def numbered(case):
    """The lines of the listing by their number."""
    return {int(line.split()[0]): line for line in case.loop().text.splitlines()}


@every_case
def test_the_code_that_is_shown_is_the_code_that_runs(case):
    lines, first = inspect.getsourcelines(case.program)
    shown = numbered(case)
    for number, line in enumerate(lines, first):
        assert line.strip() in shown[number]
    assert inspect.unwrap(case.program) is case.program  # nothing stands between


@every_case
def test_the_ledger_speaks_of_the_lines_that_are_shown(case):
    shown, file = numbered(case), inspect.getsourcefile(case.program)
    events = case.ledger()
    assert {event.where.line for event in events if event.where.file == file} <= set(shown)
    assert all(event.where.file == file for event in events)
    assert len(events.of("step")) == len(case.recorded)


def test_the_ledger_holds_the_updates_that_it_is_meant_to_hold():
    case = cases.get("clipping-was-on")
    (history,) = [log for log in case.histories() if log.seed == case.recipe.seed]
    recorded = [clip.norm for clip in case.ledger().of("clip")]
    assert recorded == pytest.approx(list(history.norm[case.recorded.start:case.recorded.stop]))
    assert min(recorded) > 1  # the sentence of the finding is about a norm above the limit


@every_case
def test_the_ledger_of_the_loop_names_its_pitfall_first(case):
    assert case.finding.pitfall == case.pitfall


@every_case
def test_the_ledger_of_the_mended_loop_has_nothing_to_say(case):
    ledger = case.ledger(mended=True)
    assert ledger.findings() == []
    assert case.pitfall not in {finding.pitfall for finding in ledger.findings("info")}


def tiny(case, seed):
    """The same case with other runs, short ones."""
    return dataclasses.replace(case, seeds=(seed,), recipe=case.recipe.replace(steps=1, seed=seed))


@every_case
def test_no_words_depend_on_what_was_measured(case):
    def shown(case):
        parts = [case, case.loop(), case.verdict()[0]]
        yield from (part._repr_mimebundle_()["text/html"] for part in parts)
        yield from map(repr, [*parts, case.diagnose(), case.trace(), case.verdict()[1], case.ledger().draw()])

    first = list(shown(tiny(case, 7)))
    assert first == list(shown(tiny(case, 7))) == list(shown(tiny(case, 8)))


@every_case
def test_the_verdict_names_the_pitfall_the_cure_and_the_thread(case):
    page, picture = tiny(case, 7).verdict()
    for shown in (page.text, page.html):
        assert pitfalls.get(case.pitfall).name in shown and case.pitfall in shown and case.links[0] in shown
    cure = set(inspect.getsource(case.mended).splitlines()) - set(inspect.getsource(case.program).splitlines())
    assert all(line.strip() in page.text for line in cure if "def " not in line)
    assert isinstance(picture, Picture) and len(picture.png()) > 10_000


def test_a_diagnosis_stands_beside_the_truth_in_the_verdict(small):
    right, wrong = (suspect(id) for id in (small.pitfall, small.suspects[0]))
    small.diagnose().forget()
    assert "No prediction was committed" in small.verdict()[0].text
    assert small.diagnose(wrong).answer == wrong
    text = small.verdict()[0].text
    assert f"{wrong}   [your prediction]" in text and f"{right}   [what happened]" in text
    small.diagnose().forget()
    small.diagnose(right)
    assert f"{right}   [your prediction, and what happened]" in small.verdict()[0].text
    small.diagnose().forget()


def test_a_diagnosis_may_be_given_by_id_name_letter_or_place(small):
    id = small.suspects[2]
    for said in (id, pitfalls.get(id).name, "c", 2, suspect(id)):
        small.diagnose().forget()
        assert small.diagnose(said).answer == suspect(id)
    small.diagnose().forget()
    with pytest.raises(ValueError, match="none of the options"):
        small.diagnose("it-is-the-seed")


def test_nothing_is_run_twice(small):
    calls = []

    def counted(model, batches, **options):
        calls.append(options)
        yield from small.program(model, batches, **options)

    case = dataclasses.replace(small, program=counted)
    first = case.histories()
    case.trace()
    assert case.histories() is first
    assert calls == [{}, {}, {"max_norm": 0.01}, {"max_norm": 0.01}]


def test_nothing_is_run_before_it_is_asked_for():
    def never(model, batches):
        raise AssertionError("it ran")
        yield

    case = dataclasses.replace(cases.get("frozen"), program=never)
    assert "Frozen" in repr(case)
    case.diagnose()
    with pytest.raises(AssertionError, match="it ran"):
        case.histories()


def test_runs_are_made_under_the_seeds_of_the_case_and_options_reach_the_loop(small):
    assert [log.seed for log in small.histories()] == [0, 1]
    assert [len(log) for log in small.histories()] == [2, 2]
    with pytest.raises(TypeError, match="max_nrom"):
        small.histories(max_nrom=1.0)


def test_a_log_has_the_columns_that_its_loop_logged(small):
    log = small.histories()[0]
    assert list(log.step) == [0, 1] and log.loss.shape == log.norm.shape == log.moved.shape == (2,)
    assert {"loss", "norm"} < set(dir(log))
    with pytest.raises(AttributeError, match="did not log 'lr'; its log holds loss, norm"):
        log.lr  # noqa: B018


def test_a_run_ends_at_the_first_row_that_is_not_finite(small):
    def breaks(model, batches):
        optimizer = None  # noqa: F841
        for value in (1.0, float("nan"), 2.0):
            yield {"loss": value}

    (log,) = dataclasses.replace(small, program=breaks, seeds=(0,), recipe=small.recipe.replace(steps=3)).histories()
    assert len(log) == 2 and log.diverged and log.final_loss == float("inf")


def test_the_verdict_shows_itself_as_a_page_and_a_picture(small, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *things: shown.extend(things))
    verdict = small.verdict()
    verdict._ipython_display_()
    assert shown == list(verdict) and repr(verdict).startswith(verdict[0].text)
