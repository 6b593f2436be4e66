"""Every wrong answer is named rightly, and no right one is called wrong."""

from collections import Counter

import kill_matrix as tool
import pytest
from programs import RIGHT, UNNAMED, WRONG, verdict

from gradlab import exercises, pitfalls


def named(program):
    return f"{program.exercise}-{program.name}"


@pytest.mark.parametrize("program", WRONG, ids=named)
def test_a_wrong_answer_gets_its_own_id(program):
    told = verdict(program)
    assert told.outcome in ("wrong", "error")
    assert told.pitfall == program.pitfall, str(told)
    assert program.variant in ("", told.variant), str(told)
    assert told.experiment and told.fixture


@pytest.mark.parametrize("program", RIGHT, ids=named)
def test_a_right_answer_is_right(program):
    told = verdict(program)
    assert told, str(told)
    assert told.pitfall is None


@pytest.mark.parametrize("program", UNNAMED, ids=named)
def test_a_mistake_without_an_id_gets_a_message_and_no_id(program):
    told = verdict(program)
    assert told.outcome in ("wrong", "error")
    assert told.pitfall is None, str(told)
    assert program.says in told.message, str(told)


@pytest.mark.parametrize("name", exercises.names())
def test_every_mistake_that_an_exercise_knows_is_made_in_two_ways(name):
    exercise = exercises.get(name)
    made = [verdict(program) for program in WRONG if program.exercise == name]
    ids = Counter(told.pitfall for told in made)
    assert not [pitfall for pitfall in exercise.pitfalls if ids[pitfall] < 2]
    assert set(ids) <= set(exercise.pitfalls)
    kinds = Counter((told.pitfall, told.variant) for told in made)
    if not exercise.structure:  # rules come first, and have words of their own
        assert not {(wrong.id, wrong.variant) for wrong in exercise.wrong if wrong.id is not None
                    and kinds[wrong.id, wrong.variant] < 2}


@pytest.mark.parametrize("name", exercises.names())
def test_there_is_more_than_one_way_to_be_right(name):
    assert len([program for program in RIGHT if program.exercise == name]) >= 4


def test_every_id_is_in_the_catalogue():
    assert {program.pitfall for program in WRONG} <= set(pitfalls.ids())


def test_the_page_is_fresh_and_without_a_miss():
    text = tool.page()
    assert tool.PAGE.read_text(encoding="utf-8") == text, "run tools/kill_matrix.py"
    cells = [cell.split(" of ") for line in text.splitlines() for cell in line.split(" | ") if " of " in cell]
    counts = [(named.split()[-1], tried.split()[0]) for named, tried in cells if tried.split()[0].isdigit()]
    assert len(counts) > 50 and all(named == tried for named, tried in counts)


def test_a_page_that_is_missing_or_old_is_not_fresh(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "page", lambda: "new\n")
    path = tmp_path / "kill_matrix.md"
    assert tool.main(["--check"], path) == 1
    assert tool.main([], path) == 0 and tool.main(["--check"], path) == 0
    path.write_text("old\n")
    assert tool.main(["--check"], path) == 1
    assert "not fresh" in capsys.readouterr().out
