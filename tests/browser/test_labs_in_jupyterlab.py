"""The labs as a learner opens them: a picture before any run, and a panel that trains after running down to it."""

import json
import shutil
from pathlib import Path

import pytest

LABS = Path(__file__).resolve().parents[2] / "labs"
BOOKS = [path for name in ("00_start.ipynb", "01_clipping.ipynb") if (path := LABS / name).exists()]


def panel_cell(path):
    cells = json.loads(path.read_text())["cells"]
    code = [(i, "".join(cell["source"])) for i, cell in enumerate(cells) if cell["cell_type"] == "code"]
    return next(i for i, source in code if "explore(" in source)


@pytest.mark.parametrize("lab", ["perCommTarget"], indirect=True)  # the other setting: test_live_panel.py
@pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)
def test_a_lab_opens_with_its_picture_and_its_panel_trains(browser, lab, open_notebook, book):
    folder, address = lab
    shutil.copy(book, folder)
    page = browser.new_page(viewport={"width": 1200, "height": 1100})
    try:
        open_notebook(page, address(book.name))
        index = panel_cell(book)
        move = f"() => {{ jupyterapp.shell.currentWidget.content.activeCellIndex = {index} }}"
        page.evaluate(move)
        page.locator(f".jp-Notebook [data-windowed-list-index='{index}'] img").first.wait_for(timeout=30_000)
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-above') }")
        page.evaluate(move)
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell') }")
        panel = page.locator("section.gradlab[data-status]").first
        panel.wait_for(timeout=120_000)
        assert panel.get_attribute("data-points") == "0"
        panel.get_by_role("button", name="Run", exact=True).click()
        page.wait_for_function("+document.querySelector('section.gradlab').dataset.points > 20", timeout=30_000)
        panel.get_by_role("button", name="Pause", exact=True).click()
        page.wait_for_function("document.querySelector('section.gradlab').dataset.status !== 'running'", timeout=30_000)
    finally:
        page.close()
