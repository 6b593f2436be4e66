"""The live panel in JupyterLab: a learner's hands, keyboard first."""

import statistics

import nbformat
import pytest

from gradlab import Recipe
from gradlab.live import explore

SOURCES = ["from gradlab import Recipe\nfrom gradlab.live import explore",
           "panel = explore(Recipe(n_layers=2), 'norm', floor=0.271)\npanel"]
RECIPE = Recipe(n_layers=2, steps=40)
ROOT = "document.querySelector('section.gradlab')"
FACTS = f"{ROOT}.dataset"

WATCH = """root => { const seen = window.latencies = []; let pressed = 0;
  addEventListener('keydown', () => { pressed = performance.now(); }, true);
  new MutationObserver(() => { if (pressed) { seen.push(performance.now() - pressed); pressed = 0; } })
    .observe(root, { attributes: true, attributeFilter: ['data-last-lr'] }); }"""

STORM = """async ([root, count]) => {
  let seed = 1;
  const dice = n => (seed = (seed * 48271) % 2147483647) % n;
  const sliders = [...root.querySelectorAll('input[type=range]')];
  const others = [...root.querySelectorAll('.gl-buttons button, input[data-switch], select')];
  for (let i = 0; i < count; i++) {
    if (dice(2)) {
      const slider = sliders[dice(sliders.length)];
      slider.value = dice(+slider.max + 1);
      slider.dispatchEvent(new Event('input', { bubbles: true }));
    } else {
      const other = others[dice(others.length)];
      if (other.matches('select')) {
        other.selectedIndex = dice(other.options.length);
        other.dispatchEvent(new Event('change', { bubbles: true }));
      } else other.click();
    }
    if (i % 10 === 0) await new Promise(resolve => setTimeout(resolve, 20));
  } }"""


@pytest.fixture(scope="module")
def book(lab, tmp_path_factory):
    """A notebook with one panel, stored as the build stores it: executed, with the picture of a real run."""
    folder, address = lab
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADLAB_BUILD", "1")
        panel = explore(RECIPE, "norm", floor=0.271)
        data, metadata = panel._repr_mimebundle_()
        panel.close()
    for count, source in enumerate(SOURCES, 1):
        notebook.cells.append(nbformat.v4.new_code_cell(source, execution_count=count))
    notebook.cells.append(nbformat.v4.new_markdown_cell("The end."))
    notebook.cells[1].outputs = [nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=2)]
    nbformat.write(notebook, folder / "book.ipynb")
    return address("book.ipynb")


@pytest.fixture(scope="module")
def lab_page(browser, book):
    """The notebook's page, with the panel made and nothing run; all tests of this file share it, in order."""
    page = browser.new_page(viewport={"width": 1200, "height": 1100})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(f"{error}\n{error.stack}"))
    yield page
    page.close()


@pytest.fixture
def panel(lab_page):
    return Hands(lab_page)


class Hands:
    """What a learner can do and see."""

    def __init__(self, page):
        self.page, self.root = page, page.locator("section.gradlab").first

    def press(self, name):
        self.root.get_by_role("button", name=name, exact=True).click()

    def wait(self, condition, timeout=20_000):
        self.page.wait_for_function(condition.replace("facts", FACTS), timeout=timeout)

    def facts(self):
        return self.root.evaluate("root => ({ ...root.dataset })")

    def fresh(self):
        """Reset and run, until there are some points."""
        self.press("Reset")
        self.wait("facts.points === '0'")
        self.press("Run")
        self.wait("+facts.points > 10")

    def command(self, name, arguments="{}"):
        # braces: without them evaluate would await the command, which may be a whole run
        self.page.evaluate(f"() => {{ window.jupyterapp.commands.execute('{name}', {arguments}) }}")


def test_the_stored_picture_shows_before_any_run_and_nothing_trains(lab_page, book, open_notebook, panel):
    open_notebook(lab_page, book)
    lab_page.wait_for_selector(".jp-OutputArea-output img", timeout=30_000)
    panel.command("notebook:run-all-cells")
    panel.root.wait_for(timeout=90_000)
    panel.wait("facts.status === 'idle' && facts.workers === '0'")
    assert panel.facts()["points"] == "0"


