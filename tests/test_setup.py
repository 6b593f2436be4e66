"""The set-up: which torch is chosen, how it is got, and that a wrong one is refused."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import setup_env
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PINS = {
    canonicalize_name(line.name): line
    for line in map(Requirement, re.findall(r"^\w[^#\n]*", (ROOT / "constraints.txt").read_text(), re.M))
}
CPU, CUDA = ("2.13.0", "cpu"), ("2.13.0", "cuda")


class Machine:
    """A machine that installs nothing: it notes the commands, and those that a person hears of."""

    def __init__(self, monkeypatch, system="Linux", gpu=False, torch=None):
        self.commands, self.heard, self.torch, self.gpu, self.brings = [], [], torch, gpu, {}
        monkeypatch.setattr(setup_env, "run", self.run)
        monkeypatch.setattr(setup_env.platform, "system", lambda: system)
        monkeypatch.setattr(setup_env, "pinned_torch", lambda: "2.13.0")

    def run(self, command, quiet=False):
        """`brings` maps a word of a command to the torch it leaves; a torch install without one fails."""
        if setup_env.ASK_TORCH in command:
            return CompletedProcess(command, int(not self.torch), " ".join(self.torch or []))
        if command[0] == "nvidia-smi":
            return CompletedProcess(command, 0, "GPU 0: a card" if self.gpu else "No devices were found")
        self.commands.append(" ".join(command))
        self.heard += [] if quiet else [self.commands[-1]]
        if "uninstall" in command:
            self.torch = None
        elif command[-1].startswith("torch"):
            brought = [torch for word, torch in self.brings.items() if word in command]
            self.torch = brought[0] if brought else self.torch
            return CompletedProcess(command, int(not brought))
        return CompletedProcess(command, 0)


# Which build ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gpu, build", [(True, "cuda"), (False, "cpu")])
def test_auto_follows_the_gpu(monkeypatch, gpu, build):
    Machine(monkeypatch, gpu=gpu)
    assert setup_env.choose_build("auto")[0] == build


def test_auto_is_cpu_where_there_is_no_nvidia_smi(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup_env.choose_build("auto")[0] == "cpu"


@pytest.mark.parametrize("gpu", [True, False])
@pytest.mark.parametrize("build", ["cpu", "cuda"])
def test_an_explicit_choice_overrides_the_machine(monkeypatch, build, gpu):
    Machine(monkeypatch, gpu=gpu)
    assert setup_env.choose_build(build) == (build, f"TORCH={build}")


@pytest.mark.parametrize("arguments, variable, chosen", [
    ([], None, "auto"),
    ([], "", "auto"),
    ([], "cuda", "cuda"),
    (["--torch", "cpu"], "cuda", "cpu"),
])  # fmt: skip
def test_the_argument_beats_the_variable(monkeypatch, arguments, variable, chosen):
    seen = []
    monkeypatch.setattr(setup_env, "make_venv", lambda: None)
    monkeypatch.setattr(setup_env, "must", lambda command: None)
    monkeypatch.setattr(setup_env, "run", lambda command: None)
    monkeypatch.setattr(setup_env, "install_torch", lambda wanted, index: seen.append(wanted))
    monkeypatch.delenv("TORCH", raising=False)
    if variable is not None:
        monkeypatch.setenv("TORCH", variable)
    setup_env.main(arguments)
    assert seen == [chosen]


# How it is got ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted, present", [("cpu", CPU), ("cuda", CUDA), ("auto", CPU), ("auto", CUDA)])
def test_the_right_torch_is_left_alone(monkeypatch, capsys, wanted, present):
    machine = Machine(monkeypatch, torch=present, gpu=present == CPU)
    setup_env.install_torch(wanted, None)
    assert machine.commands == []
    assert capsys.readouterr().out == f"torch 2.13.0: the {present[1]} build is in .venv already\n"


@pytest.mark.parametrize("present", [None, ("2.12.0", "cpu"), CUDA])
def test_on_linux_pip_is_asked_for_the_local_version_first(monkeypatch, present):
    machine = Machine(monkeypatch, torch=present)
    machine.brings = {"torch==2.13.0+cpu": CPU}
    setup_env.install_torch("cpu", None)
    assert [command.split()[-1] for command in machine.commands] == ["torch==2.13.0+cpu"]


def test_on_linux_uv_follows_where_pip_finds_nothing(monkeypatch, capsys):
    machine = Machine(monkeypatch)
    machine.brings = {"--torch-backend=cpu": CPU}
    setup_env.install_torch("auto", None)
    pip, get_uv, uv = machine.commands
    assert pip.endswith("torch==2.13.0+cpu")
    assert get_uv.endswith("constraints.txt uv")
    assert "-m uv pip install" in uv and uv.endswith("torch==2.13.0")
    assert machine.heard == [get_uv, uv]
    assert "the cpu build (nvidia-smi lists no GPU" in capsys.readouterr().out


@pytest.mark.parametrize("system, build, word", [
    ("Linux", "cuda", "torch==2.13.0"),
    ("Windows", "cpu", "torch==2.13.0"),
    ("Darwin", "cpu", "torch==2.13.0"),
    ("Windows", "cuda", "--torch-backend=auto"),
])  # fmt: skip
def test_elsewhere_there_is_one_way(system, build, word):
    (way,) = setup_env.ways_to_get("2.13.0", build, system, index=None)
    assert word in way[-1]
    assert ("uv" in way[-1]) == word.startswith("--")


@pytest.mark.parametrize("build", ["cpu", "cuda"])
@pytest.mark.parametrize("system", ["Linux", "Windows", "Darwin"])
def test_an_index_of_the_users_choice_is_the_only_one_asked(system, build):
    ((command,),) = setup_env.ways_to_get("2.13.0", build, system, index="the-index")
    assert command[command.index("--index-url") + 1] == "the-index"


@pytest.mark.parametrize("index", [None, "the-index"])
@pytest.mark.parametrize("build", ["cpu", "cuda"])
@pytest.mark.parametrize("system", ["Linux", "Windows", "Darwin"])
def test_torch_comes_without_dependencies(system, build, index):
    """They are the gigabytes, and must wait until the build has been looked at."""
    for way in setup_env.ways_to_get("2.13.0", build, system, index):
        assert "--no-deps" in way[-1]


def test_no_way_to_the_cpu_build_on_linux_can_reach_the_default_one():
    for *_, last in setup_env.ways_to_get("2.13.0", "cpu", "Linux", index=None):
        assert last[-1].endswith("+cpu") or "--torch-backend=cpu" in last


# What is refused --------------------------------------------------------------------------------------------


def test_when_nothing_helps_the_error_says_what_was_tried_and_what_to_do(monkeypatch):
    Machine(monkeypatch)
    with pytest.raises(SystemExit) as error:
        setup_env.install_torch("cpu", None)
    for words in ["No cpu build of torch 2.13.0", "torch==2.13.0+cpu", "--torch-backend=cpu", "exit status 1",
                  "TORCH_INDEX=URL", "TORCH=cuda"]:  # fmt: skip
        assert words in str(error.value)


@pytest.mark.parametrize("wanted, brought", [("cpu", CUDA), ("cuda", CPU), ("cpu", ("2.12.0", "cpu"))])
def test_a_wrong_build_is_refused_and_removed(monkeypatch, wanted, brought):
    machine = Machine(monkeypatch)
    machine.brings = {"the-index": brought}
    with pytest.raises(SystemExit, match=f"brought {' '.join(brought)}"):
        setup_env.install_torch(wanted, "the-index")
    assert machine.torch is None


@pytest.mark.parametrize("lines, build", [
    ("__version__ = '2.13.0+cpu'\ncuda = None\nhip = None", "cpu"),
    ("__version__ = '2.13.0+cu130'\ncuda = '13.0'\nhip = None", "cuda"),
    ("__version__ = '2.13.0+rocm7.2'\ncuda = None\nhip = '7.2'", "rocm"),
    ("__version__ = '2.13.0'\ncuda = None", "cpu"),
])  # fmt: skip
def test_the_build_is_read_without_importing_torch(monkeypatch, tmp_path, lines, build):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("raise ImportError('its libraries are not there yet')")
    (tmp_path / "torch/version.py").write_text(lines)
    monkeypatch.setattr(setup_env, "PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert setup_env.installed_torch() == ("2.13.0", build)


def test_the_build_read_is_the_build_imported(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(setup_env, "PYTHON", sys.executable)
    version, build = setup_env.installed_torch()
    assert torch.__version__.split("+")[0] == version
    assert bool(torch.version.cuda) == (build == "cuda")


def test_without_torch_there_is_no_build(monkeypatch, tmp_path):
    monkeypatch.setattr(setup_env, "PYTHON", str(tmp_path / "python"))
    assert setup_env.installed_torch() is None


def test_an_old_python_is_told_its_version(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    monkeypatch.setattr(setup_env.platform, "python_version", lambda: "3.10.4")
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; .* is 3\.10\.4"):
        setup_env.main([])


def test_the_set_up_ends_with_compiling_the_kernels_and_outlives_its_failure(monkeypatch, capsys):
    machine = Machine(monkeypatch, torch=CPU)
    monkeypatch.setattr(setup_env, "make_venv", lambda: None)
    monkeypatch.setattr(setup_env, "run", lambda command, quiet=False: CompletedProcess(
        command, int("gradlab_kernels" in command), machine.run(command, quiet).stdout))  # fmt: skip
    setup_env.main(["--torch", "cpu"])
    install, warm = machine.commands
    assert "[lab,test]" in install and warm.endswith("-m gradlab_kernels")
    assert "Ready." in capsys.readouterr().out


def test_a_failed_install_ends_the_set_up(monkeypatch):
    monkeypatch.setattr(setup_env, "run", lambda command: CompletedProcess(command, 2))
    with pytest.raises(SystemExit, match="failed: pip install x"):
        setup_env.must(["pip", "install", "x"])


# Pins and names ---------------------------------------------------------------------------------------------


def direct_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]


@pytest.mark.parametrize("dependency", direct_dependencies())
def test_every_direct_dependency_is_pinned_within_its_range(dependency):
    asked = Requirement(dependency)
    (pin,) = PINS[canonicalize_name(asked.name)].specifier
    assert pin.operator == "==" and pin.version in asked.specifier


@pytest.mark.parametrize("local", ["", "+cpu", "+cu130"])
def test_the_torch_pin_fits_every_build(local):
    assert f"{setup_env.pinned_torch()}{local}" in PINS["torch"].specifier


def repository_files():
    """What is committed or about to be; in an unpacked archive there is no list to go by."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if answer.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in answer.stdout.split("\0") if (ROOT / name).is_file()]


