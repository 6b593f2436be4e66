"""The processor's kernels, compiled by Numba when this is first imported and used, and kept on disk."""

import functools
from pathlib import Path

from numba import njit

HERE = Path(__file__).parent


def _forget_what_is_stale() -> None:
    """Remove what was compiled before any source last changed.

    Numba looks for changes in the file that a kept function stands in, and not in those of the functions that it calls.
    """
    changed = max((path.stat().st_mtime for path in HERE.parent.rglob("*.py") if path.exists()), default=0.0)
    for kept in (HERE / "__pycache__").glob("*.nb[ci]"):
        try:
            if kept.stat().st_mtime < changed:
                kept.unlink()
        except OSError:  # another process was faster, or may not: then Numba keeps it elsewhere
            pass


def _keeps() -> bool:
    """Whether Numba finds a folder that it may write to; without one each process compiles anew."""
    try:
        njit(cache=True)(_keeps)
    except RuntimeError:
        return False
    return True


_forget_what_is_stale()
KEEP = _keeps()


class Forgiving:
    """A cache of Numba's in which a file that cannot be read or written is none, instead of the end of every call.

    Half a file remains where the machine or its disk gave out while it was written.
    """

    def __init__(self, cache):
        self._cache = cache

    def __getattr__(self, name):
        return getattr(self._cache, name)

    def load_overload(self, signature, target_context):
        try:
            return self._cache.load_overload(signature, target_context)
        except Exception:  # a pickle that is not one may raise whatever it likes
            self._try(self._cache.flush)
            return None

    def save_overload(self, signature, data):
        self._try(self._cache.save_overload, signature, data)

    @staticmethod
    def _try(work, *arguments):
        try:
            work(*arguments)
        except OSError:  # a full disk, say: this process has what it compiled, the next one compiles again
            pass


def kept(function=None, **options):
    """`numba.njit`, and what is compiled is kept on disk where that is possible."""
    if function is None:
        return functools.partial(kept, **options)
    compiled = njit(cache=KEEP, **options)(function)
    compiled._cache = Forgiving(compiled._cache)
    return compiled
