"""Whether something can be called as an exercise asks, found out without calling it."""

import ast
import dis
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any


def refusal(function: Any, signature: str) -> str:
    """What is wrong with handing over `function` where `signature` is asked for; empty if nothing is.

    `signature` is the first line of a function: `"def lr_at(step, base_lr, warmup_steps) -> float"`.
    """
    name, asked = asked_for(signature)
    if issubclass(type(function), type):  # not isinstance, which asks the object itself
        return f"check was given a class; give it the function {name}"
    if not callable(function):
        return f"check was given {_kind(function)}; give it the function itself, without brackets: check({name})"
    try:
        if inspect.iscoroutinefunction(function):
            return "your function is `async`, so calling it runs nothing; write it with a plain `def`"
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            return "your function has a `yield` in it, so calling it runs nothing yet; `return` the result"
        given = inspect.signature(function)
    except Exception:  # not everything that can be called has one
        return ""
    try:
        given.bind(*asked)
    except TypeError:
        names = ", ".join(map(str, given.parameters.values())) or "nothing"
        return f"your function takes ({names}), and it is called with ({', '.join(asked)})"
    return ""


def untouched(function: Callable) -> bool:
    """Whether a function's body is a stub: only a docstring, `pass`, `...` or `return None`."""
    if type(function) is not FunctionType:
        return False
    idle = {"RESUME", "NOP", "CACHE", "RETURN_VALUE"}
    return all(step.opname in idle or step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval in (None, ...)
               for step in dis.get_instructions(function.__code__))


def asked_for(signature: str) -> tuple[str, list[str]]:
    """The name and the parameters in a function's first line."""
    definition = ast.parse(f"{signature.rstrip(': ')}: ...").body[0]
    return definition.name, [argument.arg for argument in definition.args.args]


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
