"""What drawing costs: steps per second under a panel that Chromium draws over those of `train()` alone.

    python -m pytest tests/bench/test_panel_drawing.py -s

Both run in one kernel of a real JupyterLab and take turns; Chromium draws on the same cores. Goal: 0.9 or more.
"""

import nbformat
import pytest

pytest_plugins = ["tests.browser.conftest"]

MEASURE = """
import statistics, time
from itertools import islice
from gradlab import train
from gradlab.run import one_thread

alone, steps, ratios = train(Recipe(steps=10**6)), 150, []
with one_thread():
    for turn in range(9):
        began = time.perf_counter()
        panel.run(steps)
        drawn = time.perf_counter()
        assert len(list(islice(alone, steps))) == steps
        if turn:  # the first turn warms up
            ratios.append((time.perf_counter() - drawn) / (drawn - began))
print(f"ratio {statistics.median(ratios):.3f} of {min(ratios):.3f} to {max(ratios):.3f} end")
"""


@pytest.mark.parametrize("lab", ["perCommTarget"], indirect=True)
def test_drawing_costs_little(browser, lab, open_notebook):
    folder, address = lab
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    show = "from gradlab import Recipe, explore\npanel = explore(Recipe(), max_steps=10**6, max_seconds=600)\npanel"
    sources = [show, MEASURE]
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(notebook, folder / "drawing.ipynb")
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    try:
        open_notebook(page, address("drawing.ipynb"))
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
        said = page.locator(".jp-OutputArea-output", has_text="ratio")
        said.first.wait_for(timeout=120_000)
        frames = int(page.locator("section.gradlab").first.get_attribute("data-frames"))
        ratio = said.first.inner_text().strip().removesuffix(" end")
        print(f"\nunder a panel that draws, {ratio} ({frames} frames drawn)")
        assert frames > 50
    finally:
        page.close()
