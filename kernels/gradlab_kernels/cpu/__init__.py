"""The processor's kernels, compiled by Numba when this is first imported and used, and kept on disk."""

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
