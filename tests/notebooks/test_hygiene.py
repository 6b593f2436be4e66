"""A stored notebook is fit for a reader on a code host and for strict nbval on any machine."""

import copy
import json
import tempfile
from pathlib import Path

import build_notebooks as tool
import nbformat
import pytest
from notebook_rules import WIDGET_VIEW, faults
from notebook_source import KERNELSPEC, render

STORED = sorted([*tool.LABS.glob("*.ipynb"), *(tool.LABS / "solutions").glob("*.ipynb")])


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.relative_to(tool.LABS).as_posix())
def test_a_stored_notebook_is_fit(path):
    # No notebook at all is test_freshness's affair: it names the labs that must exist.
    text = path.read_text(encoding="utf-8")
    assert faults(text) == []
    nbformat.validate(nbformat.reads(text, as_version=4))


@pytest.mark.parametrize("source", tool.sources(), ids=lambda source: source.stem)
def test_no_solution_reaches_the_learner(source):
    learner = {line.strip() for cell in render(source, False).cells for line in cell.source.splitlines()}
    for solved, stub in zip(render(source, True).cells, render(source, False).cells, strict=True):
        if solved.source != stub.source:
            kept = {line.strip() for line in solved.source.splitlines()}
            withheld = kept - {line.strip() for line in stub.source.splitlines()}
            assert withheld, f"{stub.id}: the stub replaces nothing"
            assert not withheld <= learner, f"{stub.id}: other cells show the whole solution"


# Each law can be broken, and is then reported.


def fit() -> dict:
    """A notebook without a fault: a text, a printed line, a picture and an expected error."""
    picture = {"image/png": "iVBORw0KGgo0x12345678", "text/plain": "<Figure size 640x480 with 1 Axes>"}
    outputs = [
        nbformat.v4.new_output("stream", text="loss: 2.05 (checked, rtol 0.02)\n"),
        nbformat.v4.new_output("display_data", picture),
        nbformat.v4.new_output("error", ename="KeyError", evalue="'x'", traceback=["KeyError: 'x'"]),
    ]
    cells = [nbformat.v4.new_markdown_cell("# Look", id="01-look")]
    for count, output in enumerate(outputs, 1):
        cell = nbformat.v4.new_code_cell(
            "run()", id=f"01-look_{count}", execution_count=count, outputs=[output]
        )
        cells.append(cell)
    cells[-1].metadata["tags"] = ["raises-exception"]
    metadata = {"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def test_a_notebook_without_a_fault_is_reported_fit():
    assert faults(json.dumps(fit())) == []


def data(book, **kinds):
    book.cells[2].outputs[0].data.update({kind.replace("_", "/", 1): value for kind, value in kinds.items()})


def say(book, text):
    book.cells[1].outputs[0].text = text


def strip(book):
    for cell in book.cells[1:]:
        cell.update(outputs=[], execution_count=None)


BREAKS = {
    "not run": ("execution counts", strip),
    "run twice": ("execution counts", lambda b: b.cells[1].update(execution_count=7)),
    "widget state": ("metadata is not just", lambda b: b.metadata.update(widgets={})),
    "language version": ("metadata is not just", lambda b: b.metadata.language_info.update(version="3.11")),
    "timing": ("metadata besides tags", lambda b: b.cells[1].metadata.update(execution={})),
    "repeated id": ("cell ids", lambda b: b.cells[1].update(id="01-look")),
    "missing id": ("cell ids", lambda b: b.cells[1].pop("id")),
    "malformed id": ("cell ids", lambda b: b.cells[1].update(id="01 look")),
    "stderr": ("stderr", lambda b: b.cells[1].outputs[0].update(name="stderr")),
    "unexpected error": ("not tagged raises-exception", lambda b: b.cells[3].metadata.pop("tags")),
    "memory address": ("machine", lambda b: say(b, "<object object at 0x7f5c0a1b2c3d>")),
    "address beside a picture": ("machine", lambda b: data(b, text_plain="<Panel at 0x7f5c0a1b2c3d>")),
    "address in HTML": ("machine", lambda b: data(b, text_html="<b>0x7F5C0A1B2C3D</b>")),
    "address in JSON": ("machine", lambda b: data(b, application_json={"at": "0x7f5c0a1b2c3d"})),
    "home folder": ("machine", lambda b: say(b, f"saved {Path.home()}/run.csv")),
    "temporary folder": ("machine", lambda b: say(b, f"saved {tempfile.gettempdir()}/run.csv")),
    "checkout": ("machine", lambda b: say(b, f"saved {tool.ROOT}")),
    "installed package": ("machine", lambda b: say(b, "lib/site-packages/torch")),
    "another's home": ("machine", lambda b: say(b, "saved /Users/ada/run.csv")),
    "Windows home": ("machine", lambda b: say(b, "saved C:\\Users\\ada")),
    "path in a traceback": ("machine", lambda b: b.cells[3].outputs[0].traceback.append("/home/ada/x.py:3")),
    "SVG": ("SVG", lambda b: data(b, **{"image_svg+xml": ["<svg/>"]})),
    "SVG in HTML": ("SVG", lambda b: data(b, text_html="<div><svg width=1></svg></div>")),
    "picture in HTML": ("inside HTML", lambda b: data(b, text_html='<img src="data:image/png;base64,iVBO">')),
    "picture without words": ("no text/plain", lambda b: b.cells[2].outputs[0].data.pop("text/plain")),
    "picture with empty words": ("no text/plain", lambda b: data(b, text_plain=" ")),
    "widget view": (
        "dead",
        lambda b: b.cells[2].outputs[0].data.update({WIDGET_VIEW: {"model_id": "a"}}),
    ),
    "solution marker": ("marker", lambda b: b.cells[1].update(source="a\n# END SOLUTION")),
    "too many cells": ("41 cells", lambda b: b.cells.extend(copy.deepcopy(b.cells[:1] * 37))),
    "too large": ("bytes, the limit", lambda b: data(b, image_png="A" * 1_000_000)),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_fault_is_reported(name):
    complaint, broken = BREAKS[name][0], fit()
    BREAKS[name][1](broken)
    assert any(complaint in fault for fault in faults(json.dumps(broken)))


def test_only_the_cell_of_a_question_may_be_folded():
    book = fit()
    book.cells[1].metadata["jupyter"] = {"source_hidden": True}
    assert any("metadata besides tags" in fault for fault in faults(json.dumps(book)))
    book.cells[1].metadata["tags"] = ["hide-input"]
    assert faults(json.dumps(book)) == []
    del book.cells[1].metadata["jupyter"]
    assert any("metadata besides tags" in fault for fault in faults(json.dumps(book)))
