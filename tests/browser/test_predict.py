"""Predictions and questions in JupyterLab: a learner's hands, keyboard first."""

import json

import nbformat
import pytest

from gradlab.predict import predict

pytestmark = pytest.mark.parametrize("lab", ["perCommTarget"], indirect=True)  # the other one: test_live_panel.py

MALICE = "<img src=x onerror=alert(1)>"
SOURCES = [
    f"from gradlab.predict import predict, recall\nguess = predict('What does `max_norm=1` do? {MALICE}',"
    " ['nothing at all', 'it survives', 'it learns slowly'])\nguess",
    "guess.reveal('c')",
    "number = predict('What will the loss be?', between=(0, 4), unit='nats')\nnumber",
    "curve = predict.sketch('How will the loss fall?', x=(0, 150), y=(0, 4))\ncurve",
    "curve.forget()",
    "curve.reveal(([0, 150], [3, 1]))",
    "recall('Is it so?', {'yes': 'It is not.', 'no': 'It is `not`, indeed.', 'maybe': 'Never.'}, 'no')",
]
FOCUS = "document.activeElement"
STATE = """() => { const book = jupyterapp.shell.currentWidget.content;
  return [book.widgets.length, book.activeCellIndex, book.activeCell.model.type] }"""
STORM = """async root => {
  let seed = 1;
  const dice = n => (seed = (seed * 48271) % 2147483647) % n;
  for (let i = 0; i < 1000; i++) {
    const all = [...root.querySelectorAll('input[type=radio], button')];
    all[dice(all.length)].click();
    if (i % 50 === 0) await new Promise(resolve => setTimeout(resolve, 20));
  } }"""


@pytest.fixture(scope="module")
def book(lab):
    """A notebook that asks a question of each kind; the first is stored as the build stores it."""
    folder, address = lab
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[nbformat.v4.new_code_cell(source) for source in SOURCES])
    stored = predict("What does it do?", ["nothing at all", "it survives"])._repr_mimebundle_()[0]
    stored = {kind: stored[kind] for kind in ("text/plain", "text/html")}
    notebook.cells[0].outputs = [nbformat.v4.new_output("execute_result", stored, execution_count=1)]
    notebook.cells[0].execution_count = 1
    nbformat.write(notebook, folder / "predict.ipynb")
    return address("predict.ipynb")


@pytest.fixture(scope="module")
def lab_page(browser, book):
    """The notebook's page; all tests of this file share it, in order."""
    page = browser.new_page(viewport={"width": 1200, "height": 1900})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(f"{error}\n{error.stack}"))
    page.on("dialog", lambda dialog: page.errors.append(f"blob: a dialog opened: {dialog.message}"))
    yield page
    page.close()


@pytest.fixture
def hands(lab_page):
    return Hands(lab_page)


class Hands:
    """What a learner can do and see."""

    def __init__(self, page):
        self.page, self.press = page, page.keyboard.press

    def asked(self, kind):
        return self.page.locator(f"div.gl-ask-{kind}").first

    def run_cell(self, index):
        # braces: without them evaluate would await the command
        self.page.evaluate("index => { jupyterapp.shell.currentWidget.content.activeCellIndex = index }", index)
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-cell') }")

    def command(self, name, arguments="{}"):
        self.page.evaluate(f"() => {{ window.jupyterapp.commands.execute('{name}', {arguments}) }}")

    def wait(self, kind, *, timeout=30_000, **facts):
        condition = "".join(f"[data-{name}='{value}']" for name, value in facts.items())
        self.page.wait_for_selector(f"div.gl-ask-{kind}{condition}", timeout=timeout)

    def height(self, kind):
        return self.asked(kind).bounding_box()["height"]


def test_the_stored_question_is_read_without_running_anything(lab_page, book, open_notebook):
    open_notebook(lab_page, book)
    lab_page.locator(".jp-OutputArea-output li").filter(has_text="it survives").wait_for(timeout=30_000)
    assert lab_page.locator("div.gl-ask").count() == 0


