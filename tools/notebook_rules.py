"""What may be stored: everything that makes a notebook unfit for readers, for tests, or for other machines."""

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from notebook_source import CELL_ID, HIDDEN, KERNELSPEC, NEARLY_MARKER

ROOT = Path(__file__).resolve().parent.parent
SIZE_LIMIT = 1_000_000  # bytes; code hosts stop showing notebooks soon above this
CELL_LIMIT = 40
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}", re.IGNORECASE)
HERE = [str(path) for path in (ROOT, Path.home(), sys.prefix, tempfile.gettempdir())]
PRIVATE = re.compile(
    "|".join(
        [r"site-packages", r"ipykernel_\d+", r"/(home|Users)/\w", r"[A-Z]:\\+Users\\"]
        + [re.escape(path) + r"\b" for path in HERE if path != "/"]
    )
)


def faults(text: str) -> list[str]:
    """What makes a stored notebook, given as its JSON text, unfit for readers or tests; empty if fit."""
    book, size, found = json.loads(text), len(text.encode()), []
    if size > SIZE_LIMIT:
        found.append(f"{size:,} bytes, the limit is {SIZE_LIMIT:,}")
    if len(book["cells"]) > CELL_LIMIT:
        found.append(f"{len(book['cells'])} cells, the limit is {CELL_LIMIT}")
    if book["metadata"] != {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}:
        found.append(f"metadata is not just kernelspec and language name: {sorted(book['metadata'])}")
    ids = [cell.get("id", "") for cell in book["cells"]]
    if len(set(ids)) < len(ids) or not all(map(CELL_ID.match, ids)):
        found.append("cell ids are missing, malformed or repeated")
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code]
    if counts != list(range(1, len(code) + 1)):  # nbval passes a cell that was never run, whatever it prints
        found.append(f"cells not run, or not once each from the top: execution counts {counts}")
    for name, cell in zip(ids, book["cells"], strict=True):
        folded = {"jupyter": {"source_hidden": True}} if HIDDEN in cell["metadata"].get("tags", []) else {}
        if {key: value for key, value in cell["metadata"].items() if key != "tags"} != folded:
            found.append(f"cell {name}: metadata besides tags: {sorted(cell['metadata'])}")
        if NEARLY_MARKER.search("".join(cell["source"])):
            found.append(f"cell {name}: a solution marker is left")
        for output in cell.get("outputs", []):
            tags = cell["metadata"].get("tags", [])
            found += [f"cell {name}: {fault}" for fault in _output_faults(output, tags)]
    return found


def _output_faults(output: dict, tags: Sequence[str]) -> Iterator[str]:
    data = {kind: _joined(value) for kind, value in output.get("data", {}).items()}
    # A picture is base64, which may spell anything.
    words = [text for kind, text in data.items() if not kind.startswith("image/")]
    words += [_joined(output.get("text", "")), *output.get("traceback", [])]
    if output["output_type"] == "error" and "raises-exception" not in tags:
        yield f"it fails with {output['ename']}, and is not tagged raises-exception"
    if output.get("name") == "stderr":
        yield f"it writes to stderr: {_joined(output['text'])[:200]!r}"
    if WIDGET_VIEW in data:
        yield "it stores a widget's view, which is dead without its kernel"
    if "image/svg+xml" in data or "<svg" in data.get("text/html", ""):
        yield "it stores SVG, which carries a date and differs each time"
    if "base64," in data.get("text/html", ""):
        yield "it stores a picture inside HTML, which is then compared byte by byte"
    if any(kind.startswith("image/") for kind in data) and not data.get("text/plain", "").strip():
        yield "a picture has no text/plain beside it, for those who do not see it"
    if leak := ADDRESS.search("\n".join(words)) or PRIVATE.search("\n".join(words)):
        yield f"it shows something of the machine that built it: {leak[0]!r}"


def _joined(value: object) -> str:
    """One text from a value of a stored output, whose long texts are lists of lines."""
    return "".join(value) if isinstance(value, (str, list)) else json.dumps(value)