def test_the_keyboard_steers_a_run_while_it_trains(lab_page, panel):
    panel.fresh()
    slider = panel.root.get_by_label("learning rate lr", exact=True)
    slider.focus()
    lab_page.keyboard.press("ArrowLeft")
    panel.wait("facts.lastLr === '0.28'")
    assert slider.get_attribute("aria-valuetext") == "0.28"
    points = int(panel.facts()["points"])
    panel.wait(f"+facts.points > {points} + 10")
    panel.root.evaluate(WATCH)
    for count in range(12):
        lab_page.keyboard.press("ArrowRight" if count % 2 else "ArrowLeft")
        lab_page.wait_for_function(f"latencies.length > {count}", timeout=20_000)
    latencies = lab_page.evaluate("latencies")
    print(f"\nkey press -> first drawn point with the new value: median {statistics.median(latencies):.0f} ms, "
          f"most {max(latencies):.0f} ms")
    panel.press("Pause")
    panel.wait("facts.status === 'paused' && facts.workers === '0'")


def test_the_exact_value_and_the_switch_act_at_once(lab_page, panel):
    panel.fresh()
    panel.root.get_by_label("clipping threshold max_norm, exact value").fill("0.123")
    lab_page.keyboard.press("Enter")
    panel.wait("facts.lastMaxNorm === '0.123'")
    panel.root.get_by_label("clip gradients at").uncheck()
    panel.wait("facts.lastMaxNorm === 'off'")
    panel.root.get_by_label("clip gradients at").check()
    panel.wait("facts.lastMaxNorm === '0.123'")
    panel.press("Pause")


def test_keys_pressed_in_the_panel_are_not_jupyterlabs(lab_page, panel):
    panel.press("Step")  # the cell is selected, the notebook in command mode
    state = """() => { const book = jupyterapp.shell.currentWidget.content;
      return [book.widgets.length, book.activeCellIndex, book.activeCell.model.type] }"""
    before = lab_page.evaluate(state)
    panel.root.get_by_label("learning rate lr", exact=True).focus()
    for key in ("ArrowDown", "ArrowUp", "j", "k", "b", "a", "d", "d", "x", "m", "0", "0"):
        lab_page.keyboard.press(key)
    assert lab_page.evaluate(state) == before
    assert lab_page.locator(".jp-Dialog").count() == 0


def test_every_control_is_reached_with_tab_and_has_a_name(lab_page, panel):
    panel.root.get_by_label("learning rate lr, exact value").focus()
    names = []
    for _ in range(18):
        names.append(lab_page.evaluate("""() => { const e = document.activeElement;
          return e.closest('section.gradlab')
            && (e.ariaLabel || e.labels?.[0]?.textContent || e.textContent).trim() }"""))
        lab_page.keyboard.press("Tab")
    for name in ("learning rate lr", "clipping threshold max_norm", "norm placement norm", "Run", "Pause", "Step",
                 "Reset", "Pin", "share string of these settings", "Copy", "share string to load", "Load", "Table"):
        assert name in names, names


def test_step_makes_one_update_and_pins_stay(lab_page, panel):
    panel.press("Reset")
    panel.wait("facts.points === '0'")
    for count in (1, 2):
        panel.press("Step")
        panel.wait(f"facts.points === '{count}' && facts.status === 'paused'")
    panel.press("Pin")
    panel.wait("facts.pins === '1'")
    panel.press("Reset")
    panel.wait("facts.points === '0'")
    assert panel.facts()["pins"] == "1"
    panel.root.get_by_role("button", name="Clear pins").click()
    panel.wait("facts.pins === '0'")


def test_a_bad_share_string_is_answered_in_words(lab_page, panel):
    panel.root.get_by_label("share string to load").fill("g1,lr=fast")
    panel.press("Load")
    alert = panel.root.get_by_role("alert").filter(has_text="lr in a share string")
    alert.wait_for(timeout=10_000)
    panel.root.get_by_label("share string to load").fill("g1,lr=0.5,n_layers=2")
    panel.press("Load")
    alert.wait_for(state="hidden", timeout=10_000)
    assert panel.root.get_by_label("learning rate lr, exact value").input_value() == "0.5"


