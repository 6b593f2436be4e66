"""What the tests of the live panel share: a recipe of about a millisecond a step, and a page that only listens."""

import pytest

from gradlab import Recipe
from gradlab.live import Panel, live_workers
from gradlab.live.rows import unpack


class Page:
    """What the page does with messages, without drawing: it keeps the newest state and the rows of the run."""

    def __init__(self, panel):
        self.panel, self.rows, self.run, self.state, self.pins, self.frames = panel, [], None, {}, [], 0
        self.version, self.answers, self.status, self.workers = -1, [], None, None
        panel.comm.send = self.hear

    def hear(self, data, buffers=None, **_):
        message = data["content"]
        if message["kind"] == "pins":
            self.pins = [(pin["label"], unpack(buffer)) for pin, buffer in zip(message["pins"], buffers, strict=True)]
            return
        if message["version"] > self.version:
            self.version, self.status, self.workers = message["version"], message["status"], message["workers"]
            if message["run"] != self.run:
                self.run, self.rows = message["run"], []
        if message["kind"] == "state":
            self.state = message
            self.answers.append(message["ack"])
        elif message["run"] == self.run:
            self.frames += 1
            assert message["start"] <= len(self.rows), "rows in between are missing"
            self.rows += list(unpack(buffers[0]))[len(self.rows) - message["start"]:]

    def send(self, kind, **content):
        """An event as the page sends it; the answer."""
        self.panel._on_event({"kind": kind, "id": f"page-{len(self.answers)}", **content})
        return self.state


@pytest.fixture
def listen():
    """A Page for a panel: `page = listen(panel)`."""
    return Page


@pytest.fixture
def tiny():
    return Recipe(d_model=8, n_layers=1, n_heads=2, batch_size=2, digits=1)


@pytest.fixture
def make_panel(tiny):
    """Panels that are stopped after the test, which fails if one left a thread behind."""
    panels = []

    def make(recipe=tiny, fields=("lr", "max_norm"), **options):
        panels.append(Panel(recipe, fields, **options))
        return panels[-1]

    yield make
    for panel in panels:
        panel.close()
    assert live_workers() == 0
