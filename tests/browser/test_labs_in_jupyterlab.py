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
def test_a_lab_shows_its_picture_and_after_run_all_its_panel_answers_the_keyboard(browser, lab, open_notebook, book):
    folder, address = lab
    shutil.copy(book, folder)
    page = browser.new_page(viewport={"width": 1200, "height": 1100})
    facts = "document.querySelector('section.gradlab').dataset"
    move = f"() => {{ jupyterapp.shell.currentWidget.content.activeCellIndex = {panel_cell(book)} }}"
    try:
        open_notebook(page, address(book.name))
        page.evaluate(move)
        page.locator(f".jp-Notebook [data-windowed-list-index='{panel_cell(book)}'] img").first.wait_for(timeout=30_000)
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
        page.wait_for_timeout(500)
        page.evaluate(move)  # running all cells leaves the last one in view, and cells out of view are not drawn
        panel = page.locator("section.gradlab[data-status]").first
        panel.wait_for(timeout=120_000)
        assert panel.get_attribute("data-points") == "0"

        # The cells below are still computing: the panel has a thread of its own and answers all the same.
        panel.get_by_role("button", name="Run", exact=True).click()
        page.wait_for_function(f"+{facts}.points > 20", timeout=60_000)
        slider = panel.get_by_label("learning rate lr", exact=True)
        slider.focus()
        page.keyboard.press("ArrowLeft")
        moved = slider.get_attribute("aria-valuetext")
        page.wait_for_function(f"{facts}.lastLr === '{moved}'", timeout=30_000)
        points = int(panel.get_attribute("data-points"))
        page.wait_for_function(f"+{facts}.points > {points} + 10", timeout=30_000)

        panel.get_by_role("button", name="Pause", exact=True).click()
        page.wait_for_function(f"{facts}.status === 'paused' && {facts}.workers === '0'", timeout=30_000)
    finally:
        page.close()
