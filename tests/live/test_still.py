"""Laws of the stored picture."""

import base64
import struct

import pytest

from gradlab import History, Recipe, Step, train
from gradlab.live import live_workers, still_figure, still_png


@pytest.fixture(scope="module")
def histories():
    made = [History(train(Recipe(n_layers=1, lr=lr, max_norm=max_norm, steps=30)))
            for lr, max_norm in ((0.3, 1.0), (1e4, None))]
    assert made[1].diverged
    return made


def test_the_same_data_give_the_same_bytes(histories):
    good, bad = histories
    assert still_png(good, {"bad": bad}, 0.271) == still_png(good, {"bad": bad}, 0.271)
    assert still_png(good) != still_png(bad)


def test_every_kind_of_history_can_be_drawn(histories):
    good, bad = histories
    absurd = History([Step(i, 1e30, 1.0, float("inf"), 1e30, 1e30, 1.0, False, 1.0, 0.0, 1, 0.0) for i in range(3)])
    for history in (History(), good[:1], bad, absurd):
        assert still_png(history, {"other": bad}, None)[:4] == b"\x89PNG"


def test_the_axes_are_not_ruined_by_a_run_that_explodes(histories):
    good, bad = histories
    loss, norm, share, update = still_figure(good, {"bad": bad}).axes
    assert loss.get_ylim()[1] < 10
    assert norm.get_ylim()[1] < 1e6
    assert update.get_ylim()[0] <= -3 <= update.get_ylim()[1]
    assert share.get_ylim()[0] <= 0 and share.get_ylim()[1] >= 100


def test_a_display_never_trains_and_is_constant_text(make_panel, monkeypatch):
    monkeypatch.delenv("GRADLAB_BUILD", raising=False)
    panel = make_panel()
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == repr(panel) and "0x" not in repr(panel)
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = base64.b64decode(data["image/png"])
    assert picture == still_png(History())
    assert struct.unpack(">II", picture[16:24])[0] == 990
    assert (panel.status, len(panel.history), live_workers()) == ("idle", 0, 0)


def test_the_build_stores_a_real_run(make_panel, monkeypatch, tiny):
    panel = make_panel(tiny.replace(steps=5))
    monkeypatch.setenv("GRADLAB_BUILD", "1")
    stored = base64.b64decode(panel._repr_mimebundle_()[0]["image/png"])
    assert stored == still_png(History(train(tiny.replace(steps=5))))
    assert panel.status == "idle"
    monkeypatch.delenv("GRADLAB_BUILD")
    history = panel.run(3)
    assert base64.b64decode(panel._repr_mimebundle_()[0]["image/png"]) == still_png(history)
