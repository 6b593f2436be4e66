"""Write docs/kill_matrix.md: which mistakes the exercises and the ledger name, counted on the tests' own programs."""

import argparse
import io
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "kill_matrix.md"
sys.path[:0] = [str(ROOT / "tests" / "exercises"), str(ROOT / "tests" / "ledger")]

import programs  # noqa: E402
from loops.legitimate import LEGITIMATE  # noqa: E402
from loops.wrong import WRONG as LOOPS  # noqa: E402

from gradlab import exercises, pitfalls  # noqa: E402

INTRO = """# Kill matrix

<!-- Written by tools/kill_matrix.py from tests/exercises/programs and tests/ledger/loops: edit there. -->

Which mistake is named by which exercise, tested on programs that make it. A cell says how many programs with that
mistake were given its name, and no other, of how many were tried; each is written in its own way. The last column holds
whole training loops that were recorded and judged without knowing a right answer. An empty cell was not tried: the
mistake cannot be made there, or nothing there could show it.
"""
COUNT = tuple[int, int]  # how many came out as they should, and of how many


def page() -> str:
    """The whole page, in Markdown."""
    names = exercises.names()
    with redirect_stdout(io.StringIO()):  # some of the programs log
        named, right, unnamed = named_answers(), answered(programs.RIGHT), answered(programs.UNNAMED)
        loops, silent = named_loops(), silent_loops()
    sums = [total(count for (_, at), count in named.items() if at == name) for name in names]
    rows = [["Pitfall", *(f"`{name}`" for name in names), "recorded loops"], ["---"] * (len(names) + 2)]
    rows += [[f"[{id}](pitfalls.md#{id})", *(cell(named.get((id, name))) for name in names), cell(loops.get(id))]
             for id in pitfalls.ids()]
    rows += [["**all mistakes**", *map(cell, sums), cell(total(loops.values()))],
             ["**right answers called right**", *(cell(right.get(name)) for name in names), cell(silent)],
             ["**other wrong answers, told without a name**", *(cell(unnamed.get(name)) for name in names), ""]]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{INTRO}\n{table}\n\nThe right loops are those of which an error or a warning would be false.\n"


def named_answers() -> dict[tuple[str, str], COUNT]:
    """For each pitfall and exercise the wrong answers that were given the pitfall's name."""
    return counted(((program.pitfall, program.exercise), programs.verdict(program).pitfall == program.pitfall)
                   for program in programs.WRONG)


def answered(answers: Sequence[programs.Program]) -> dict[str, COUNT]:
    """For each exercise the right answers that are called right, or the wrong ones that get words and no name."""
    def well(program):
        told = programs.verdict(program)
        return told.pitfall is None and (program.says in told.message if program.says else bool(told))

    return counted((program.exercise, well(program)) for program in answers)


def named_loops() -> dict[str, COUNT]:
    """For each pitfall the recorded loops in which it is the first finding."""
    return counted((loop.pitfall, [found.pitfall for found in loop.run()[0].findings("info")][:1] == [loop.pitfall])
                   for loop in LOOPS)


def silent_loops() -> COUNT:
    """The legitimate loops of which no error and no warning is told."""
    return total(counted((loop.number, not loop.program().findings("warn")) for loop in LEGITIMATE).values())


def counted(outcomes) -> dict:
    """Pairs of a key and whether it came out well, counted by key."""
    well, tried = Counter(), Counter()
    for key, good in outcomes:
        well[key] += good
        tried[key] += 1
    return {key: (well[key], tried[key]) for key in tried}


def total(counts) -> COUNT:
    return tuple(map(sum, zip(*counts, strict=True)))


def cell(count: COUNT | tuple[()] | None) -> str:
    return f"{count[0]} of {count[1]}" if count else ""


def main(arguments: Sequence[str] | None = None, path: Path = PAGE) -> int:
    """Run the command line; returns the exit status, 1 for a page that is not fresh."""
    parser = argparse.ArgumentParser(description="Write docs/kill_matrix.md from the programs of the tests.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not fresh")
    torch.set_num_threads(1)
    if not parser.parse_args(arguments).check:
        path.write_text(page(), encoding="utf-8", newline="\n")
        return 0
    fresh = path.exists() and path.read_text(encoding="utf-8") == page()
    print(f"{path.name} is {'fresh' if fresh else 'not fresh; run tools/kill_matrix.py'}")
    return 0 if fresh else 1


if __name__ == "__main__":
    sys.exit(main())
