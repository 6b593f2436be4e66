"""A few words that a notebook sets as Markdown and a terminal as they are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Note:
    """A text in Markdown, to be shown."""

    text: str

    def __str__(self) -> str:
        return self.text.replace("**", "")

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/markdown": self.text, "text/plain": str(self)}
