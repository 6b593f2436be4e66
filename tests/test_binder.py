"""The Binder image, as far as it can be known without building it."""

import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"


def pins(path):
    lines = map(Requirement, re.findall(r"^\w[^#\n]*", path.read_text(), re.M))
    return {line.name: str(line.specifier) for line in lines}


@pytest.fixture
def pack(monkeypatch):
    """repo2docker's own reading of this repository."""
    app = pytest.importorskip("repo2docker.app").Repo2Docker()
    monkeypatch.chdir(ROOT)
    pack = next(pack for pack in (make(app.base_image) for make in app.buildpacks) if pack.detect())
    pack.platform = "linux/amd64"
    return pack


def test_repo2docker_reads_our_files(pack):
    assert (type(pack).__name__, pack.python_version) == ("PythonBuildPack", "3.12")
    assert any(script.endswith("binder/postBuild") for script in pack.get_post_build_scripts())
    assert pack.get_start_script().endswith("binder/start")


def test_packages_are_installed_before_the_repository_is_copied(pack):
    """Then they are a layer of their own, and a new commit does not install them again."""
    assert pack._should_preassemble_pip
    assert "binder/requirements.txt" in pack.get_preassemble_script_files()


def test_binder_installs_the_tested_versions():
    tested = pins(ROOT / "constraints.txt")
    ours = pins(BINDER / "requirements.txt")
    assert ours == {name: tested[name] for name in ours}


def test_binder_lacks_nothing_but_torch():
    """Because postBuild installs gradlab without looking for its dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + project["optional-dependencies"]["lab"]
    names = {Requirement(text).name for text in asked}
    assert names - set(pins(BINDER / "requirements.txt")) == {"torch"}


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts_can_run(name):
    script = BINDER / name
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/bin/bash\n")
    subprocess.run(["bash", "-n", script], check=True)


def test_a_failed_step_fails_the_build():
    assert "set -euo pipefail" in (BINDER / "postBuild").read_text()


def test_start_hands_over_to_jupyter_with_one_thread():
    command = [BINDER / "start", "sh", "-c", 'echo "$OMP_NUM_THREADS $0"', "a lab"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "1 a lab\n"


def test_the_kernels_are_compiled_for_the_image_as_they_will_be_asked_for():
    """With what start exports, or Numba would take another processor's code for none and compile again."""
    assert "binder/start python -m gradlab_kernels" in (BINDER / "postBuild").read_text().splitlines()
    command = [BINDER / "start", "sh", "-c", 'echo "$NUMBA_CPU_NAME $NUMBA_CPU_FEATURES $NUMBA_NUM_THREADS"']
    said = subprocess.run(command, capture_output=True, text=True).stdout
    assert said == ("x86-64-v3 +avx2 1\n" if platform.machine() == "x86_64" else "  1\n")


def test_the_images_processor_has_what_the_kernels_need():
    pytest.importorskip("numba")
    program = "import gradlab_kernels.engines as e; print(e.missing_for_cpu() or 'nothing is missing')"
    said = subprocess.run([BINDER / "start", sys.executable, "-c", program], capture_output=True, text=True)
    assert said.stdout == "nothing is missing\n", said.stderr


def test_jupyterlab_knows_the_settings_that_keep_it_quiet():
    """A renamed setting would be ignored without a word."""
    from jupyterlab.commands import get_app_dir

    overrides = json.loads((BINDER / "labconfig/default_setting_overrides.json").read_text())
    for setting, values in overrides.items():
        package, plugin = setting.split(":")
        schema = Path(get_app_dir()) / "schemas" / package / f"{plugin}.json"
        assert values.keys() <= json.loads(schema.read_text())["properties"].keys()


def test_every_badge_opens_a_file_that_exists():
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("no README.md")
    opened = re.findall(r"mybinder\.org/v2/gh/[^\s)]*urlpath=([^\s)&\"]+)", readme.read_text())
    assert opened, "no Binder badge"
    for path in map(unquote, opened):
        assert path.startswith("lab/tree/") and (ROOT / path.removeprefix("lab/tree/")).is_file(), path
