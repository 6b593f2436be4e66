"""A source becomes two notebooks, the same ones each time, or none."""

import ast
import json
import re
import textwrap
from pathlib import Path

import build_notebooks as tool
import nbformat
import pytest
from notebook_rules import WIDGET_VIEW, faults
from notebook_source import KERNELSPEC, BuildError, apply_solutions, render

SOLVED, LEARNER = True, False

EXERCISE = '''
# %% [markdown]
# # Clip by norm

# %%
from gradlab.check import check


def coefficient(norm, max_norm):
    """The factor for every gradient."""
    # BEGIN SOLUTION
    return min(1.0, max_norm / norm)
    # END SOLUTION


# %% tags=["raises-exception"]
check("coefficient", coefficient(4.0, 1.0), 0.25)
'''


def put(folder: Path, text: str, name: str = "01_demo") -> Path:
    source = folder / "labs" / "source" / f"{name}.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(textwrap.dedent(text).lstrip("\n"))
    return source


def texts(source: Path, solved: bool) -> list[str]:
    return [cell.source for cell in render(source, solved).cells]


def ids(source: Path) -> list[str]:
    return [cell.id for cell in render(source, LEARNER).cells]


# Solutions


def test_a_solution_is_kept_for_the_solver_and_withheld_from_the_learner():
    text = "a = 1\n# BEGIN SOLUTION\nb = 2\n\nc = 3\n# END SOLUTION\nd = 4"
    assert apply_solutions(text, SOLVED) == "a = 1\nb = 2\n\nc = 3\nd = 4"
    assert apply_solutions(text, LEARNER) == "a = 1\n# YOUR CODE HERE\nraise NotImplementedError\nd = 4"


def test_a_stub_stands_where_its_solution_stood_however_deep():
    text = (
        "class A:\n    def f(self):\n        if x:\n            # BEGIN SOLUTION\n            for i in y:\n"
        "                z()\n            # END SOLUTION\n        return 1"
    )
    stub = apply_solutions(text, LEARNER)
    assert (
        "        if x:\n            # YOUR CODE HERE\n            raise NotImplementedError\n        return 1"
        in stub
    )
    for solved in (LEARNER, SOLVED):
        ast.parse(apply_solutions(text, solved))


def test_two_solutions_in_one_cell_are_two_stubs():
    text = "\n".join(f"def f{i}():\n    # BEGIN SOLUTION\n    return {i}\n    # END SOLUTION" for i in (1, 2))
    assert apply_solutions(text, SOLVED) == "def f1():\n    return 1\ndef f2():\n    return 2"
    assert apply_solutions(text, LEARNER).count("raise NotImplementedError") == 2
    assert "return" not in apply_solutions(text, LEARNER)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# BEGIN SOLUTION\nx = 1", "without an END SOLUTION"),
        ("x = 1\n# END SOLUTION", "line 2: END SOLUTION without a BEGIN"),
        ("# BEGIN SOLUTION\nx = 1\n# BEGIN SOLUTION\ny = 1\n# END SOLUTION", "line 3: BEGIN SOLUTION, but"),
        ("# BEGIN SOLUTION\n\n# END SOLUTION", "no lines"),
    ],
)
def test_markers_that_do_not_pair_up_are_refused_with_their_place(text, complaint):
    for solved in (LEARNER, SOLVED):
        with pytest.raises(BuildError, match=f"lab.py, cell 3.*{complaint}"):
            apply_solutions(text, solved, "lab.py, cell 3")


@pytest.mark.parametrize(
    "line",
    ["#BEGIN SOLUTION", "# Begin solution", "# BEGIN SOLUTIONS", "### BEGIN SOLUTION", "# BEGIN_SOLUTION"]
    + ["# BEGIN SOLUTION (two lines)", "x = 1  # BEGIN SOLUTION", "# END  SOLUTION", "#### END: solution"],
)
def test_a_misspelt_marker_is_refused_since_it_would_give_the_solution_away(line):
    with pytest.raises(BuildError, match="nearly a marker"):
        apply_solutions(f"a = 1\n{line}\nb = 2", LEARNER)


def test_a_solution_does_not_reach_across_cells(tmp_path):
    source = put(tmp_path, "# %%\n# BEGIN SOLUTION\na = 1\n\n# %%\nb = 1\n# END SOLUTION\n")
    with pytest.raises(BuildError, match="01_demo.py, cell 01-top: BEGIN SOLUTION without"):
        render(source, LEARNER)


# Cells


