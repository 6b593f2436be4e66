"""The benchmark runs, on a set too small to say anything, and refuses to time what is wrong."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).resolve().parents[2] / "kernels" / "benchmarks"


@pytest.fixture
def run(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("run")
    for name in ("run", "clocks", "machine", "sets"):
        sys.modules.pop(name, None)


def test_a_set_is_measured_and_tabled(run, monkeypatch, compiled):
    monkeypatch.setattr(run, "SETS", {"tiny": [(8, 4), (3,)]})
    monkeypatch.setattr(run, "REPEATS", 1)
    (row,) = run.rows("cpu", run.clocks.wall, calls_at_most=7)
    text = run.report({"device": "a machine", "torch": "9"}, {"read": 1.0}, [row])
    assert text.startswith("a machine\ntorch 9\n")
    assert text.count("| tiny | 2 | 35 |") == 3


def test_wrong_results_are_not_timed(run, compiled):
    bench = run.Bench([(8, 4), (3,)], "cpu")
    bench.check()
    bench.rivals["drop-in"] = lambda max_norm: torch.tensor(1.0)
    with pytest.raises(SystemExit, match="not timed"):
        bench.check()


def test_the_sets_are_what_they_are_called(run):
    sizes = {name: sum(torch.Size(shape).numel() for shape in shapes) for name, shapes in run.SETS.items()}
    assert sizes["GPT-2 small"] == 124_439_808 and len(run.SETS["GPT-2 small"]) == 148
    assert len(run.SETS["lab model, twice as wide"]) == 45
    assert sizes["lab model, as shipped"] == _lab_model()


def _lab_model():
    from gradlab import Recipe
    from gradlab.train import make_model

    return sum(p.numel() for p in make_model(Recipe()).parameters())
