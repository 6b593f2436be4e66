"""What may be asked, and which option an answer means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral

from .prose import LETTERS, quoted


def checked_text(value: object, name: str, *, empty: bool = False) -> str:
    """A stripped text. Raises TypeError if it is none, ValueError if it is empty and must not be."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r:.60} ({type(value).__name__})")
    if not empty and not value.strip():
        raise ValueError(f"{name} is empty, got {value!r:.60}; write a sentence")
    return value.strip()


def checked_options(options: object) -> tuple[str, ...]:
    """Two to six different texts. Raises TypeError for another kind of value, ValueError for another number of them."""
    if isinstance(options, str) or not isinstance(options, Sequence | Mapping):
        raise TypeError(f"options must be a list of strings or a mapping of them, got {options!r:.60}")
    texts = tuple(checked_text(option, f"option {place}") for place, option in enumerate(options))
    if not 2 <= len(texts) <= len(LETTERS):
        raise ValueError(f"a question has 2 to {len(LETTERS)} options, got {len(texts)}: {list(texts)!r:.200}")
    if twice := [text for place, text in enumerate(texts) if text in texts[:place]]:
        raise ValueError(f"options must differ, got {twice[0]!r:.80} twice")
    return texts


def checked_notes(options: object, name: str) -> dict[str, str]:
    """The texts that a mapping from options gives, by stripped option. Raises TypeError for a value that is none."""
    if not isinstance(options, Mapping):
        raise TypeError(f"{name} must be a mapping from each option to a text, got {options!r:.60}")
    return {option.strip(): checked_text(note, f"the text of option {option!r:.60}", empty=True)
            for option, note in options.items()}


def place(options: tuple[str, ...], answer: object, caller: str) -> int:
    """Which option is meant by its text, its letter or its place from 0; a text counts before a letter.

    Raises TypeError for another kind of value, ValueError, naming the options, for a value that means none.
    """
    if isinstance(answer, bool) or not isinstance(answer, Integral | str):
        raise TypeError(f"{caller} takes an option's text, its letter or its place from 0, got {answer!r:.60}")
    if isinstance(answer, Integral) and 0 <= answer < len(options):
        return int(answer)
    if isinstance(answer, str):
        if answer.strip() in options:
            return options.index(answer.strip())
        letter = answer.strip().rstrip(".)").lower()
        if len(letter) == 1 and letter in LETTERS[:len(options)]:
            return LETTERS.index(letter)
    raise ValueError(f"{caller} got {answer!r:.80}, which is none of the options: {quoted(options)}")