def test_the_keyboard_chooses_and_commits_and_nothing_jumps(lab_page, hands):
    for index in (0, 2, 3, 6):
        hands.run_cell(index)
    hands.wait("choice", stage="open")
    hands.wait("recall", stage="asked")
    asked, before, keys = hands.asked("choice"), lab_page.evaluate(STATE), lab_page.keyboard
    height = hands.height("choice")
    asked.get_by_role("button", name="Commit").click()
    assert "Choose an option first" in asked.get_by_role("status").inner_text()
    asked.get_by_role("radio").first.focus()
    for key in ("j", "x", "d", "d", "m", "ArrowDown", "ArrowDown", "b"):  # JupyterLab cuts and moves cells with these
        keys.press(key)
    assert asked.get_by_role("radio", name="it survives").is_checked()
    keys.press("Tab")
    assert lab_page.evaluate(f"{FOCUS}.textContent") == "Commit"
    keys.press("Enter")
    hands.wait("choice", stage="committed", answer="1")
    assert asked.get_by_role("status").inner_text() == "✓ Committed: b."
    assert lab_page.evaluate(f"{FOCUS}.textContent") == "✓ Committed: b."  # the focus is not lost with the button
    assert asked.get_by_role("radio").first.is_disabled() and not asked.get_by_role("button").is_visible()
    assert asked.locator(".gl-option").nth(1).inner_text().endswith("predicted")
    assert hands.height("choice") == height
    assert lab_page.evaluate(STATE)[0] == before[0] and lab_page.locator(".jp-Dialog").count() == 0


def test_the_words_of_a_question_are_text_and_code_is_code(hands):
    asked = hands.asked("choice")
    assert asked.locator("legend code").inner_text() == "max_norm=1"
    assert MALICE in asked.locator("legend").inner_text() and asked.locator("img").count() == 0


def test_the_reveal_is_laid_over_the_prediction(lab_page, hands):
    height = hands.height("choice")
    hands.run_cell(1)
    hands.wait("choice", stage="revealed")
    assert hands.asked("choice").get_by_role("status").inner_text() == "You predicted b. It was c."
    assert hands.asked("choice").locator(".gl-option").nth(2).inner_text().endswith("what happened")
    assert hands.height("choice") == height
    drawn = lab_page.locator(".jp-OutputArea-output", has_text="(your prediction)")
    drawn.filter(has_text="(what happened)").wait_for()


def test_running_the_cell_again_keeps_the_prediction(lab_page, hands):
    hands.asked("choice").evaluate("root => root.dataset.old = 'yes'")
    hands.run_cell(0)
    lab_page.wait_for_selector("div.gl-ask-choice[data-stage='revealed'][data-answer='1']:not([data-old])")
    assert hands.asked("choice").get_by_role("radio", name="it survives").is_checked()


def test_a_number_outside_is_refused_in_words_and_one_inside_is_committed(hands):
    asked, height = hands.asked("number"), hands.height("number")
    box = asked.get_by_role("spinbutton", name="Your prediction")
    box.fill("9")
    hands.press("Enter")
    asked.get_by_role("status").filter(has_text="a number from 0 to 4 is asked for, got 9").wait_for()
    assert box.get_attribute("aria-invalid") == "true" and asked.get_attribute("data-stage") == "open"
    box.fill("1.2")
    hands.press("Enter")
    hands.wait("number", stage="committed", answer="1.2")
    assert asked.get_by_role("status").inner_text() == "✓ Committed: 1.2 nats."
    assert box.is_disabled() and hands.height("number") == height


def test_a_curve_is_sketched_by_keyboard_and_by_pointer(lab_page, hands):
    asked = hands.asked("sketch")
    height = hands.height("sketch")
    handle = asked.get_by_role("slider", name="expected loss at step 50", exact=True)
    asked.get_by_role("slider").first.focus()
    for key in ("ArrowUp", *["ArrowRight"] * 5, *["ArrowDown"] * 4):
        hands.press(key)
    assert (handle.get_attribute("aria-valuetext"), handle.get_attribute("tabindex")) == ("1.7", "0")
    assert asked.locator("svg").get_attribute("data-drawn") == "2"
    box = asked.locator("svg").bounding_box()
    mouse, (left, right) = lab_page.mouse, (box["x"] + 0.5 * box["width"], box["x"] + box["width"])
    mouse.move(left, box["y"] + 120)
    mouse.down()
    mouse.move(right, box["y"] + 180, steps=8)
    mouse.up()
    drawn = int(asked.locator("svg").get_attribute("data-drawn"))
    assert 8 < drawn < 16  # the right half, and the two points before it
    asked.get_by_role("button", name="Commit").click()
    hands.wait("sketch", stage="committed")
    steps, losses = json.loads(asked.get_attribute("data-answer"))
    assert len(steps) == drawn and (steps[:2], losses[:2]) == ([0, 50], [2.1, 1.7])
    assert steps[-1] == 150 and losses[2:] == sorted(losses[2:], reverse=True)
    assert "1.7 at 50" in asked.locator("svg").get_attribute("aria-label")
    assert hands.height("sketch") == height


