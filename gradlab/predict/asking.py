"""Asking: a question on the page, as a widget."""

from __future__ import annotations

import anywidget
import traitlets

from . import page


class Asking(anywidget.AnyWidget):
    """A question that a page shows and Python answers for.

    `spec` never changes. `state` is the truth, set here and shown by every view; the page only sends events.
    """

    _esm = page.SCRIPT
    _css = page.STYLE
    _ipython_display_ = None  # ipywidgets 7 would display by it, and leave out the form for readers without a kernel
    spec = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, spec, state):
        super().__init__(spec=spec, state=state)
        self.on_msg(lambda _, content, __: self._on_event(content))

    def _take(self, answer):
        """What the page's answer does."""
        raise NotImplementedError

    def _on_event(self, content):
        error = ""
        try:
            if content.get("kind") == "answer":
                self._take(content.get("answer"))
        except (TypeError, ValueError) as refused:  # anything else is a defect and belongs in the log
            error = str(refused)
        comm = self.comm  # read once: close() sets it to None at any moment
        if comm is not None:
            comm.send(data={"method": "custom", "content": {"ack": content.get("id"), "error": error}})

    def _html(self):
        """The question for readers without a kernel."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/plain": repr(self), "text/html": self._html()}, metadata