def test_cells_keep_kind_text_and_tags_and_nothing_else(tmp_path):
    book = render(put(tmp_path, EXERCISE), SOLVED)
    assert [cell.cell_type for cell in book.cells] == ["markdown", "code", "code"]
    assert [dict(cell.metadata) for cell in book.cells] == [{}, {}, {"tags": ["raises-exception"]}]
    assert book.metadata == {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    nbformat.validate(book)


def test_the_code_of_a_question_is_folded_away_and_of_nothing_else(tmp_path):
    source = tmp_path / "01_x.py"
    source.write_text('# %% tags=["hide-input"]\nask()\n\n# %%\nrun()\n')
    asked, ran = render(source, False).cells
    assert asked.metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}} and ran.metadata == {}


@pytest.mark.parametrize("marker", ["tag=['x']", 'tag=["x"]', 'tags=["x" slow', 'hidden=true id="x"'])
def test_a_cell_marker_that_would_be_lost_is_refused(tmp_path, marker):
    with pytest.raises(BuildError, match="cannot read its marker"):
        render(put(tmp_path, f"# %% {marker}\nx = 1\n"), LEARNER)


def test_an_empty_cell_is_refused_since_it_would_never_count_as_run(tmp_path):
    with pytest.raises(BuildError, match="01-top_1: the cell is empty"):
        render(put(tmp_path, "# %%\nx = 1\n\n# %%\n\n# %%\ny = 1\n"), LEARNER)


def test_a_value_hidden_by_a_semicolon_is_refused_since_nbval_would_see_it(tmp_path):
    with pytest.raises(BuildError, match="01-top_1: the last ;"):
        render(put(tmp_path, "# %%\na = 1; b = 2\n\n# %%\nax.plot(x);\n"), LEARNER)


SECTIONS = ["# One", "a = 1", "b = 1", "## Two things: $x$", "c = 1", "d = 1", "# One", "e = 1"]
PROBE = '# %% id="probe"\nnew = 1'


def sections(folder: Path, cells: list[str]) -> Path:
    """A source with a cell for each text: as it stands, as markdown when it is a heading, else as code."""
    kinds = {"# %": "", "# ": "# %% [markdown]\n# ", "##": "# %% [markdown]\n# "}
    marks = (next((m for start, m in kinds.items() if cell.startswith(start)), "# %%\n") for cell in cells)
    return put(folder, "\n\n".join(mark + cell for mark, cell in zip(marks, cells, strict=True)))


def test_an_id_says_lab_section_and_place(tmp_path):
    assert ids(sections(tmp_path, SECTIONS)) == [
        *("01-one", "01-one_1", "01-one_2", "01-two-things-x", "01-two-things-x_1", "01-two-things-x_2"),
        *("01-one_3", "01-one_4"),
    ]


def test_a_comment_in_a_fenced_block_is_no_heading(tmp_path):
    fenced = "# %% [markdown]\n# Look:\n# ```python\n# # a comment\n# ```"
    assert ids(sections(tmp_path, ["# One", fenced, "a = 1"])) == ["01-one", "01-one_1", "01-one_2"]


def test_a_new_cell_renames_only_what_follows_it_in_its_section(tmp_path):
    before = ids(sections(tmp_path, SECTIONS))
    after = ids(sections(tmp_path, [*SECTIONS[:5], "new = 1", *SECTIONS[5:]]))
    assert set(after) - set(before) == {"01-two-things-x_3"}
    assert after[:5] == before[:5] and after[7:] == before[6:]


def test_a_new_cell_with_a_name_renames_nothing(tmp_path):
    before = ids(sections(tmp_path, SECTIONS))
    for place in range(1, len(SECTIONS)):
        after = ids(sections(tmp_path, [*SECTIONS[:place], PROBE, *SECTIONS[place:]]))
        assert after == [*before[:place], "probe", *before[place:]]


def test_ids_are_the_same_for_learner_and_solution_and_valid_for_any_heading(tmp_path):
    odd = ["# " + "Very long heading " * 9, "x = 1", "# ∇!", "## `a_b` / C++", "y = 1"]
    source = sections(tmp_path, odd)
    for solved in (LEARNER, SOLVED):
        book = render(source, solved)
        nbformat.validate(book)
        assert [cell.id for cell in book.cells] == ids(source)
        assert len({cell.id for cell in book.cells}) == len(book.cells)


@pytest.mark.parametrize("name", ["probe", "01-top", "no spaces", "x" * 65, ""])
def test_a_given_id_that_is_taken_or_malformed_is_refused(tmp_path, name):
    text = f'# %% id="probe"\na = 1\n\n# %%\nb = 1\n\n# %% id="{name}"\nc = 1\n'
    with pytest.raises(BuildError, match=f"cell id '{name}'"):
        render(put(tmp_path, text), LEARNER)


