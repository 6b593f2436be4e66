"""The kernel once more, with other things under the names it uses: this machine in the place of `numba.cuda`."""

import sys
from collections.abc import Mapping
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any


def stand_in(kernel: Any, cuda: Any, instructions: Mapping[str, Any]) -> Any:
    """A copy of `kernel` in which the module `numba.cuda` is `cuda`, whatever name it goes by.

    So it is in the functions that the kernel calls, decorated with `cuda.jit` or not. The instructions of this package
    become `instructions`. The originals stay as they are. What is no Python function is returned as it is.
    """
    instead = {id(sys.modules[name]): cuda for name in ("numba.cuda", "numba_cuda.numba.cuda") if name in sys.modules}
    ours = sys.modules.get("gradlab_kernels.cuda.instructions")
    if ours is not None:
        instead |= {id(getattr(ours, name)): with_ for name, with_ in instructions.items()}
    return _Copier(instead).copy(kernel)


class _Copier:
    def __init__(self, instead: dict[int, Any]):
        self.instead, self.made = instead, {}

    def copy(self, thing: Any) -> Any:
        if id(thing) in self.instead:
            return self.instead[id(thing)]
        function = _plain(thing)
        if function is None:
            return thing
        if id(function) not in self.made:
            self.made[id(function)] = self._function(function)
        return self.made[id(function)]

    def _function(self, function: FunctionType) -> FunctionType:
        names, known = dict(function.__globals__), function.__globals__
        cells = tuple(CellType() for _ in function.__closure__ or ())
        made = FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells or None)
        made.__kwdefaults__ = function.__kwdefaults__
        self.made[id(function)] = made  # before its names are looked at: it may call itself
        for name in _names(function.__code__):
            if name in known:
                names[name] = self.copy(known[name])
        for new, old in zip(cells, function.__closure__ or (), strict=True):
            try:
                new.cell_contents = self.copy(old.cell_contents)
            except ValueError:  # nothing in it yet
                pass
        return made


def _plain(thing: Any) -> FunctionType | None:
    """The Python function that something is, or that Numba has made a kernel or a device function of."""
    if type(thing) is FunctionType:
        return thing if thing.__module__ is None or not _installed(thing) else None
    if type(thing).__module__.startswith(("numba.", "numba_cuda.")) and not isinstance(thing, ModuleType):
        function = getattr(thing, "py_func", None)
        return function if type(function) is FunctionType else None
    return None


def _installed(function: FunctionType) -> bool:
    """Whether it is part of a library, which uses no `cuda` of ours."""
    return function.__module__.partition(".")[0] in ("torch", "numpy", "numba", *sys.stdlib_module_names)


def _names(code: CodeType) -> set[str]:
    """The global names that code uses, that of functions inside it included."""
    return set(code.co_names).union(*(_names(const) for const in code.co_consts if isinstance(const, CodeType)))
