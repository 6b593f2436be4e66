"""From the source of a lab to its unexecuted notebook: solution markers, stubs and cell ids."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
MARKER = re.compile(r"^([ \t]*)# (BEGIN|END) SOLUTION$")
NEARLY_MARKER = re.compile(r"#\W*(BEGIN|END)[\W_]{0,3}SOLUTIONS?\b", re.IGNORECASE)
HIDDEN = "hide-input"  # the tag that Jupyter Book reads, too
HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)
CELL_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")  # what nbformat allows


class BuildError(Exception):
    """A source or a run that gives no notebook fit to store; the message names the notebook and the cell."""


def render(source: Path, solved: bool) -> NotebookNode:
    """The unexecuted notebook of a source. Raises BuildError for a source that cannot mean what it says."""
    # A blank line before the first marker would be an empty cell.
    read = jupytext.reads(source.read_text(encoding="utf-8").lstrip("\n"), fmt="py:percent")
    cells = []
    for cell, name in zip(read.cells, cell_ids(read.cells, source.stem), strict=True):
        where = f"{source.name}, cell {name}"
        if not cell.source.strip():
            raise BuildError(f"{where}: the cell is empty; remove its marker")
        if cell.cell_type == "code" and cell.source.rstrip().endswith(";"):
            # nbval runs cells without history, and without history IPython overlooks the semicolon.
            raise BuildError(
                f"{where}: the last ; does not hide the value in tests; write _ = in front instead"
            )
        strange = set(cell.metadata) - {"id", "tags", "title", "lines_to_next_cell"}
        if strange or "=" in cell.metadata.get("title", ""):
            raise BuildError(f'{where}: cannot read its marker; write # %% id="name" tags=["one", "two"]')
        is_code = cell.cell_type == "code"
        text = apply_solutions(cell.source, solved, where) if is_code else cell.source
        new = (nbformat.v4.new_code_cell if is_code else nbformat.v4.new_markdown_cell)(text, id=name)
        if tags := cell.metadata.get("tags"):
            new.metadata["tags"] = list(tags)
            if HIDDEN in tags:  # what a question's code would give away; JupyterLab folds it away
                new.metadata["jupyter"] = {"source_hidden": True}
        cells.append(new)
    book = nbformat.v4.new_notebook(cells=cells)
    book.nbformat_minor = 5  # the first version with cell ids
    book.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": {"name": "python"}})
    return book


def apply_solutions(text: str, solved: bool, where: str = "cell") -> str:
    """The text of a code cell with each marked solution kept (`solved`) or replaced by a stub.

    Raises BuildError when the markers do not pair up, or when a line is only nearly a marker: misspelt, it
    would hand the solution to the learner.
    """
    lines: list[str] = []
    indent: str | None = None  # the indentation of the open BEGIN
    body = 0  # its lines so far
    for number, line in enumerate(text.splitlines(), 1):
        found = MARKER.match(line.rstrip())
        here = f"{where}, line {number}"
        if not found:
            if NEARLY_MARKER.search(line):
                raise BuildError(
                    f"{here}: '{line.strip()}' is nearly a marker; write # BEGIN SOLUTION or # END SOLUTION, "
                    "alone on its line"
                )
            body += bool(line.strip())
            if indent is None or solved:
                lines.append(line)
        elif found[2] == "BEGIN":
            if indent is not None:
                raise BuildError(f"{here}: BEGIN SOLUTION, but the one before has no END SOLUTION")
            indent, body = found[1], 0
            if not solved:
                lines += [f"{indent}# YOUR CODE HERE", f"{indent}raise NotImplementedError"]
        else:
            if indent is None:
                raise BuildError(f"{here}: END SOLUTION without a BEGIN SOLUTION in the same cell")
            if not body:
                raise BuildError(f"{here}: the solution has no lines")
            indent = None
    if indent is not None:
        raise BuildError(f"{where}: BEGIN SOLUTION without an END SOLUTION in the same cell")
    return "\n".join(lines)


def cell_ids(cells: Sequence[NotebookNode], stem: str) -> list[str]:
    """An id for each cell, unique in its notebook: its marker's, else lab number, heading and count."""
    lab = stem.partition("_")[0]
    section, seen, ids = f"{lab}-top", Counter(), []
    for cell in cells:
        prose = cell.source.partition("```")[0] if cell.cell_type == "markdown" else ""
        heading = HEADING.search(prose)
        if heading:
            words = re.sub(r"[^a-z0-9]+", "-", heading[1].lower()).strip("-")
            section = f"{lab}-{words[:48].strip('-') or 'section'}"
        if "id" in cell.metadata:  # not counted: it can come and go without renaming its neighbours
            ids.append(str(cell.metadata["id"]))
        else:  # a heading that occurs twice goes on counting
            ids.append(f"{section}_{seen[section]}" if seen[section] else section)
            seen[section] += 1
    for name, times in Counter(ids).items():
        if times > 1 or not CELL_ID.match(name):
            trouble = f"is given to {times} cells" if times > 1 else "is not 1-64 of A-Z a-z 0-9 _ -"
            raise BuildError(f"{stem}.py: the cell id '{name}' {trouble}")
    return ids
