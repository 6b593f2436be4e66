"""Build the notebooks: labs/source/NN_name.py -> labs/NN_name.ipynb and labs/solutions/NN_name.ipynb.

A source is a percent-format script. What stands between `# BEGIN SOLUTION` and `# END SOLUTION` is kept in
the solution notebook and becomes a stub that raises NotImplementedError in the learner's. Both are executed
here and stored with their outputs; nobody edits or executes them by hand.

Cell ids say where a cell stands: `01-clip-by-norm` is the cell with that heading in lab 01, and
`01-clip-by-norm_2` the second cell below it. A new cell therefore moves only the ids after it in its own
section, and none at all when its marker names it: `# %% id="probe"`.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from notebook_rules import WIDGET_VIEW, faults
from notebook_source import BuildError, render

ROOT = Path(__file__).resolve().parent.parent
LABS = ROOT / "labs"
MEMORY_LIMIT_MB = 900  # a free Binder machine promises 1 GB, and JupyterLab itself wants some of it

VARIANTS = (False, True)  # solved? first the learner's notebook, then the solution


class Cost(NamedTuple):
    """What one execution took: `seconds` of wall clock, and the kernel's peak memory, None where unknown."""

    seconds: float
    peak_mb: float | None


def sources(labs: Path = LABS) -> list[Path]:
    """The sources of a labs folder, in order."""
    return sorted((labs / "source").glob("*.py"))


def target(source: Path, solved: bool) -> Path:
    """The notebook that a source becomes: the solution notebook or the learner's."""
    labs = source.parent.parent
    return (labs / "solutions" if solved else labs) / f"{source.stem}.ipynb"


def execute(book: NotebookNode, name: str, timeout: float = 120) -> Cost:
    """Run all code cells of a notebook in a fresh kernel, in place, with a limit in seconds for each cell.

    The kernel works in an empty folder, where a relative path finds nothing and whatever a cell leaves behind
    is seen. So a notebook that comes through here behaves the same in labs/ and in labs/solutions/.
    Raises BuildError with the notebook, the cell and the end of the traceback.
    """
    # The folder may still be held by a dying kernel on Windows, hence ignore_cleanup_errors.
    with tempfile.TemporaryDirectory(prefix="lab-", ignore_cleanup_errors=True) as folder:
        client = NotebookClient(book, timeout=timeout, kernel_name="python3", record_timing=False)
        client.extra_arguments = ["--log-level=ERROR"]  # each kernel start warns about plain local sockets
        started = time.perf_counter()
        with client.setup_kernel(env=kernel_environment(), cwd=folder):
            for index, cell in enumerate(book.cells):
                try:
                    client.execute_cell(cell, index)
                except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                    raise BuildError(f"{name}, cell {cell.id}: {_last_lines(error)}") from None
            cost = Cost(time.perf_counter() - started, peak_memory_mb(client.km.provisioner.pid))
        if left := sorted(path.name for path in Path(folder).iterdir()):
            raise BuildError(f"{name}: a cell wrote {', '.join(left)} by a relative path; use tempfile")
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.from_dict(output) for output in tidy(cell.outputs)]
    return cost


def kernel_environment() -> dict[str, str]:
    """The kernel's environment: this checkout first, no progress bars, pictures in place of live panels."""
    checkout = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, checkout)),
        "GRADLAB_BUILD": "1",
        "GRADLAB_PROGRESS": "off",
    }


