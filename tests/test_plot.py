"""Laws of the still figures."""

import matplotlib
import numpy as np
import pytest
from test_history import step

from gradlab import History, plot

PNG = b"\x89PNG\r\n"
FALLING = History(step(n, loss=3 / (n + 1), norm=2 / (n + 1)) for n in range(20))
LOST = History([*(step(n, loss=10.0**n, norm=10.0**n) for n in range(12)), step(12, loss=np.nan, norm=np.inf)])
FIGURES = {
    "runs": lambda: plot.runs({"falling": FALLING, "lost": [LOST, FALLING]}, ["loss", "norm_before"], threshold=1.0,
                              floor=0.27),
    "one chart": lambda: plot.runs({"falling": FALLING}, "update_ratio"),
    "final losses": lambda: plot.final_losses({"falling": [FALLING] * 3, "lost": [LOST] * 2}, floor=0.27),
    "histogram": lambda: plot.norm_histogram(FALLING.norm_before),
    "arrows": lambda: plot.arrows({"gradient": (3.0, 0.8), "clipped": (1.0, 0.3)}, circle=1.0, square=1.0),
}
every_figure = pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)


@every_figure
def test_the_same_data_give_the_same_bytes_and_a_constant_sentence(make):
    first, second = make(), make()
    assert first.png().startswith(PNG) and first.png() == second.png()
    assert repr(first) == repr(second) and "0x" not in repr(first)


@every_figure
def test_a_notebook_gets_a_picture_and_words(make):
    bundle = make()._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"} and bundle["text/plain"].startswith("[figure: ")


@every_figure
def test_nothing_touches_pyplot_or_its_settings(make):
    before = dict(matplotlib.rcParams)
    make().png()
    assert dict(matplotlib.rcParams) == before
    assert not matplotlib._pylab_helpers.Gcf.get_all_fig_managers()


@every_figure
def test_what_is_drawn_lies_inside_the_picture(make):
    picture = make()
    picture.png()
    for axes in picture.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= picture.bbox.width and box.y1 <= picture.bbox.height


def test_a_lost_run_is_crossed_out_inside_the_chart():
    axes = plot.runs({"lost": LOST}, "loss", top=5).axes[0]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [line.get_xydata().tolist() for line in crosses] == [[[11, 5]]]
    assert axes.get_ylim() == (0, 5)


def test_more_than_one_run_of_an_arm_has_one_entry_in_the_legend():
    axes = plot.runs({"both": [FALLING, LOST], "one": FALLING}).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["both", "one"]


def test_the_lines_at_the_percentiles_stand_where_numpy_says():
    norms = np.geomspace(0.1, 10, 200)
    axes = plot.norm_histogram(norms, (50, 90)).axes[0]
    assert [line.get_xdata()[0] for line in axes.lines] == pytest.approx(np.percentile(norms, (50, 90)))


def test_norms_that_are_not_finite_are_left_out_of_the_histogram_and_none_at_all_is_an_error():
    assert "3 measured" in plot.norm_histogram([1.0, 2.0, np.inf, np.nan, 0.0, 3.0]).axes[0].get_title(loc="left")
    with pytest.raises(ValueError, match="got 2 norms"):
        plot.norm_histogram([np.nan, np.inf])


def test_an_unknown_column_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'grad_norm'.*norm_before"):
        plot.runs({"a": FALLING}, "grad_norm")


def test_failed_runs_stand_at_the_right_edge_and_are_counted():
    high = History(step(n, loss=2.5) for n in range(20))
    axes = plot.final_losses({"mixed": [FALLING, high, LOST], "fine": [FALLING]}).axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [len(line.get_xdata()) for line in dots] == [1, 1] and [len(line.get_xdata()) for line in crosses] == [2, 0]
    assert min(crosses[0].get_xdata()) > 2.0 > max(dots[0].get_xdata())
    assert [text.get_text() for text in axes.texts] == ["2 of 3 failed", "0 of 1 failed"]
