"""What the tests of predictions share: an empty memory, and a page that only listens."""

import pytest

from gradlab.predict import kept


class Page:
    """What a page is told about one widget: its state, and the answers to its events."""

    def __init__(self, widget):
        self.widget, self.state, self.answers = widget, dict(widget.state), []
        widget.comm.send = self.hear

    def hear(self, data=None, buffers=None, **_):
        if data["method"] == "update":
            self.state = data["state"].get("state", self.state)
        else:
            self.answers.append(data["content"])

    def send(self, answer):
        """An answer as the page sends it; the error it gets, empty if it was taken."""
        self.widget._on_event({"kind": "answer", "id": f"page-{len(self.answers)}", "answer": answer})
        assert self.answers[-1]["ack"] == f"page-{len(self.answers) - 1}"
        return self.answers[-1]["error"]


@pytest.fixture
def listen():
    """A Page for a widget: `page = listen(widget)`."""
    return Page


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(kept, "_kept", type(kept._kept)())
