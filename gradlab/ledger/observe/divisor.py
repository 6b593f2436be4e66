"""What a loss was divided by, and whether a loss scale is in it: read from its graph, before backward frees that."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from gradlab.ledger.later import Later, number, value

# Nodes that leave the value as it is.
_TRANSPARENT = ("ToCopyBackward0", "CloneBackward0", "AliasBackward0", "ViewBackward0")
# Those of a mean or a sum, of elements or of terms.
_REDUCING = ("SumBackward", "MeanBackward", "AddBackward", "SubBackward", "StackBackward", "SqueezeBackward")
_FEW, _DEEP = 32, 4


class Reading(NamedTuple):
    """`divisor`: 4.0 for `loss / 4` and `loss * 0.25`, None for other losses; `scaler`: whose scale is in it.

    `halved`: whether the divisor is 2 and may be the loss's own: half of squares, or of what was divided before.
    """

    divisor: float | None
    scaler: Any
    halved: bool = False


def read(losses: Sequence[Any], scalers: Sequence[Any]) -> Reading:
    """Read the outermost operations of the losses given to backward. A scaler's factor is stepped over."""
    nodes = [loss.grad_fn if isinstance(loss, Tensor) else getattr(loss, "node", None) for loss in losses]
    if scalers:
        scalers = [scaler for scaler in scalers if getattr(scaler, "_scale", None) is not None]
    node, divisor, found, halved = nodes[0] if len(nodes) == 1 else None, None, None, False
    for _ in range(_DEEP):
        below, constant, dividing = _scalar_factor(node)
        if below is None:
            break
        if constant is not None:
            scaler = None if dividing else next((s for s in scalers if _is_scale(constant, s._scale)), None)
            if scaler is not None:
                found = scaler
            elif divisor is None:
                divisor = _divisor(constant, dividing)
                halved = divisor == 2 and _stands_by_itself(below, scalers)
            if divisor is not None and (found is not None or not scalers):
                break
        node = below
    if found is None and scalers:
        found = _search([node for node in nodes if node is not None], scalers)
    return Reading(divisor, found, halved)


def _scalar_factor(node) -> tuple[Any, Tensor | None, bool]:
    """(the node below, the constant of one element that it is multiplied or divided by, whether divided)."""
    if node is None:
        return None, None, False
    name = node.name()
    if name in _TRANSPARENT:
        return node.next_functions[0][0], None, False
    if name not in ("DivBackward0", "MulBackward0"):
        return None, None, False
    sides = [function for function, _ in node.next_functions] + [None, None]
    if name == "DivBackward0":
        below, saved = sides[0], "_saved_other" if sides[1] is None else ""
    else:
        below, saved = (sides[0], "_saved_other") if sides[1] is None else (sides[1], "_saved_self")
        if sides[0] is not None and sides[1] is not None:
            return None, None, False  # a product of two losses
    try:
        constant = getattr(node, saved)
    except (AttributeError, RuntimeError):  # freed, or changed since
        return None, None, False
    if not isinstance(constant, Tensor) or constant.numel() != 1:
        return None, None, False
    return below, constant, name == "DivBackward0"


def _stands_by_itself(node, scalers: Sequence[Any]) -> bool:
    """Whether a loss is one that is halved as a rule: made of squares, or divided already."""
    level = [node]
    for depth in range(_DEEP):
        below = []
        for node in level[:_FEW]:
            name = node.name()
            if name.startswith("PowBackward0") and getattr(node, "_saved_exponent", None) == 2:
                return True
            if name == "MulBackward0" and len({function for function, _ in node.next_functions}) == 1:
                return True  # a difference times itself
            inner, constant, dividing = _scalar_factor(node)
            if constant is not None and not depth and (dividing or all(not _is_scale(constant, s._scale)
                                                                       for s in scalers)):
                return True
            if inner is not None or name.startswith(_REDUCING):
                below += [function for function, _ in node.next_functions if function is not None]
        level = below
    return False


def _divisor(constant: Tensor, dividing: bool) -> Any:
    read = number(constant)
    return Later(lambda: _usable(value(read), dividing)) if type(read) is Later else _usable(read, dividing)


def _usable(constant: float, dividing: bool) -> float | None:
    if not constant or not math.isfinite(constant):
        return None
    return constant if dividing else 1 / constant


def _is_scale(constant: Tensor, scale: Tensor) -> bool:
    if constant.data_ptr() == scale.data_ptr():
        return True
    # Of several losses, or of one on another device, it is multiplied by a copy. A number of the caller's own is a
    # double, so nothing is read from an accelerator for that.
    return constant.dtype == scale.dtype and constant.item() == scale.item()


def _search(nodes: list, scalers: Sequence[Any]):
    """A scaler whose factor is near the top of the graph: of a sum of scaled losses, say."""
    level, met = nodes, 0
    for _ in range(_DEEP):
        below = []
        for node in level:
            met += 1
            if met > _FEW:
                return None
            _, constant, dividing = _scalar_factor(node)
            if constant is not None and not dividing:
                for scaler in scalers:
                    if _is_scale(constant, scaler._scale):
                        return scaler
            below += [function for function, _ in node.next_functions if function is not None]
        level = below
    return None


def reaches(losses: Sequence[Any], parameters: dict[int, int]) -> bool:
    """Whether a backward pass from these losses could touch a parameter, given by id. Walks the whole graph."""
    waiting = [loss.grad_fn if isinstance(loss, Tensor) else getattr(loss, "node", None) for loss in losses]
    met = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in met:
            continue
        met.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None and id(variable) in parameters:
            return True
        waiting += [function for function, _ in node.next_functions]
    return any(id(loss) in parameters for loss in losses)
