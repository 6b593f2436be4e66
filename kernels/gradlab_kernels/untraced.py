"""What torch.compile must not look into: a traced list has no address, and the kernels work by addresses.

Every call, by whatever name, goes through the `__wrapped__` of the public function, where it can be observed.
"""

import functools
from collections.abc import Callable

import torch

_is_compiling = torch.compiler.is_compiling


def untraced(function: Callable) -> Callable:
    """The function, which runs as it stands where a program that calls it is compiled: torch breaks the graph there."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        if _is_compiling():
            return torch.compiler.disable(call.__wrapped__)(*args, **kwargs)
        return call.__wrapped__(*args, **kwargs)

    return call