def test_the_table_tells_the_last_steps(lab_page, panel):
    panel.fresh()
    panel.press("Pause")
    panel.wait("facts.status === 'paused'")
    panel.press("Table")
    rows = panel.root.locator("tbody tr")
    rows.first.wait_for(timeout=10_000)
    assert rows.first.locator("td").first.inner_text() == str(int(panel.facts()["points"]) - 1)
    panel.press("Table")


def test_the_dark_theme_is_drawn(lab_page, panel):
    panel.command("apputils:change-theme", "{ theme: 'JupyterLab Dark' }")
    panel.wait("facts.theme === 'dark'")
    colours = panel.root.locator("canvas").evaluate("""canvas => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), seen = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) seen.add(data.slice(i, i + 3).join());
      return seen.size }""")
    assert colours > 20
    assert len(panel.root.screenshot()) > 20_000
    panel.command("apputils:change-theme", "{ theme: 'JupyterLab Light' }")
    panel.wait("facts.theme === 'light'")


def test_who_asked_for_less_motion_gets_two_frames_a_second(lab_page, panel):
    lab_page.emulate_media(reduced_motion="reduce")
    panel.fresh()
    frames, points = (int(panel.facts()[name]) for name in ("frames", "points"))
    lab_page.wait_for_timeout(2000)
    assert int(panel.facts()["frames"]) - frames <= 5 and int(panel.facts()["points"]) > points
    panel.press("Pause")
    lab_page.emulate_media(reduced_motion="no-preference")


def test_a_second_view_shows_the_same_run(lab_page, panel):
    panel.fresh()
    lab_page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 1 }")
    panel.command("notebook:create-output-view")
    lab_page.wait_for_function("document.querySelectorAll('section.gradlab').length === 2", timeout=20_000)
    lab_page.wait_for_function(
        "[...document.querySelectorAll('section.gradlab')].every(view => +view.dataset.points > 20)", timeout=20_000)
    panel.press("Pause")
    lab_page.wait_for_function("""() => { const [one, two] = document.querySelectorAll('section.gradlab');
      return one.dataset.status === 'paused' && two.dataset.status === 'paused'
        && one.dataset.points === two.dataset.points }""", timeout=20_000)


def test_a_reload_brings_the_run_back(lab_page, panel):
    panel.fresh()
    panel.press("Pause")
    panel.wait("facts.status === 'paused' && facts.workers === '0'")
    points = panel.facts()["points"]
    lab_page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")  # else a reload shows the old output
    lab_page.reload()
    lab_page.wait_for_selector(f"section.gradlab[data-points='{points}'][data-status='paused']", timeout=60_000)


def test_a_thousand_events_leave_one_worker_at_most(lab_page, panel):
    panel.wait("facts.status !== undefined")
    lab_page.evaluate(STORM, [panel.root.element_handle(), 1000])
    # Playwright would wait for an enabled button, and the dice may have left a run that is over.
    panel.root.locator(".gl-pause").evaluate("button => button.click()")
    panel.wait("facts.waiting === '0'", 60_000)  # every event is answered
    panel.wait("facts.workers === '0' && facts.status !== 'running'")
    assert panel.root.locator(".gl-error:visible").count() == 0
    panel.root.get_by_label("learning rate lr, exact value").fill("0.1")  # a rate that trains whatever the dice left
    lab_page.keyboard.press("Enter")
    panel.fresh()
    assert panel.facts()["workers"] == "1"
    panel.press("Pause")
    panel.wait("facts.workers === '0'")
    # The panel's script comes from a blob; JupyterLab's own scripts are none of our business.
    assert [error for error in lab_page.errors if "blob:" in error] == []


def test_a_dead_kernel_is_told_in_words(lab_page, panel):
    panel.command("notebook:restart-kernel")
    lab_page.get_by_role("button", name="Confirm Kernel Restart").click(timeout=10_000)
    lab_page.wait_for_timeout(1500)
    panel.press("Step")
    panel.root.get_by_role("alert").filter(has_text="run this cell again").wait_for(timeout=10_000)
