"""Laws of the pinned runs."""

import pytest

from gradlab import History, Step
from gradlab.live.colours import TINTS
from gradlab.live.pins import MAX_PINS, Pins


@pytest.fixture
def runs():
    """Runs of different lengths."""
    steps = [Step(i, 2.0, 0.3, 1.0, 1.5, 1.0, 0.7, True, 1.0, 1e-3, 64, 0.0) for i in range(MAX_PINS + 3)]
    return [History(steps[:count]) for count in range(1, len(steps) + 1)]


def test_a_run_is_kept_once_under_a_label_of_its_own(runs):
    pins = Pins()
    assert [pins.add("a", run) for run in runs[:3]] == ["", "", ""]
    assert "pinned already" in pins.add("b", History(runs[1].steps))
    assert list(pins.histories()) == ["a", "a (2)", "a (3)"]
    assert pins.histories()["a (2)"] is runs[1]


def test_the_oldest_makes_room(runs):
    pins = Pins()
    notes = [pins.add(f"run {i}", run) for i, run in enumerate(runs[:MAX_PINS + 1])]
    assert notes[:-1] == [""] * MAX_PINS and "“run 0”, made room" in notes[-1]
    assert list(pins.histories()) == [f"run {i}" for i in range(1, MAX_PINS + 1)]


def test_the_id_of_a_pin_that_is_gone_names_no_other(runs):
    pins = Pins()
    pins.add("a", runs[0])
    [gone] = pins
    pins.remove("a")
    pins.remove("a")
    pins.add("a", runs[1])
    assert pins.label(gone.id) == "" and pins.label([*pins][0].id) == "a"
    pins.clear()
    assert list(pins) == [] and pins.histories() == {}


def test_every_pin_has_a_tint_of_its_own():
    assert len(set(TINTS)) == len(TINTS) == MAX_PINS
