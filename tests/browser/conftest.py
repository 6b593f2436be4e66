"""A JupyterLab of our own and a Chromium to drive it. Without a Chromium all of this is skipped, with one line each."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
         "--disable-component-update --disable-sync --disable-dev-shm-usage --no-proxy-server").split()
# Too early a "run all" opens a "Select Kernel" dialog and nothing runs: the status icon is no proof of a connection.
CONNECTED = """() => { const context = window.jupyterapp?.shell?.currentWidget?.sessionContext;
  return context?.isReady && context.session?.kernel?.connectionStatus === 'connected'
    && context.session.kernel.status === 'idle' }"""


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def browser():
    """A running Chromium."""
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        running = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


# Widget messages are handled on a kernel subshell by default and on the main thread where that is switched off.
@pytest.fixture(scope="module", params=["perCommTarget", "disabled"])
def lab(request, browser, tmp_path_factory):
    """The folder and the address of a JupyterLab that shares no setting, port or token with the user's own."""
    home = tmp_path_factory.mktemp("jupyter")
    books = home / "books"
    books.mkdir()
    (home / "labconfig").mkdir()
    (home / "labconfig" / "default_setting_overrides.json").write_text(json.dumps({
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": request.param}}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(home),
           "PYTHONPATH": str(ROOT)}
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"):
        env[name] = str(home / name)
    log = home / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
             "--ServerApp.port_retries=0", "--IdentityProvider.token=gl", f"--ServerApp.root_dir={books}",
             "--LabApp.expose_app_in_browser=True"], env=env, stdout=out, stderr=subprocess.STDOUT)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy would swallow localhost
        try:
            for _ in range(200):
                try:
                    direct.open(f"http://127.0.0.1:{port}/api", timeout=2).close()
                    break
                except OSError:
                    assert server.poll() is None, log.read_text()
                    time.sleep(0.3)
            else:
                pytest.fail(f"JupyterLab did not answer within a minute:\n{log.read_text()}")
            yield books, lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}?reset&token=gl"
        finally:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:  # on a busy machine it waits long for its kernels
                server.kill()
                server.wait()


@pytest.fixture
def open_notebook():
    """Opens a notebook in a page and waits until its kernel is really connected."""
    def open_(page, address):
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.wait_for_function(CONNECTED, timeout=60_000)
        return page

    return open_
