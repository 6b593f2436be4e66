"""predict(): a question to commit to before its answer is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .choice import Choice
from .number import Number
from .sketch import Sketch


def predict(question: str, options: Sequence[str] | Mapping[str, str] | None = None, *,
            between: tuple[float, float] | None = None, unit: str = "") -> Choice | Number:
    """A prediction that is committed before the answer is known, with two to six options or as a number.

        guess = predict("What does `max_norm=1` do to this run?", ["nothing", "it survives", "it learns more slowly"])
        guess = predict("What will the final loss be?", between=(0, 5), unit="nats")

    - `options`: the texts to choose from, or a mapping from each to a short explanation, shown after the reveal
    - `between`: the least and the greatest number that may be predicted, in `unit`

    `guess.commit("b")` does what the Commit button does; `guess.reveal(...)` lays the prediction over what happened.
    The same question with the same options keeps its prediction while the kernel lives, whatever is run again.

    Errors: TypeError for an argument of the wrong kind, ValueError for options or a bracket that make no question.
    """
    if (options is None) == (between is None):
        raise TypeError(f"predict() takes either options or between=(lo, hi), got options={options!r:.60} and "
                        f"between={between!r:.60}")
    return Choice(question, options) if between is None else Number(question, between, unit)


def sketch(question: str, x: tuple[float, float] = (0, 150), y: tuple[float, float] = (0.0, 4.0), *,
           xlabel: str = "step", ylabel: str = "loss", log: bool = False) -> Sketch:
    """A prediction that is drawn: the curve expected in a frame from `x[0]` to `x[1]` and from `y[0]` to `y[1]`.

        guess = predict.sketch("How will the loss fall?", x=(0, 150), y=(0, 4))
        guess.reveal(run(recipe))

    It is drawn with a pointer or with the arrow keys, or committed as arrays: `guess.commit((steps, losses))`.
    `log` makes the vertical axis logarithmic. `guess.curve` is (x, y) or None.

    Errors: TypeError for an argument of the wrong kind, ValueError for a range that holds nothing.
    """
    return Sketch(question, x, y, xlabel, ylabel, log)


predict.sketch = sketch
