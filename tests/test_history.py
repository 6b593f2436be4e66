"""Laws of what a run tells about itself."""

import copy
import math
import pickle

import numpy as np
import pytest

from gradlab import History, Step


def step(number=0, loss=1.0, norm=1.0, **others):
    values = {"step": number, "loss": loss, "lr": 0.1, "max_norm": 1.0,
              "norm_before": norm, "norm_after": min(norm, 1.0), "coefficient": 1.0,
              "clipped": norm > 1, "param_norm": 20.0, "update_ratio": 1e-3, "tokens": 100,
              "seconds": 0.01}
    return Step(**values | others)


def test_the_line_reads_as_documented():
    shown = step(40, loss=1.2345, norm=3.21, param_norm=21.3, lr=0.03)
    assert str(shown) == ("[Step 40] Loss: 1.2345 | Grad norm: 3.2100 -> 1.0000 (clipped: YES) | "
                          "Param norm: 21.3000 | LR: 0.030000")
    assert "(clipped: no)" in str(step(norm=0.5))


def test_columns_are_arrays_of_what_the_steps_hold():
    history = History(step(n, loss=n / 2, norm=n) for n in range(5))
    assert history.loss.tolist() == [0, 0.5, 1, 1.5, 2] and history.loss.dtype == float
    assert history.step.dtype == history.tokens.dtype == int
    assert history.clipped.tolist() == [False, False, True, True, True] and history.clipped.dtype == bool
    assert all(len(getattr(history, name)) == 5 for name in Step._fields)
    assert set(Step._fields) <= set(dir(history))


def test_a_history_is_a_sequence_of_steps():
    history = History(step(n) for n in range(5))
    assert len(history) == 5 and list(history)[2] == history[2] == step(2)
    assert isinstance(history[1:3], History) and history[1:3].step.tolist() == [1, 2]
    assert history[-1].step == 4


@pytest.mark.parametrize("trouble", [{"loss": math.nan}, {"loss": math.inf}, {"norm": math.inf}, {"norm": math.nan},
                                     {"param_norm": math.inf}])
def test_the_first_step_that_is_not_finite_is_where_a_run_diverged(trouble):
    history = History([step(0), step(1), step(2, **trouble)])
    assert history.diverged and history.first_nonfinite_step == 2 and history.final_loss == math.inf
    assert not history[:2].diverged and history[:2].first_nonfinite_step is None
    assert "diverged at step 2" in repr(history)


def test_opposite_infinities_do_not_cancel():
    assert not step(loss=math.inf, norm=-math.inf).finite


def test_the_final_loss_is_the_mean_of_the_last_ten():
    assert History(step(n, loss=float(n)) for n in range(30)).final_loss == np.mean(range(20, 30))
    assert History([step(loss=3.0)]).final_loss == 3


def test_the_share_of_clipped_steps():
    assert History([step(norm=2), step(norm=0.5), step(norm=3), step(norm=4)]).clipped_share == 0.75


def test_an_empty_history_says_so():
    empty = History()
    assert len(empty) == 0 and not empty.diverged and empty.loss.shape == (0,) and math.isnan(empty.clipped_share)
    assert repr(empty) == "<History: no steps>"
    with pytest.raises(ValueError, match="at least 1 step"):
        _ = empty.final_loss


def test_an_unknown_column_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match="grad_norm.*norm_before"):
        _ = History().grad_norm


def test_a_history_can_be_copied_and_stored():
    history = History([step(0), step(1)])
    assert list(copy.deepcopy(history)) == list(pickle.loads(pickle.dumps(history))) == list(history)
