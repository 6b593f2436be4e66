"""The page's half of the live panel: its script and its style sheet, read once, at import."""

from __future__ import annotations

import pathlib

HERE = pathlib.Path(__file__).parent

# In this order they are one JavaScript module: a file takes what it needs from those before it, without imports.
FILES = ("data.js", "numbers.js", "axis.js", "charts.js", "sheet.js", "curves.js", "heading.js", "picture.js",
         "controls.js", "words.js", "layout.js", "kernel.js", "render.js")


# Of a slide, which shares the controls.
SLIDE_FILES = ("numbers.js", "controls.js", "kernel.js", "surroundings.js", "slide.js")


def _joined(names):
    """One module of several files, because anywidget takes one text and a page cannot import from the kernel."""
    return "\n".join(f"// {f' {name} ':-^114}\n\n{(HERE / name).read_text('utf-8')}" for name in names)


SCRIPT = _joined(FILES)
SLIDE = _joined(SLIDE_FILES)
STYLE = (HERE / "style.css").read_text("utf-8")
