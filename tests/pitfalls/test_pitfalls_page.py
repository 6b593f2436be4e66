"""The page of pitfalls is what the catalogue gives now, and names no machine."""

import re

import pitfalls_page as tool
import pytest

from gradlab import pitfalls


def test_the_page_is_fresh():
    assert tool.PAGE.read_text(encoding="utf-8") == tool.page(), "run tools/pitfalls_page.py"


def test_every_pitfall_has_a_line_in_the_table_and_a_section_it_leads_to():
    page = tool.page()
    for pitfall in pitfalls.CATALOGUE:
        assert page.count(f"| [{pitfall.id}](#{pitfall.id}) | {pitfall.name} |") == 1
        assert page.count(f"\n### {pitfall.id}\n") == 1
        assert all(f"[{thread}]({link})" in page for thread, link in zip(pitfall.threads, pitfall.links, strict=True))


def test_templates_are_shown_as_sentences():
    assert tool.quoted("{n} {n:tensor|tensors} had norm {norm}.") == "*n* tensors had norm *norm*."
    assert not re.search(r"[{}]", tool.page())


def test_the_page_names_no_path_of_a_machine():
    assert not re.search(r"/(home|tmp|work|Users|root)/|[A-Z]:\\", tool.page())


@pytest.mark.parametrize("stored", [None, "an older page"])
def test_a_page_that_is_missing_or_old_is_told_and_written_anew(tmp_path, capsys, stored):
    path = tmp_path / "pitfalls.md"
    if stored:
        path.write_text(stored, encoding="utf-8")
    assert tool.main(["--check"], path) == 1 and "not fresh" in capsys.readouterr().out
    assert tool.main([], path) == 0 and path.read_text(encoding="utf-8") == tool.page()
    assert tool.main(["--check"], path) == 0 and "is fresh" in capsys.readouterr().out
