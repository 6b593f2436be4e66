"""A few words that a notebook sets as Markdown and a terminal as they are."""

import re
from dataclasses import dataclass

CODE = re.compile(r"(```.*?```|`[^`]*`)", re.DOTALL)


@dataclass(frozen=True)
class Note:
    """A text in Markdown, to be shown."""

    text: str

    def __str__(self) -> str:
        words = CODE.split(self.text)  # every second part is code, where ** is a power
        return "".join(part if place % 2 else part.replace("**", "") for place, part in enumerate(words))

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/markdown": self.text, "text/plain": str(self)}
