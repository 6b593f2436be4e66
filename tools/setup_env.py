"""Make .venv: torch, the course and its tools, in the versions of constraints.txt. Needs nothing but Python.

On Linux the package index serves torch as a CUDA build of several gigabytes, so torch comes first and alone,
in the build that this machine can use, and is looked at before anything else is installed.
"""

from __future__ import annotations  # so that an old Python gets as far as the message in main()

import argparse
import os
import platform
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = str(VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
CONSTRAINTS = str(ROOT / "constraints.txt")
PIP = [PYTHON, "-m", "pip", "install"]

# torch/version.py knows the build before the libraries that `import torch` needs are there.
ASK_TORCH = """
import importlib.util, pathlib, runpy
origin = importlib.util.find_spec("torch").origin
facts = runpy.run_path(str(pathlib.Path(origin).with_name("version.py")))
print(facts["__version__"].split("+")[0], "cuda" if facts["cuda"] else "rocm" if facts.get("hip") else "cpu")
"""


def run(command: list[str], quiet: bool = False) -> subprocess.CompletedProcess:
    """Run `command`; `quiet` keeps what it prints. Exit status 127: there is no such program."""
    try:
        return subprocess.run(command, capture_output=quiet, text=True)
    except FileNotFoundError as missing:
        return subprocess.CompletedProcess(command, 127, "", str(missing))


def must(command: list[str]) -> None:
    if run(command).returncode != 0:
        sys.exit(f"failed: {' '.join(command)}")


def make_venv() -> None:
    if run([PYTHON, "-m", "pip", "--version"], quiet=True).returncode == 0:
        return
    try:
        venv.create(VENV, clear=True, with_pip=True)
    except (subprocess.CalledProcessError, ImportError):
        sys.exit(f"{sys.executable} cannot make environments with pip (Debian: install python3-venv)")


def pinned_torch() -> str:
    return re.search(r"^torch==(\S+)", Path(CONSTRAINTS).read_text(), re.M)[1]


def choose_build(wanted: str) -> tuple[str, str]:
    """The build of torch to install, "cpu" or "cuda", and the reason."""
    if wanted != "auto":
        return wanted, f"TORCH={wanted}"
    answer = run(["nvidia-smi", "-L"], quiet=True)
    if answer.returncode == 0 and "GPU 0" in answer.stdout:
        return "cuda", "nvidia-smi lists a GPU; TORCH=cpu for the other"
    return "cpu", "nvidia-smi lists no GPU; TORCH=cuda for the other"


def installed_torch() -> tuple[str, str] | None:
    """(version, build) of the torch in .venv, such as ("2.13.0", "cpu")."""
    answer = run([PYTHON, "-c", ASK_TORCH], quiet=True)
    return tuple(answer.stdout.split()) if answer.returncode == 0 else None


def ways_to_get(version: str, build: str, system: str, index: str | None) -> list[list[list[str]]]:
    """What to try, in order; each way is a list of commands."""
    # No dependencies: they follow from constraints.txt, when it is certain that the right build is there.
    pip = [*PIP, "--no-deps", "--force-reinstall"]
    if index:
        return [[[*pip, "--index-url", index, f"torch=={version}"]]]

    def uv(backend: str) -> list[list[str]]:
        # uv knows where PyTorch publishes each build, so that nobody has to name the place.
        fetch = [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, "--no-deps", "--reinstall"]
        return [[*PIP, "-c", CONSTRAINTS, "uv"], [*fetch, f"--torch-backend={backend}", f"torch=={version}"]]

    if system == "Linux" and build == "cpu":
        # The package index cannot carry a "+cpu" version. pip finds one where the user's own configuration
        # offers it; elsewhere it fails within seconds.
        return [[[*pip, f"torch=={version}+cpu"]], uv("cpu")]
    if system == "Windows" and build == "cuda":
        return [uv("auto")]
    return [[[*pip, f"torch=={version}"]]]  # the index's own build: CUDA on Linux, CPU on macOS and Windows


ADVICE = """
What helps:
  TORCH_INDEX=URL   the address of a package index that serves the build you want
  TORCH=cuda        the default build on Linux: works without a GPU, takes several gigabytes
  TORCH=cpu         the build without CUDA"""


def outcome(way: list[list[str]], wanted: tuple[str, str], quiet: bool) -> str:
    """Go this way; "" if it brought the wanted torch, else what happened."""
    for command in way:
        status = run(command, quiet).returncode
        if status != 0:
            return f"{' '.join(command)}\n    exit status {status}"
    found = installed_torch()
    if found == wanted:
        return ""
    # The wrong build must not stay: its dependencies would be the several gigabytes.
    run([PYTHON, "-m", "pip", "uninstall", "-qy", "torch"])
    return f"{' '.join(way[-1])}\n    brought {' '.join(found or ['nothing'])}"


def install_torch(wanted: str, index: str | None) -> None:
    version, found = pinned_torch(), installed_torch()
    if found == (version, wanted) or (wanted == "auto" and found and found[0] == version):
        print(f"torch {version}: the {found[1]} build is in {VENV.name} already", flush=True)
        return
    build, reason = choose_build(wanted)
    print(f"torch {version}: the {build} build ({reason})", flush=True)
    tried, ways = [], ways_to_get(version, build, platform.system(), index)
    for way in ways:
        # Only the last way's failure is bad news; red letters from an earlier one would alarm for nothing.
        tried.append(outcome(way, (version, build), quiet=way is not ways[-1]))
        if not tried[-1]:
            return
    sys.exit("\n  ".join([f"No {build} build of torch {version} was found. Tried:", *tried]) + ADVICE)


def main(arguments: list[str] | None = None) -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - run directly, nothing else has checked it
        sys.exit(f"gradlab needs Python 3.11 or newer; {sys.executable} is {platform.python_version()}")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", choices=["auto", "cpu", "cuda"], default=os.environ.get("TORCH") or "auto")
    parser.add_argument("--extras", default="lab,test", help="lab, test or both: %(default)s")
    options = parser.parse_args(arguments)

    make_venv()
    install_torch(options.torch, os.environ.get("TORCH_INDEX"))
    print("The course and its tools follow: a minute or two", flush=True)
    must([*PIP, "-q", "-c", CONSTRAINTS, "-e", f"{ROOT}[{options.extras}]"])
    # Once now, so that the first training does not wait. If it fails all works the same: torch computes.
    run([PYTHON, "-m", "gradlab_kernels"])
    print(f"Ready. To open the labs: {PYTHON} -m jupyterlab labs/00_start.ipynb")


if __name__ == "__main__":
    main()