def test_a_question_answers_at_once_and_may_be_tried_again(lab_page, hands):
    asked, height = hands.asked("recall"), hands.height("recall")
    said = asked.get_by_role("status")
    asked.get_by_text("yes", exact=True).click()
    assert said.inner_text() == "a: Not this one. It is not."
    hands.press("b")
    assert said.inner_text() == "b: Right. It is not, indeed."
    hands.press("ArrowUp")  # on the way to another option nothing is said
    hands.press("ArrowUp")
    assert said.inner_text() == "b: Right. It is not, indeed."
    said.filter(has_text="c: Not this one. Never.").wait_for()
    assert asked.locator(".gl-shown").inner_text() == "× Not this one. Never."
    hands.wait("recall", waiting="0", answer="2")
    assert hands.height("recall") == height
    assert asked.locator(".gl-feedback").bounding_box()["height"] < 60  # all feedback lies in one place


def test_two_views_agree(lab_page, hands):
    hands.run_cell(0)
    hands.run_cell(6)
    lab_page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 6 }")
    hands.command("notebook:create-output-view")
    lab_page.wait_for_function("document.querySelectorAll('div.gl-ask-recall').length === 2", timeout=20_000)
    lab_page.locator("div.gl-ask-recall").nth(1).get_by_text("maybe", exact=True).click()
    lab_page.wait_for_function("""[...document.querySelectorAll('div.gl-ask-recall')].every(view =>
      view.dataset.answer === '2' && view.querySelector('.gl-shown').textContent.includes('Never'))""")


def test_the_dark_theme_is_followed(lab_page, hands):
    for theme in ("dark", "light"):
        hands.command("apputils:change-theme", f"{{ theme: 'JupyterLab {theme.title()}' }}")
        lab_page.wait_for_function("theme => [...document.querySelectorAll('div.gl-ask')].every(view => "
                                   "view.dataset.theme === theme)", arg=theme, timeout=20_000)


def test_a_reload_brings_every_answer_back(lab_page, book, open_notebook, hands):
    lab_page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")  # else a reload shows the old output
    open_notebook(lab_page, book)
    for kind, facts in (("choice", {"stage": "revealed", "answer": "1"}), ("number", {"answer": "1.2"}),
                        ("sketch", {"stage": "committed"}), ("recall", {"answer": "2"})):
        lab_page.wait_for_selector(f"div.gl-ask-{kind}", timeout=60_000)
        hands.wait(kind, **facts)
    assert "1.7 at 50" in hands.asked("sketch").locator("svg").get_attribute("aria-label")


def test_forgetting_asks_anew_and_a_reveal_closes_an_open_question(lab_page, hands):
    asked = hands.asked("sketch")
    hands.run_cell(4)
    hands.wait("sketch", stage="open", answer="null")
    asked.get_by_role("slider").first.focus()
    hands.press("ArrowUp")
    assert asked.locator("svg").get_attribute("data-drawn") == "1"
    hands.run_cell(5)
    hands.wait("sketch", stage="revealed", answer="null")
    assert asked.get_by_role("status").inner_text() == \
        "No prediction was committed. Run this cell again to be asked anew."
    assert asked.locator("svg").get_attribute("data-drawn") == "0"
    assert asked.locator("[tabindex='0']").count() == 0
    lab_page.locator(".jp-OutputArea-output img").first.wait_for()


def test_a_thousand_clicks_do_no_harm(lab_page, hands):
    for kind in ("recall", "choice"):
        hands.asked(kind).evaluate(STORM)
        hands.wait(kind, waiting="0", timeout=90_000)  # every click is answered
    hands.wait("choice", stage="revealed", answer="1")
    hands.asked("recall").get_by_text("no", exact=True).click()
    hands.wait("recall", waiting="0", answer="1")
    assert [error for error in lab_page.errors if "blob:" in error] == []


def test_a_kernel_that_is_gone_is_told_in_words(lab_page, hands):
    hands.command("notebook:restart-kernel")
    lab_page.get_by_role("button", name="Confirm Kernel Restart").click(timeout=10_000)
    lab_page.wait_for_timeout(1500)
    asked = hands.asked("recall")
    asked.get_by_text("maybe", exact=True).click()
    asked.get_by_role("alert").filter(has_text="run this cell again").wait_for(timeout=10_000)
    assert asked.get_by_role("status").inner_text() == "c: Not this one. Never."  # which the page knows by itself
