"""The page's half of predictions and questions: their script and their style sheet, read once, at import."""

from __future__ import annotations

import pathlib

from gradlab.live import page as live

HERE = pathlib.Path(__file__).parent

# In this order they are one JavaScript module: a file takes what it needs from those before it, without imports.
SHARED = ("numbers.js", "axis.js", "controls.js", "kernel.js", "surroundings.js")  # of the live panel
FILES = ("words.js", "options.js", "number.js", "frame.js", "stroke.js", "sketch.js", "render.js")


def _joined(paths):
    """One module of several files, because anywidget takes one text and a page cannot import from the kernel."""
    return "\n".join(f"// {f' {path.name} ':-^114}\n\n{path.read_text('utf-8')}" for path in paths)


SCRIPT = _joined([*(live.HERE / name for name in SHARED), *(HERE / name for name in FILES)])
STYLE = live.STYLE + "\n" + (HERE / "style.css").read_text("utf-8")  # the panel's colours, buttons and inputs
