"""The code of a rung, for those who read it in a notebook."""

import inspect
from collections.abc import Callable

from .rungs import RUNGS


class Source(str):
    """Python source that a notebook shows in colours."""

    __repr__ = str.__str__

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.rstrip()}\n```"


def source(*things: str | Callable) -> Source:
    """The source of rungs, by name, and of functions, one below the other.

    Errors: KeyError for an unknown rung.
    """
    functions: list[Callable] = []
    for thing in things:
        functions += (*RUNGS[thing].helpers, *RUNGS[thing].kernels) if isinstance(thing, str) else (thing,)
    plain = (getattr(function, "py_func", function) for function in functions)
    return Source("\n\n".join(map(inspect.getsource, plain)))
