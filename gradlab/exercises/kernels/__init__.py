"""Exercises that are CUDA kernels. They are tried on the processor: neither a GPU nor a compiler is needed.

Nothing of it is imported before one of them is asked for. They are written for Numba, which has to be installed.
"""

import importlib.util

if importlib.util.find_spec("numba") is None:
    raise ImportError("this exercise asks for a CUDA kernel written for Numba, which is not installed: "
                      "pip install numba")
