"""The words of a question: `code` in backticks, options with letters, as plain text and as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

LETTERS = "abcdef"
CODE = re.compile(r"`([^`]+)`")


def words(text: str) -> str:
    """HTML that shows `text` as it is, with what stands in backticks as code."""
    return CODE.sub(r"<code>\1</code>", html.escape(text))


def listed(options: Sequence[str]) -> list[str]:
    """'a) text' for each option."""
    return [f"{letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)]


def quoted(options: Sequence[str]) -> str:
    """All options on one line, for an error message."""
    return ", ".join(f"{letter}) {option!r}" for letter, option in zip(LETTERS, options, strict=False))


def items(options: Sequence[str]) -> str:
    """An HTML list of the options, without bullets where styles are kept."""
    rows = "".join(f"<li><b>{letter}</b>&ensp;{words(option)}</li>"
                   for letter, option in zip(LETTERS, options, strict=False))
    return f'<ul style="list-style: none; padding-left: 0; margin: 0">{rows}</ul>'


def paragraph(head: str, text: str) -> str:
    """An HTML paragraph that begins with a bold word."""
    return f'<p style="margin: 0 0 6px"><b>{head}.</b> {words(text)}</p>'
