"""The processor's kernels, compiled by Numba when this is first imported and used, and kept on disk."""

from pathlib import Path

HERE = Path(__file__).parent


def _forget_what_is_stale() -> None:
    """Remove what was compiled before any source last changed.

    Numba looks for changes in the file that a kept function stands in, and not in those of the functions that it calls.
    """
    changed = max(path.stat().st_mtime for path in HERE.parent.rglob("*.py"))
    for kept in (HERE / "__pycache__").glob("*.nb[ci]"):
        try:
            if kept.stat().st_mtime < changed:
                kept.unlink()
        except OSError:  # another process was faster, or may not: then Numba keeps it elsewhere
            pass


_forget_what_is_stale()
