"""Laws of what a notebook stores: constant, readable without a kernel, and nothing in it is markup of the caller's."""

import json
import re

import nbformat
import pytest
from notebook_rules import WIDGET_VIEW, faults
from notebook_source import KERNELSPEC

from gradlab.predict import predict, recall


def every_form():
    return [predict("What does `max_norm=1` do?", ["nothing", "`x` < 1"]),
            predict("How much?", between=(0, 5), unit="s"),
            predict.sketch("How will it fall?", y=(1, 2), ylabel="norm", log=True),
            recall("Is it `x`?", {"yes": "No & `no`.", "no": "Right."}, "no"),
            predict("What?", ["one", "two"]).reveal("two", because="so `it` is"),
            predict("How much?", between=(0, 5), unit="s").reveal(1.23, "about 1")]


def bundle(shown):
    data = shown._repr_mimebundle_()
    return data[0] if isinstance(data, tuple) else data


def test_the_text_is_the_question_with_its_lettered_options():
    texts = [repr(shown) for shown in every_form()]
    assert texts[0] == "Predict. What does `max_norm=1` do?\n  a) nothing\n  b) `x` < 1"
    assert texts[1] == "Predict. How much?\n  A number from 0 to 5 s."
    assert texts[2] == "Predict. How will it fall?\n  Draw the norm, from 1 to 2, against the step, from 0 to 150."
    assert texts[3] == "Recall. Is it `x`?\n  a) yes\n  b) no"
    assert all(bundle(shown)["text/plain"] == text for shown, text in zip(every_form(), texts, strict=True))


def test_both_forms_are_equal_from_run_to_run():
    first, second = ([{kind: text for kind, text in bundle(shown).items() if kind != WIDGET_VIEW}
                      for shown in every_form()] for _ in range(2))
    assert first == second and all(set(data) == {"text/plain", "text/html"} for data in first)


def test_the_rules_for_stored_notebooks_hold():
    cells = []
    for count, shown in enumerate(every_form(), 1):
        data = {kind: text for kind, text in bundle(shown).items() if kind != WIDGET_VIEW}
        output = nbformat.v4.new_output("execute_result", data, execution_count=count)
        cells.append(nbformat.v4.new_code_cell("x", id=f"00-x_{count}", execution_count=count, outputs=[output]))
    book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC,
                                                           "language_info": {"name": "python"}})
    assert faults(json.dumps(book)) == []


def test_the_answer_of_a_question_is_folded_away():
    html = bundle(every_form()[3])["text/html"]
    before, details = html.split("<details>")
    assert "Right." not in before and "No &amp;" not in before
    assert details.startswith("<summary>") and "✓ <b>b</b>" in details and "No &amp; <code>no</code>." in details


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", 'x" onclick="y', "<b>bold</b>", "&amp;", "`<i>`"])
def test_text_is_shown_as_it_is(text):
    one, other = predict(text, [text, "two"]), recall(text, {text: text, "two": text}, "two")
    shown = [one, other, other.choose(0), predict.sketch(text, ylabel=text, xlabel=text),
             predict(text, between=(0, 1), unit=text)]
    one.commit(0)
    shown.append(one.reveal(0, because=text))
    shown[-2].commit(1)
    shown.append(shown[4].reveal(0.1, text, because=text))
    for each in shown:
        html = bundle(each)["text/html"]
        assert not re.search(r"<script|<i>(?!Pitfall)|<b>bold|\" onclick|&amp;amp;amp;", html)
        assert text.strip("`") in each.__repr__() and ("&" not in text or "&amp;amp;" in html)


def test_what_is_committed_is_told_in_the_text():
    guess = predict("Which?", ["one", "two"])
    guess.commit("two")
    assert repr(guess).endswith("\nCommitted: b.")
    number = predict("How much?", between=(0, 1), unit="s")
    number.commit(0.25)
    assert repr(number).endswith("\nCommitted: 0.25 s.")