# Execution


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A labs folder after one build of EXERCISE, and what the build said."""
    source = put(tmp_path_factory.mktemp("built"), EXERCISE)
    return source, tool.build(source)


def test_both_notebooks_are_stored_executed_and_fit(built):
    source, report = built
    assert [path for path, _, _ in report] == [tool.target(source, LEARNER), tool.target(source, SOLVED)]
    for path, _, size in report:
        assert faults(path.read_text()) == [] and path.stat().st_size == size
    assert tool.stale(source.parent.parent) == []
    assert not list(source.parent.parent.rglob("*.new"))


def test_the_learner_meets_the_stub_and_the_solver_the_checked_number(built):
    def last_output(solved):
        return nbformat.read(tool.target(built[0], solved), as_version=4).cells[-1].outputs[0]

    assert last_output(SOLVED).text == "coefficient: 0.25 (checked, rtol 0.02)\n"
    assert last_output(LEARNER).ename == "NotImplementedError"
    assert "min(1.0" not in tool.target(built[0], LEARNER).read_text()


def test_an_expected_error_is_stored_without_the_files_of_this_machine(built):
    output = nbformat.read(tool.target(built[0], LEARNER), as_version=4).cells[-1].outputs[0]
    assert output.traceback == ["NotImplementedError: "]


def test_a_second_build_gives_the_same_bytes(built):
    before = {path: path.read_bytes() for path, _, _ in built[1]}
    tool.build(built[0])
    assert {path: path.read_bytes() for path in before} == before


def test_the_cost_of_a_run_is_its_seconds_and_the_kernels_memory(built):
    for _, cost, _ in built[1]:
        assert cost.seconds > 0
        if Path("/proc/self/status").exists():
            assert 20 < cost.peak_mb < 4000  # an idle kernel holds about 60 MB
        else:
            assert cost.peak_mb is None
    assert tool.peak_memory_mb(None) is None


BROKEN = """
# %%
fine = 1

# %% id="culprit"
def inner():
    return {}["missing"]
inner()
"""


def test_a_failing_cell_is_named_and_leaves_the_stored_notebooks_as_they_were(tmp_path):
    source = put(tmp_path, BROKEN)
    for solved in (LEARNER, SOLVED):
        tool.target(source, solved).parent.mkdir(parents=True, exist_ok=True)
        tool.target(source, solved).write_text("the old one")
    with pytest.raises(
        BuildError, match=r"(?s)01_demo\.ipynb, cell culprit: .*KeyError: 'missing'"
    ) as error:
        tool.build(source)
    assert "\x1b" not in str(error.value)
    assert {tool.target(source, solved).read_text() for solved in (LEARNER, SOLVED)} == {"the old one"}


HALF_BROKEN = """
# %%
def answer():
    # BEGIN SOLUTION
    return {}
    # END SOLUTION


try:
    answer()
except NotImplementedError:
    print("not attempted, as of {}")
