"""The stored notebooks are what their sources give now, no fewer and no more."""

import shutil

import build_notebooks as tool
import nbformat
import pytest
from notebook_source import render

SOURCE = '# %% [markdown]\n# # Look\n\n# %% tags=["slow"]\nx = 1\n\n# %%\ny = 1\n'


def test_the_promised_labs_exist_for_learner_and_solver():
    for name in ("00_start", "01_clipping", "01b_less_than_you_think", "02_warmup",
                 "02b_room_on_the_slope", "03_accumulation", "04_mixed_precision", "05_vanishing_exploding",
                 "05b_what_the_norm_hides", "07_kernels"):
        for path in (tool.LABS / f"{name}.ipynb", tool.LABS / "solutions" / f"{name}.ipynb"):
            assert path.exists(), (
                f"{path.relative_to(tool.ROOT)} is missing; run tools/build_notebooks.py {name}"
            )


def test_every_stored_notebook_is_what_its_source_gives_now():
    # Outputs are not compared here: whether they still come out is what nbval tests.
    assert tool.stale() == [], "run tools/build_notebooks.py"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A labs folder with one lab, rendered but not executed; freshness does not look at outputs."""
    labs = tmp_path_factory.mktemp("fresh") / "labs"
    for folder in ("source", "solutions"):
        (labs / folder).mkdir(parents=True)
    source = labs / "source" / "01_look.py"
    source.write_text(SOURCE)
    for solved in tool.VARIANTS:
        nbformat.write(render(source, solved), tool.target(source, solved))
    return labs


@pytest.fixture
def labs(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "labs")


def test_an_unchanged_lab_is_fresh(labs):
    assert tool.stale(labs) == []


def test_outputs_do_not_make_a_lab_stale(labs):
    edit(labs, lambda book: book.cells[1].outputs.append(nbformat.v4.new_output("stream", text="hello\n")))
    assert tool.stale(labs) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("x = 1", "x = 2"), ("# # Look", "# # See"), ('["slow"]', '["fast"]'), (' tags=["slow"]', "")]
    + [("# %%\ny = 1\n", ""), ("# %%\ny", '# %% id="why"\ny'), ("# %%\ny", "# %% [markdown]\n# y")],
)
def test_any_change_of_a_source_makes_both_notebooks_stale(labs, old, new):
    source = labs / "source" / "01_look.py"
    assert old in SOURCE
    source.write_text(SOURCE.replace(old, new))
    assert tool.stale(labs) == [
        f"{folder}01_look.ipynb: differs from 01_look.py" for folder in ("", "solutions/")
    ]


@pytest.mark.parametrize(
    "by_hand",
    [
        lambda book: book.cells[1].update(source="x = 2"),
        lambda book: book.cells[1].update(id="mine"),
        lambda book: book.cells[1].metadata.update(collapsed=True),
        lambda book: book.metadata.update(widgets={}),
        lambda book: book.cells.pop(),
    ],
    ids=["text", "id", "cell metadata", "notebook metadata", "cell"],
)
def test_a_notebook_edited_by_hand_is_stale(labs, by_hand):
    edit(labs, by_hand)
    assert tool.stale(labs) == ["01_look.ipynb: differs from 01_look.py"]


def test_a_source_without_notebooks_and_a_notebook_without_a_source_are_named(labs):
    (labs / "source" / "01_look.py").rename(labs / "source" / "02_new.py")
    assert tool.stale(labs) == [
        "01_look.ipynb: no source",
        "02_new.ipynb: not built",
        "solutions/01_look.ipynb: no source",
        "solutions/02_new.ipynb: not built",
    ]


def edit(labs, change):
    path = labs / "01_look.ipynb"
    book = nbformat.read(path, as_version=4)
    change(book)
    nbformat.write(book, path)
