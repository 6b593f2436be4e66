"""Laws of what travels to the page, and of what the sliders write."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradlab import History, Step
from gradlab.live import Controls, page
from gradlab.live.rows import COLUMNS, pack, pack_history, unpack

numbers = st.floats(width=32)
a_step = st.builds(Step, st.integers(0, 2**24), *[numbers] * 6, st.booleans(), numbers, numbers, st.just(1), numbers)


@given(st.lists(a_step, max_size=20))
def test_packing_loses_nothing_that_float32_can_hold(steps):
    table = unpack(pack(steps))
    assert table.shape == (len(steps), len(COLUMNS)) and table.dtype == np.dtype("<f4")
    np.testing.assert_array_equal(table, np.array([[getattr(s, name) for name in COLUMNS] for s in steps],
                                                  dtype=np.float32).reshape(len(steps), len(COLUMNS)))


@given(st.lists(a_step, max_size=20))
def test_a_history_packs_like_its_steps(steps):
    np.testing.assert_array_equal(unpack(pack_history(History(steps))), unpack(pack(steps)))


def test_a_number_beyond_float32_becomes_infinite():
    step = Step(0, 1e300, 0.1, float("inf"), 1e300, 1.0, 1.0, False, 1.0, 1e-3, 1, 0.0)
    row = dict(zip(COLUMNS, unpack(pack([step]))[0], strict=True))
    assert row["loss"] == row["norm_before"] == row["max_norm"] == np.inf


def test_the_page_reads_the_same_columns():
    assert str(list(COLUMNS)).replace("'", '"') in page.SCRIPT


def test_what_is_read_is_a_copy():
    controls = Controls(lr=0.1, max_norm=None)
    controls.read()["lr"] = 5
    assert controls.read() == {"lr": 0.1, "max_norm": None}
    controls.set(max_norm=2.0)
    assert (controls.used["max_norm"], controls.steered) == (None, set())
    assert controls.read() == {"lr": 0.1, "max_norm": 2.0}
    assert (controls.used["max_norm"], controls.steered) == (2.0, {"max_norm"})