def peak_memory_mb(pid: int | None) -> float | None:
    """The most memory a process has held at once, in MB (10^6 bytes); None where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else None


def tidy(outputs: Sequence[NotebookNode]) -> Iterator[NotebookNode]:
    """The outputs without what differs from build to build although nothing changed."""
    last = None
    for output in outputs:
        # The kernel flushes a stream when it likes: two prints come as one output or as two.
        if last and last["output_type"] == "stream" and last["name"] == output.get("name"):
            last["text"] += output["text"]
            continue
        if last:
            yield last
        last = output
        if output["output_type"] == "error":  # an expected one; its frames name files of this machine
            output["traceback"] = [f"{output['ename']}: {output['evalue']}"]
        elif "data" in output:  # a view on a model that dies with this kernel
            output["data"].pop(WIDGET_VIEW, None)
    if last:
        yield last


def _last_lines(error: Exception, lines: int = 12) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()
    return "\n".join([type(error).__name__, *("    " + line for line in plain[-lines:])])


def facts(book: NotebookNode) -> list[object]:
    """What a notebook owes to its source: everything but the outputs."""
    return [book.metadata, *((c.get("id"), c.cell_type, c.source, c.metadata) for c in book.cells)]


def stale(labs: Path = LABS, only: Sequence[Path] | None = None) -> list[str]:
    """A sentence for each stored notebook that its source would not give now, or that has no source."""
    wanted = {target(source, solved): (source, solved) for source in sources(labs) for solved in VARIANTS}
    stored = {*labs.glob("*.ipynb"), *(labs / "solutions").glob("*.ipynb")}
    found = []
    for path in sorted(wanted.keys() | stored):
        source, solved = wanted.get(path, (None, None))
        name = path.relative_to(labs).as_posix()
        if only is not None and source not in only:
            continue
        if source is None:
            found.append(f"{name}: no source")
        elif not path.exists():
            found.append(f"{name}: not built")
        elif facts(nbformat.read(path, as_version=4)) != facts(render(source, solved)):
            found.append(f"{name}: differs from {source.name}")
    return found


# The command ------------------------------------------------------------------


def build(source: Path, store: bool = True, timeout: float = 120) -> list[tuple[Path, Cost, int]]:
    """Build both notebooks of a source; returns (target, cost, bytes) for each.

    Nothing is stored before both are known to be good, so a failing cell leaves the old pair in place. A
    source without a solution gives the same notebook twice, and is executed once: `execute` says why that is
    right. Raises BuildError.
    """
    built: list[tuple[Path, Cost, str]] = []
    learner = render(source, solved=False)
    before = nbformat.writes(learner)
    for solved in VARIANTS:
        path = target(source, solved)
        book = render(source, solved) if solved else learner
        if solved and nbformat.writes(book) == before:
            built.append((path, *built[0][1:]))
            continue
        name = path.relative_to(source.parent.parent).as_posix()
        cost = execute(book, name, timeout)
        text = nbformat.writes(book) + "\n"
        if wrong := faults(text):
            raise BuildError("\n    ".join([f"{name} ran, but is not fit to store:", *wrong]))
        built.append((path, cost, text))
    if store:
        for path, _, text in built:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(".ipynb.new")
            fresh.write_text(text, encoding="utf-8", newline="\n")
            os.replace(fresh, path)
    return [(path, cost, len(text.encode())) for path, cost, text in built]


def chosen(names: Sequence[str], labs: Path = LABS) -> list[Path]:
    """The sources meant by `01_clipping`, `01` or a path to either kind of file; all of them for no names."""
    every = sources(labs)
    meant = []
    for name in names:
        stem = Path(name).stem
        hits = [source for source in every if stem in (source.stem, source.stem.partition("_")[0])]
        if not hits:
            there_are = ", ".join(source.stem for source in every) or "none"
            raise BuildError(f"no lab is called '{name}'; there are: {there_are}")
        meant += hits
    return [source for source in every if source in meant] if names else every


def main(arguments: Sequence[str] | None = None, labs: Path = LABS) -> int:
    """Run the command line; returns the exit status, 1 for a failed build, a stale lab or too much memory."""
    parser = argparse.ArgumentParser(description="Build the notebooks in labs/ from labs/source/.")
    parser.add_argument("names", nargs="*", help="labs, as 01_clipping or 01 (default: all)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="execute nothing; list the stale notebooks")
    mode.add_argument(
        "--measure", action="store_true", help=f"store nothing; fail above {MEMORY_LIMIT_MB} MB of memory"
    )
    parser.add_argument("--timeout", type=float, default=120, help="seconds allowed to a cell (default: 120)")
    options = parser.parse_args(arguments)
    try:
        picked = chosen(options.names, labs)
        if options.check:
            found = stale(labs, picked if options.names else None)
            print("\n".join(found) if found else f"{len(picked)} labs are fresh")
            return 1 if found else 0
        over = False
        for source in picked:
            for path, cost, size in build(source, not options.measure, options.timeout):
                memory = "n/a" if cost.peak_mb is None else f"{cost.peak_mb:.0f} MB"
                name = path.relative_to(labs).as_posix()
                print(f"{name:<40} {cost.seconds:6.1f} s {memory:>8} {size:>10,} bytes", flush=True)
                over |= (cost.peak_mb or 0) > MEMORY_LIMIT_MB
        if over and options.measure:
            print(f"above the limit of {MEMORY_LIMIT_MB} MB", file=sys.stderr)
        return 1 if over and options.measure else 0
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