def test_no_file_names_a_registry_or_a_place_on_one_machine():
    # Put together here, or this file would be the first to be found.
    hosts = [f"{name}.org" for name in ["pypi", "pythonhosted", "download.pytorch", "npmjs", "anaconda"]]
    folders = [f"/{name}/" for name in ["work", "tmp", "root"]]
    unwanted = re.compile("|".join(map(re.escape, hosts + folders)))
    picture = re.compile(r'"image/png": "[^"]*"')  # base64 may spell anything
    files = repository_files()
    assert ROOT / "pyproject.toml" in files
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files
        for match in unwanted.finditer(picture.sub("", path.read_text(errors="ignore")))
    }
    assert not found


# make -------------------------------------------------------------------------------------------------------


def make(*arguments, path=None):
    """make as a person starts it: untouched by the make that may be running this test."""
    makes_own = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHON", "TORCH"}
    environment = {name: value for name, value in os.environ.items() if name not in makes_own}
    environment["PATH"] = path or environment["PATH"]
    return subprocess.run(["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture
def no_browser(tmp_path):
    """A PATH with what the Makefile calls, and no browser."""
    for tool in ["make", "sh", "id", "awk", "printf", "rm", "touch", "test", "echo", "python3"]:
        if found := shutil.which(tool):
            (tmp_path / tool).symlink_to(found)
    return str(tmp_path)


TARGETS = ["venv", "lab", "test", "notebooks", "bench", "bench-kernels", "test-gpu", "lint", "clean", "help"]


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_can_be_planned(target):
    plan = make("-n", target)
    assert plan.returncode == 0, plan.stderr


def test_make_alone_lists_the_targets():
    listed = re.findall(r"^  make ([a-z-]+) +\S", make().stdout, re.M)
    assert set(TARGETS) <= set(listed)


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_of_any_name_is_used(no_browser, name):
    browser = Path(no_browser) / name
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    plan = make("-n", "test", path=no_browser).stdout
    assert "-m browser" in plan.splitlines()[-1] and "Left out" not in plan


def test_without_a_browser_one_line_says_what_is_left_out_and_how_to_get_it(no_browser):
    plan = make("-n", "test", path=no_browser).stdout
    assert "-m pytest" in plan.splitlines()[-1] and "-m no-browser" not in plan

    said = make("no-browser", path=no_browser).stdout
    assert said in plan.replace('echo "', "").replace('"\n', "\n")
    assert said.startswith("Left out") and "pytest -m browser" in said and "apt install chromium" in said
    assert said.count("\n") == 1


def test_a_missing_python_is_an_error_that_names_the_one_there_is(no_browser):
    old = Path(no_browser) / "python3"
    old.unlink()
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\n')
    old.chmod(0o755)
    failed = make("venv", "READY=never", path=no_browser)
    assert failed.returncode != 0
    assert "needs Python 3.11 or newer; python3 is: Python 3.9.1" in failed.stdout
