"""A recurrent network of one unit whose cost has a cliff (Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063).

    x ← w · sigmoid(x) + b, fifty times from x = 0.5, and the cost (x − 0.7)²

Two weights, so that the cost is a landscape one can look at. The gradients are exact, in float64.
"""

import math
from dataclasses import dataclass

import numpy as np

from gradlab.depth import given

STEPS, START, TARGET = 50, 0.5, 0.7


def cost_and_gradient(w, b) -> tuple[np.ndarray, np.ndarray]:
    """The cost and its gradient `(d/dw, d/db)`, for numbers or arrays of equal shape.

    Returns float64 arrays: the cost in that shape, the gradient with one axis of length 2 more, in front.
    """
    w, b = np.broadcast_arrays(np.asarray(w, dtype=float), np.asarray(b, dtype=float))
    x, by_w, by_b = np.full(w.shape, START), np.zeros(w.shape), np.zeros(w.shape)
    for _ in range(STEPS):
        s = _sigmoid(x)
        slope = w * s * (1 - s)  # of one step of the network, by which every earlier change is multiplied
        x, by_w, by_b = w * s + b, s + slope * by_w, 1 + slope * by_b
    return (x - TARGET) ** 2, 2 * (x - TARGET) * np.stack([by_w, by_b])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))  # never overflows, however far a path was thrown
    return np.where(x >= 0, 1, e) / (1 + e)


@dataclass(frozen=True, eq=False)
class Landscape:
    """The cost over a grid of weights: `w` `(m,)`, `b` `(n,)`, `cost` and `norm` (of the gradient) `(m, n)`."""

    w: np.ndarray
    b: np.ndarray
    cost: np.ndarray
    norm: np.ndarray

    @property
    def steepest(self) -> tuple[float, float]:
        """The weights `(w, b)` with the longest gradient of the grid."""
        row, column = np.unravel_index(self.norm.argmax(), self.norm.shape)
        return float(self.w[row]), float(self.b[column])


def landscape(w: tuple[float, float] = (4.0, 7.0), b: tuple[float, float] = (-3.5, -1.5), *,
              points: tuple[int, int] = (301, 201)) -> Landscape:
    """The landscape over w and b within these ends, with so many points each.

    Errors: ValueError for ends that do not rise, or fewer than 2 points.
    """
    for name, (low, high) in (("w", w), ("b", b)):
        if not given.number(name, low) < given.number(name, high):
            raise ValueError(f"{name} must rise from its first end to its second, got {low} and {high}")
    axes = [np.linspace(*ends, given.whole("points", count, 2)) for ends, count in zip((w, b), points, strict=True)]
    cost, gradient = cost_and_gradient(*np.meshgrid(*axes, indexing="ij"))
    return Landscape(*axes, cost, np.hypot(*gradient))


@dataclass(frozen=True, eq=False)
class Descent:
    """The way of a descent, at each of its points: `w`, `b`, `cost` and gradient `norm` before clipping.

    Each is float64, `(updates + 1,)`, or `(updates + 1, starts)` of a descent from several starts.
    """

    w: np.ndarray
    b: np.ndarray
    cost: np.ndarray
    norm: np.ndarray

    @property
    def longest_step(self) -> float:
        """The length of the longest update."""
        return float(np.hypot(np.diff(self.w, axis=0), np.diff(self.b, axis=0)).max(initial=0.0))


def descend(w=5.5, b=-2.0, *, lr: float = 0.001, updates: int = 400, max_norm: float | None = None) -> Descent:
    """Gradient descent from (w, b), or from each pair of two arrays: with `max_norm` a longer gradient is first scaled
    down to that length, with None never.

    Errors: ValueError and TypeError for a start that is not finite, and for `lr`, `max_norm`, `updates` not above 0.
    """
    point = np.array(np.broadcast_arrays(_starts("w", w), _starts("b", b)))
    lr, updates = given.size("lr", lr), given.whole("updates", updates, most=100_000)
    limit = math.inf if max_norm is None else given.size("max_norm", max_norm)
    rows = []
    for _ in range(updates + 1):
        cost, gradient = cost_and_gradient(*point)
        norm = np.hypot(*gradient)
        rows.append((*point, cost, norm))
        point = point - lr * gradient * np.where(norm > limit, limit / np.maximum(norm, 1e-300), 1.0)
    return Descent(*(np.array(column) for column in zip(*rows, strict=True)))


def _starts(name: str, values) -> np.ndarray:
    for value in np.ravel(np.asarray(values, dtype=object)):
        given.number(name, value)
    return np.asarray(values, dtype=float)
