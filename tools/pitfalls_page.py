"""Write docs/pitfalls.md, the catalogue of pitfalls as a page to read, from gradlab.pitfalls."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from gradlab import pitfalls
from gradlab.pitfalls.pitfall import FIGURES, Pitfall

PAGE = Path(__file__).resolve().parent.parent / "docs" / "pitfalls.md"

INTRO = f"""# Pitfalls

<!-- Written by tools/pitfalls_page.py from gradlab/pitfalls: edit there. -->

What goes wrong in training loops, why it is believed to be right, and how it is told. The names are permanent: the
exercises, the findings on a recorded loop and the labs all use them.

- *Level* is how much a finding on a recorded loop weighs. An **error** is certainly not the update that was intended,
  a **warn** very likely not, an **info** is worth knowing. Without one, only exercises and questions name it.
- *Told by* is what shows it: the **value** of a result beside the right one, the **order** of events in a step, the
  **trace** of a run, or the **set** of parameters touched.
- *Message* is what you are told when it is found; your own numbers stand in place of the words in italics. Some ways
  to make the mistake have other words.
- *Figures* were {FIGURES}.
"""


def page() -> str:
    """The whole page, in Markdown."""
    lines = [INTRO, "| Pitfall | What goes wrong | Level | Told by | Lab |", "|---|---|---|---|---|"]
    lines += map(row, pitfalls.CATALOGUE)
    for section, entries in groupby(pitfalls.CATALOGUE, key=lambda pitfall: pitfall.section):
        lines += ["", f"## {section.capitalize()}"]
        for pitfall in entries:
            lines += entry(pitfall)
    return "\n".join(lines) + "\n"


def row(pitfall: Pitfall) -> str:
    """The pitfall's line in the table of contents."""
    link, told_by = f"[{pitfall.id}](#{pitfall.id})", ", ".join(pitfall.told_by)
    return f"| {link} | {pitfall.name} | {pitfall.level or ''} | {told_by} | {pitfall.lab} |"


def entry(pitfall: Pitfall) -> Iterator[str]:
    """The pitfall's own section, line by line."""
    yield from ("", f"### {pitfall.id}", "", f"**{pitfall.name}**", "")
    yield f"- **Belief:** {pitfall.belief}"
    yield f"- **What happens:** {pitfall.happens}"
    yield f"- **Told apart:** {pitfall.told_apart}"
    yield f"- **Message:** {quoted(pitfall.messages[''])}"
    if others := [f"`{variant}`" for variant in pitfall.variants if variant]:
        yield f"- **In other words for:** {', '.join(others)}"
    yield f"- **Try:** {pitfall.experiment}"
    links = (f"[{thread}]({link})" for thread, link in zip(pitfall.threads, pitfall.links, strict=True))
    yield f"- **Seen in:** {', '.join(links)}"


def quoted(template: str) -> str:
    """A message with the names of its evidence in italics, and the plural where it has words for both."""
    template = re.sub(r"\{\w+:[^|}]*\|([^}]*)\}", r"\1", template)
    return re.sub(r"\{(\w+)\}", r"*\1*", template)


def main(arguments: Sequence[str] | None = None, path: Path = PAGE) -> int:
    """Run the command line; returns the exit status, 1 for a page that is not fresh."""
    parser = argparse.ArgumentParser(description="Write docs/pitfalls.md from gradlab/pitfalls.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not fresh")
    if not parser.parse_args(arguments).check:
        path.write_text(page(), encoding="utf-8", newline="\n")
        return 0
    fresh = path.exists() and path.read_text(encoding="utf-8") == page()
    print(f"{path.name} is {'fresh' if fresh else 'not fresh; run tools/pitfalls_page.py'}")
    return 0 if fresh else 1


if __name__ == "__main__":
    sys.exit(main())