"""


def test_a_solution_that_fails_holds_back_the_learners_notebook_too(tmp_path):
    source = put(tmp_path, HALF_BROKEN.format("1", "Monday"))
    tool.build(source)
    put(tmp_path, HALF_BROKEN.format("1 / 0", "Tuesday"))
    with pytest.raises(
        BuildError, match="solutions/01_demo.ipynb, cell 01-top: (?s:.*)ZeroDivisionError"
    ):
        tool.build(source)
    assert "Monday" in tool.target(source, LEARNER).read_text()


def test_a_notebook_that_runs_but_is_unfit_is_not_stored(tmp_path):
    source = put(tmp_path, '# %%\nimport sys\nprint(object())\nprint("warning", file=sys.stderr)\n')
    with pytest.raises(BuildError, match=r"(?s)not fit to store.*machine.*stderr"):
        tool.build(source)
    assert not tool.target(source, LEARNER).exists()


SURROUNDINGS = """
# %%
import os
import pathlib
import gradlab
print(os.environ["GRADLAB_BUILD"], os.environ["GRADLAB_PROGRESS"], sorted(pathlib.Path().iterdir()))
print(pathlib.Path(gradlab.__file__).resolve() == pathlib.Path(CHECKOUT))
"""


def test_a_kernel_sees_this_checkout_a_quiet_environment_and_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADLAB_PROGRESS", "on")
    path = repr(str(tool.ROOT / "gradlab" / "__init__.py"))
    source = put(tmp_path, SURROUNDINGS.replace("CHECKOUT", path))
    book = render(source, LEARNER)
    tool.execute(book, "demo")
    assert book.cells[0].outputs[0].text == "1 off []\nTrue\n"


@pytest.mark.parametrize(
    ("cell", "complaint"),
    [
        ('open("data.txt")', "FileNotFoundError"),
        ('open("left.txt", "w").close()', "left.txt by a relative path"),
    ],
)
def test_no_cell_may_rely_on_the_folder_of_its_notebook(tmp_path, cell, complaint):
    source = put(tmp_path, f"# %%\n{cell}\n")
    (source.parent.parent / "data.txt").write_text("beside the notebook")
    with pytest.raises(BuildError, match=complaint):
        tool.build(source)


def test_a_lab_without_solutions_is_executed_once_and_stored_twice(tmp_path, monkeypatch):
    runs = []
    real = tool.execute
    monkeypatch.setattr(
        tool, "execute", lambda book, name, limit: runs.append(name) or real(book, name, limit)
    )
    source = put(tmp_path, '# %% [markdown]\n# # Look\n\n# %%\nprint("one")\nprint("two")\n')
    tool.build(source)
    assert runs == ["01_demo.ipynb"]
    assert tool.target(source, LEARNER).read_bytes() == tool.target(source, SOLVED).read_bytes()
    assert nbformat.read(tool.target(source, SOLVED), as_version=4).cells[1].outputs[0].text == "one\ntwo\n"


def test_pieces_of_one_stream_are_one_output_and_a_dead_widget_view_is_none():
    def stream(text, name="stdout"):
        return nbformat.v4.new_output("stream", name=name, text=text)

    view = nbformat.v4.new_output(
        "display_data", {WIDGET_VIEW: {"model_id": "a1"}, "text/plain": "Slider()"}
    )
    tidied = list(
        tool.tidy([stream("a"), stream("b"), view, stream("c"), stream("d", "stderr"), stream("e")])
    )
    assert [out.get("text", out.get("data")) for out in tidied] == [
        "ab",
        {"text/plain": "Slider()"},
        "c",
        "d",
        "e",
    ]


# The command


def test_check_lists_what_is_stale_and_executes_nothing(tmp_path, built, capsys, monkeypatch):
    monkeypatch.setattr(tool, "execute", None)
    labs = built[0].parent.parent
    assert tool.main(["--check"], labs) == 0
    extra = put(labs.parent, "# %%\nx = 1\n", "02_new")
    try:
        assert tool.main(["--check"], labs) == 1
        assert "02_new.ipynb: not built" in capsys.readouterr().out
        assert tool.main(["--check", "01"], labs) == 0
    finally:
        extra.unlink()


def test_measure_stores_nothing_and_fails_above_the_memory_limit(tmp_path, capsys, monkeypatch):
    source = put(tmp_path, "# %%\nx = 1\n")
    labs = source.parent.parent
    monkeypatch.setattr(tool, "execute", lambda book, *_: _ran(book, peak_mb=899))
    assert tool.main(["--measure"], labs) == 0
    assert re.search(r"01_demo\.ipynb +1\.5 s +899 MB +\d+ bytes", capsys.readouterr().out)
    monkeypatch.setattr(tool, "execute", lambda book, *_: _ran(book, peak_mb=901))
    assert tool.main(["--measure"], labs) == 1
    monkeypatch.setattr(tool, "execute", lambda book, *_: _ran(book, peak_mb=None))
    assert tool.main(["--measure"], labs) == 0
    assert "n/a" in capsys.readouterr().out
    assert not tool.target(source, LEARNER).exists()


def _ran(book, peak_mb):
    for count, cell in enumerate((c for c in book.cells if c.cell_type == "code"), 1):
        cell.execution_count = count
    return tool.Cost(1.5, peak_mb)


def test_names_choose_labs_and_an_unknown_name_lists_the_known(tmp_path, capsys):
    first, second = put(tmp_path, "# %%\nx = 1\n", "01_a"), put(tmp_path, "# %%\nx = 1\n", "02_b")
    labs = first.parent.parent
    assert tool.chosen([], labs) == [first, second]
    for name in ("02", "02_b", "labs/02_b.ipynb", str(second)):
        assert tool.chosen([name], labs) == [second]
    assert tool.main(["03"], labs) == 1
    assert "no lab is called '03'; there are: 01_a, 02_b" in capsys.readouterr().err


def test_the_json_is_sorted_so_that_a_diff_shows_only_what_changed(built):
    text = tool.target(built[0], SOLVED).read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
