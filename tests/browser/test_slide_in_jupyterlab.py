"""A picture with sliders in JupyterLab."""

import nbformat
import pytest

pytestmark = pytest.mark.parametrize("lab", ["perCommTarget"], indirect=True)  # the other one: test_live_panel.py

SOURCE = """
from gradlab import slide
from gradlab.plot import Picture

def draw(depth, shape, filled):
    picture = Picture("a line", width=6, height=2)
    picture.subplots().plot([0, depth if shape == "up" else -depth], linewidth=4 if filled else 1)
    return picture

slide(draw, depth=tuple(range(1, 101)), shape=("up", "down"), filled=True)
"""
STORM = """async root => {
  const range = root.querySelector('input[type=range]');
  for (let i = 0; i < 1000; i++) {
    range.value = (i * 37) % 100;
    range.dispatchEvent(new Event('input'));
    if (i % 10 === 0) await new Promise(requestAnimationFrame);
  }
  range.value = 41;
  range.dispatchEvent(new Event('input'));
}"""


@pytest.fixture(scope="module")
def lab_page(browser, lab):
    folder, address = lab
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[nbformat.v4.new_code_cell(SOURCE)])
    nbformat.write(notebook, folder / "slide.ipynb")
    page = browser.new_page(viewport={"width": 1100, "height": 1000})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.address = address("slide.ipynb")
    yield page
    page.close()


def settled(page, values):
    page.wait_for_function("""values => { const root = document.querySelector('div.gl-slide');
      return root && root.dataset.values === values && root.dataset.waiting === '0' }""", arg=values, timeout=30_000)


def test_it_shows_the_start_and_follows_keyboard_list_and_box(lab_page, open_notebook):
    open_notebook(lab_page, lab_page.address)
    lab_page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")
    settled(lab_page, '{"depth":1,"shape":"up","filled":true}')
    root = lab_page.locator("div.gl-slide").first
    assert root.locator("img.gl-slide-picture").get_attribute("alt") == "a line"
    root.locator("input[type=range]").focus()
    for _ in range(3):
        lab_page.keyboard.press("ArrowRight")
    settled(lab_page, '{"depth":4,"shape":"up","filled":true}')
    root.locator("select").select_option("down")
    root.locator("input[type=checkbox]").click()
    settled(lab_page, '{"depth":4,"shape":"down","filled":false}')
    assert root.locator("img.gl-slide-picture").evaluate("image => image.naturalWidth") > 500


def test_a_value_that_is_not_offered_is_refused_and_the_picture_stays(lab_page):
    root = lab_page.locator("div.gl-slide").first
    box = root.locator("input[type=number]")
    box.fill("1000")
    box.press("Enter")
    root.get_by_role("alert").filter(has_text="depth takes").wait_for()
    assert '"depth":4' in root.get_attribute("data-values")


def test_a_thousand_drags_end_at_the_last_with_few_pictures(lab_page):
    root = lab_page.locator("div.gl-slide").first
    before = int(root.get_attribute("data-pictures"))
    root.evaluate(STORM)
    settled(lab_page, '{"depth":42,"shape":"down","filled":false}')
    assert int(root.get_attribute("data-pictures")) - before < 900  # settings that were overtaken are not drawn
    assert not root.get_by_role("alert").is_visible() and lab_page.errors == []
