"""Laws of the page's script: whole, one module, shipped with the package."""

import fnmatch
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from gradlab.live import page as live
from gradlab.predict import page, predict, recall

ROOT = Path(__file__).resolve().parents[2]


def test_every_file_is_in_the_script_once():
    assert sorted(page.FILES) == sorted(path.name for path in page.HERE.glob("*.js"))
    for folder, names in ((live.HERE, page.SHARED), (page.HERE, page.FILES)):
        for name in names:
            assert page.SCRIPT.count((folder / name).read_text("utf-8")) == 1
            assert len(re.findall(rf"^// -+ {re.escape(name)} -+$", page.SCRIPT, re.MULTILINE)) == 1
    assert predict("Q?", ["one", "two"])._esm == page.SCRIPT


def test_the_script_is_one_module_with_one_export_at_its_end():
    assert re.findall(r"^[ \t]*(?:import|export)\b.*", page.SCRIPT, re.MULTILINE) == ["export default {"]
    assert "export default" in (page.HERE / page.FILES[-1]).read_text("utf-8")


@pytest.mark.parametrize("name", page.FILES)
def test_a_file_begins_with_what_it_is_and_is_short(name):
    text = (page.HERE / name).read_text("utf-8")
    assert text.startswith("// ") and "Takes " in text[:400]
    assert text.count("\n") < 250 and max(map(len, text.splitlines())) <= 120
    assert "innerHTML" not in text  # the words of a question are text


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


def test_nothing_is_told_in_vain():
    used = set(re.findall(r"\bspec\.(\w+)", page.SCRIPT))
    for asked in (predict("Q?", ["one", "two"]), predict("Q?", between=(0, 1)), predict.sketch("Q?"),
                  recall("Q?", {"one": "", "two": ""}, "one")):
        assert used >= set(asked.spec)
        assert asked.spec["kind"] in page.SCRIPT.split("const view = {")[1].split("}")[0]
