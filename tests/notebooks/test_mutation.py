"""Strict nbval sees a change: a wrong number, a false claim or a wrong stored text turns its cell red."""

import os
import subprocess
import sys
import xml.etree.ElementTree as xml

import build_notebooks as tool
import nbformat
import pytest
from notebook_rules import faults
from notebook_source import render

SOURCE = """
# %%
from gradlab.check import check, claim

losses = [4.0, 3.0, 2.05]

# %%
check("last loss", losses[-1], 2.05)

# %%
check("first loss", losses[0], between=(3, 5))

# %%
claim("the loss fell", losses[-1] < losses[0])
"""


def unchanged(book):
    pass


def another_machine(book):
    rewrite(book, "2.05]", "2.0512345]")


def wrong_measurements(book):
    rewrite(book, "[4.0, 3.0, 2.05]", "[2.5, 3.0, 2.6]")


def wrong_statements(book):
    rewrite(book, "2.05)", "2.5)")
    rewrite(book, "(3, 5)", "(4.5, 5)")
    rewrite(book, "losses[-1] < losses[0]", "losses[-1] > losses[0]")


def wrong_stored_texts(book):
    for cell, (old, new) in zip(
        book.cells[1:], [("2.05", "2.06"), ("5", "6"), ("True", "False")], strict=True
    ):
        assert old in cell.outputs[0].text
        cell.outputs[0].text = cell.outputs[0].text.replace(old, new)


def lost_outputs(book):
    for cell in book.cells:
        cell.outputs = []


def stripped(book):
    for cell in book.cells:
        cell.update(outputs=[], execution_count=None)


def rewrite(book, old, new):
    cell = next(cell for cell in book.cells if old in cell.source)
    cell.source = cell.source.replace(old, new)


VARIANTS = {
    change.__name__: change
    for change in (unchanged, another_machine, wrong_measurements, wrong_statements)
    + (wrong_stored_texts, lost_outputs, stripped)
}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """For each variant of one notebook, what strict nbval says of its four cells: passed or not."""
    folder = tmp_path_factory.mktemp("mutation")
    source = folder / "labs" / "source" / "01_mutation.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE)
    tool.build(source)
    for name, change in VARIANTS.items():
        book = nbformat.read(tool.target(source, solved=True), as_version=4)
        change(book)
        (folder / name).mkdir()
        nbformat.write(book, folder / name / f"{name}.ipynb")
    report = folder / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval",
        "--nbval-current-env",
    ]
    done = subprocess.run(
        [*command, f"--rootdir={folder}", "-c", os.devnull, f"--junitxml={report}", *VARIANTS],
        env=tool.kernel_environment(),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert report.exists(), done.stdout + done.stderr
    cells = {name: [] for name in VARIANTS}
    for case in xml.parse(report).iter("testcase"):  # in the order they ran; a child says what went wrong
        name = next(name for name in VARIANTS if f"{name}.ipynb" in case.get("classname"))
        cells[name].append(case.find("failure") is None and case.find("error") is None)
    return cells


def test_what_is_still_true_stays_green(verdicts):
    assert verdicts["unchanged"] == [True] * 4


def test_another_measurement_within_the_tolerance_stays_green(verdicts):
    assert verdicts["another_machine"] == [True] * 4


@pytest.mark.parametrize(
    "name", ["wrong_measurements", "wrong_statements", "wrong_stored_texts", "lost_outputs"]
)
def test_a_wrong_number_bracket_or_claim_each_turns_its_own_cell_red(verdicts, name):
    assert verdicts[name] == [True, False, False, False]


def test_a_stripped_notebook_passes_nbval_and_is_caught_as_not_run(verdicts, tmp_path):
    # Once nbval compares un-run cells this fails, and the rule against them has lost its reason.
    assert verdicts["stripped"] == [True] * 4
    source = tmp_path / "01_mutation.py"
    source.write_text(SOURCE)
    book = render(source, solved=True)
    stripped(book)
    assert any("not run" in fault for fault in faults(nbformat.writes(book)))
