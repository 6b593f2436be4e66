"""The tensors that a function was given, whatever they came in, without using them up."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor

from gradlab.ledger.observe.patches import Call


def argument(call: Call, position: int, name: str, default: Any = None) -> Any:
    """An argument of a call by its position or name."""
    return call.args[position] if len(call.args) > position else call.kwargs.get(name, default)


def tensors_of(call: Call, position: int, name: str) -> list | None:
    """The tensors in an argument, in order. An iterator is read here and the call goes on with a list of what it held,
    except for one that was used up before: the function itself shall say so. None for what is no iterable at all."""
    given = argument(call, position, name)
    if type(given) is list:
        return given
    if isinstance(given, Tensor):
        return [given]
    if not isinstance(given, Iterable):
        return None
    items, error = _read(given)
    if isinstance(given, Iterator) and (items or error):
        _replace(call, position, name, items if error is None else _failing(items, error))
    return None if error else items


def grouped(items: Sequence) -> list[Tensor]:
    """The tensors among tensors and parameter groups `{"params": [...]}`."""
    tensors = []
    for item in items:
        inner = item.get("params", ()) if isinstance(item, dict) else item
        tensors += [inner] if isinstance(inner, Tensor) else [t for t in inner if isinstance(t, Tensor)]
    return tensors


def _read(given: Iterable) -> tuple[list, Exception | None]:
    items: list = []
    try:
        items.extend(given)
    except Exception as error:  # the caller's own, to be met again where the function would have met it
        return items, error
    return items, None


def _failing(items: list, error: Exception) -> Iterator:
    yield from items
    raise error


def _replace(call: Call, position: int, name: str, new: Any) -> None:
    if len(call.args) > position:
        call.args = (*call.args[:position], new, *call.args[position + 1:])
    else:
        call.kwargs = {**call.kwargs, name: new}
