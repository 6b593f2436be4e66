"""Laws of the page's script: whole, one module, shipped with the package, in the same colours as the picture."""

import fnmatch
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from gradlab import History
from gradlab.live import Panel, colours, page, still
from gradlab.plot import COLOURS

ROOT = Path(__file__).resolve().parents[2]


def test_every_file_is_in_the_script_once():
    assert {*page.FILES, *page.SLIDE_FILES} == {path.name for path in page.HERE.glob("*.js")}
    for name in page.FILES:
        assert page.SCRIPT.count((page.HERE / name).read_text("utf-8")) == 1
        assert len(re.findall(rf"^// -+ {re.escape(name)} -+$", page.SCRIPT, re.MULTILINE)) == 1
    assert Panel._esm == page.SCRIPT and Panel._css == page.STYLE


def test_the_script_is_one_module_with_one_export_at_its_end():
    words = re.findall(r"^[ \t]*(?:import|export)\b.*", page.SCRIPT, re.MULTILINE)
    assert words == ["export default {"]
    assert "export default" in (page.HERE / page.FILES[-1]).read_text("utf-8")


@pytest.mark.parametrize("name", sorted({*page.FILES, *page.SLIDE_FILES}))
def test_a_file_begins_with_what_it_is_and_is_short(name):
    text = (page.HERE / name).read_text("utf-8")
    assert text.startswith("// ") and "Takes " in text[:400]
    assert text.count("\n") < 250 and max(map(len, text.splitlines())) <= 120


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on PATH; tests/browser runs the script as well")
def test_the_script_is_good_javascript(tmp_path):
    script = tmp_path / "page.mjs"
    script.write_text(page.SCRIPT, "utf-8")
    checked = subprocess.run(["node", "--check", script], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr


def test_the_files_are_shipped():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    globs = setup["package-data"][page.__name__]
    assert (page.HERE / "__init__.py").exists()  # else it is no package of its own, and these globs match nothing
    for path in page.HERE.glob("*.*"):
        assert path.suffix == ".py" or any(fnmatch.fnmatch(path.name, glob) for glob in globs), path.name


def test_the_page_has_the_colours_of_the_picture(make_panel):
    spec = make_panel().spec
    assert tuple(spec["tints"]) == still.TINTS == colours.TINTS
    assert [spec["colours"][name] for name in ("blue", "vermillion", "green", "purple")] == list(COLOURS[:4])
    assert (still.BLUE, still.VERMILLION, still.GREEN, still.PURPLE) == COLOURS[:4]
    assert not [colour for colour in (*colours.TINTS, colours.BLUE, colours.VERMILLION) if colour in page.SCRIPT]


def test_the_page_means_what_the_picture_means(make_panel):
    assert re.findall(r"^const WINDOW = (\d+);", page.SCRIPT, re.MULTILINE) == [str(still.WINDOW)]
    assert set(re.findall(r"\bspec\.(\w+)", page.SCRIPT)) >= set(make_panel().spec)  # nothing is told in vain


def test_reference_lines_are_named_for_what_they_are(make_panel):
    [loss, *_] = still.still_figure(History(), floor=0.271).axes
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["lowest on average, 0.271"]
    names = re.findall(r'reference: \{ name: "([^"]*)"', page.SCRIPT)
    assert names == ["lowest on average", "one thousandth"]  # no target: healthy runs of this model lie above it
