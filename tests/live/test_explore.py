"""Laws of explore(): what it refuses, and that running a cell again leaves no thread behind."""

import subprocess
import sys

import pytest

from gradlab import History, Recipe, train
from gradlab.live import explore, live_workers


@pytest.mark.parametrize("arguments, options, error, words", [
    (("lr",), {}, TypeError, r"takes a Recipe first, got 'lr'; write explore\(Recipe\(\), 'lr'\)"),
    ((3,), {}, TypeError, "takes a Recipe first, got 3"),
    ((Recipe(), "n_layer"), {}, ValueError, "no field 'n_layer'; did you mean 'n_layers'"),
    ((Recipe(), "LIVE"), {}, ValueError, "no field 'LIVE'"),
    ((Recipe(), 7), {}, ValueError, "no field 7"),
    ((Recipe(),), {"ranges": {"lr": (1, 0)}}, ValueError, r"ranges\['lr'\] = \(1, 0\)"),
    ((Recipe(),), {"ranges": {"seed": (1, 2)}}, ValueError, "no control for seed"),
    ((Recipe(),), {"pinned": {"a": [1, 2]}}, TypeError, r"pinned takes labels and Histories, got 'a': \[1, 2\]"),
    ((Recipe(),), {"pinned": {1: History()}}, TypeError, "pinned takes labels"),
    ((Recipe(),), {"floor": 0}, ValueError, "floor must be a loss above 0 or None, got 0"),
    ((Recipe(),), {"max_steps": 1.5}, ValueError, "max_steps .* got 1.5"),
    ((Recipe(),), {"max_seconds": 0}, ValueError, "max_seconds must be above 0, got 0"),
    ((Recipe(),), {"fps": 1000}, ValueError, "fps .* got 1000"),
])
def test_a_wrong_argument_is_refused_with_its_value(arguments, options, error, words):
    with pytest.raises(error, match=words):
        explore(*arguments, **options)


def test_controls_come_in_the_order_asked_for_and_once():
    panel = explore(Recipe(), "norm", "lr", "seed")
    assert [each["field"] for each in panel.spec["controls"]] == ["lr", "max_norm", "norm", "seed"]
    assert explore().recipe == Recipe()


def test_making_a_panel_trains_nothing():
    explore(pinned={"before": History(train(Recipe(steps=2)))}, floor=0.271)
    assert live_workers() == 0


def test_running_a_cell_again_stops_the_panel_it_made(tiny):
    panels = []
    for _ in range(3):  # the same place in the code, as when a cell is run again
        panels.append(explore(tiny))
        panels[-1].start()
    assert [panel.status for panel in panels] == ["stopped", "stopped", "running"]
    assert live_workers() == 1
    panels[-1].stop()


def test_panels_of_other_cells_and_names_are_left_alone(tiny):
    here, there = explore(tiny), explore(tiny)
    named = explore(tiny, name="mine")
    for panel in (here, there, named):
        panel.step()
    assert [panel.status in ("running", "paused") for panel in (here, there, named)] == [True] * 3
    explore(tiny, name="mine")
    assert [panel.status for panel in (here, there, named)].count("stopped") == 1
    for panel in (here, there):
        panel.stop()


def test_a_cell_is_known_by_its_id_however_it_is_edited(monkeypatch, tiny):
    cell = {"metadata": {"cellId": "abc"}, "header": {"msg_id": "1"}}
    shell = type("Shell", (), {"get_parent": lambda self: cell})()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    first, second = explore(tiny), explore(tiny)  # two panels of one execution
    assert (first.status, second.status) == ("idle", "idle")
    cell["header"] = {"msg_id": "2"}
    explore(tiny)
    assert (first.status, second.status) == ("stopped", "idle")


LEAVE = """
import sys, time
from gradlab import Recipe
from gradlab.live import explore

class Gone(OSError):
    pass

def dead(*_, **__):
    raise Gone

# Large enough for the thread to be inside torch at any moment.
panels = [explore(Recipe(d_model=256, batch_size=64), name=str(number)) for number in range(3)]
for panel in panels[{first}:]:
    panel.start()
while not all(panel.history for panel in panels[{first}:]):
    time.sleep(0.01)
if {first}:
    panels[0].comm.send = dead
print("left")
"""


@pytest.mark.parametrize("first, printed", [(0, False), (1, True)])
def test_a_process_that_ends_while_panels_train_ends_in_order(first, printed):
    """first: from which panel on they train; a panel before it fails when it is stopped."""
    made = subprocess.run([sys.executable, "-c", LEAVE.format(first=first)], capture_output=True, text=True,
                          timeout=120)
    assert (made.returncode, made.stdout) == (0, "left\n"), made.stderr
    assert "terminate called" not in made.stderr and ("Gone" in made.stderr) == printed
