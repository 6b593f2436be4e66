"""A verdict says one thing, in words that need no colour, and shows nothing that could harm the page."""

import re
from html.parser import HTMLParser

import IPython.display
import pytest
import torch

from gradlab import exercises, pitfalls
from gradlab.exercises import Verdict
from gradlab.ledger import Ledger
from gradlab.plot import Picture

OUTCOMES = ("right", "wrong", "not attempted", "error")
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\" ' & `code`"


def made(outcome="wrong", pitfall="per-tensor-norm", message="The norm is 3.", **rest):
    return Verdict(outcome, pitfall, message, exercise="warmup", title="A linear warmup", **rest)


def bundle(verdict):
    return verdict._repr_mimebundle_()


class Page(HTMLParser):
    """The tags, attributes and words of a piece of HTML."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_only_a_right_verdict_is_true(outcome):
    assert bool(made(outcome)) == (outcome == "right")


def test_an_unknown_outcome_is_refused():
    with pytest.raises(ValueError, match="right, wrong, not attempted, error, got 'good'"):
        made("good")


def test_each_outcome_has_a_mark_and_words_of_its_own():
    heads = [str(made(outcome, None)).splitlines()[0] for outcome in OUTCOMES]
    assert len({head[0] for head in heads}) == len({head[2:] for head in heads}) == 4
    for outcome, head in zip(OUTCOMES, heads, strict=True):
        words = Page(bundle(made(outcome, None))["text/html"]).words
        assert head[0] in words and head[2:].split(":")[0] in words


def test_text_and_card_say_the_same():
    verdict = made(experiment="Print the norm.", fixture="norm 7 and max_norm 2", printed="hello",
                   warned="UserWarning: oh")
    text, words = str(verdict), Page(bundle(verdict)["text/html"]).words
    for said in ("A linear warmup", pitfalls.get("per-tensor-norm").name, "The norm is 3.", "Print the norm.",
                 "norm 7 and max_norm 2", "hello", "UserWarning: oh"):
        assert said in text and said in words
    assert bundle(verdict)["text/plain"] == text == repr(verdict)


def test_the_threads_of_a_pitfall_are_linked():
    links = [value for name, value in Page(bundle(made())["text/html"]).attributes if name == "href"]
    assert links == list(pitfalls.get("per-tensor-norm").links)


@pytest.mark.parametrize("field", ("message", "experiment", "fixture", "printed", "warned", "title"))
def test_what_a_learner_wrote_is_shown_and_not_obeyed(field):
    verdict = Verdict(**{"outcome": "wrong", "pitfall": None, "message": "m", field: EVIL})
    page = Page(bundle(verdict)["text/html"])
    assert not {"script", "img", "iframe", "style", "link"} & set(page.tags)
    assert {name for name, _ in page.attributes} <= {"style", "role", "aria-hidden", "href"}
    assert "<script>alert(1)</script>" in page.words


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_card_loads_nothing_and_is_announced(outcome):
    card = bundle(made(outcome, experiment="x", printed="y"))["text/html"]
    page = Page(card)
    assert ("role", "status") in page.attributes and not page.open
    assert not re.search(r"base64|url\(|src=|<svg|@import|position: *fixed", card)


@pytest.mark.parametrize("outcome", ("right", "not attempted"))
def test_a_verdict_that_is_stored_holds_nothing_measured(outcome):
    verdict = made(outcome, None, fixture="norm 7", printed="3.14159", warned="UserWarning: 2.71")
    assert not re.search(r"\d\.\d", Page(bundle(verdict)["text/html"]).words + str(verdict))


def shown(verdict, monkeypatch):
    outputs = []
    monkeypatch.setattr(IPython.display, "display", lambda what, raw=False: outputs.append(what))
    verdict._ipython_display_()
    return outputs


def clips_after_the_step(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch) / len(micro_batches)).backward()
    scaler.step(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.update()


def test_a_recorded_ledger_is_drawn_below_the_card(monkeypatch):
    verdict = exercises.get("training-step").check(clips_after_the_step)
    assert verdict.pitfall == "clip-after-step" and isinstance(verdict.ledger, Ledger)
    card, drawing = shown(verdict, monkeypatch)
    assert card == bundle(verdict) and isinstance(drawing, Picture)
    assert "image" not in str(card.keys())


def test_a_right_step_is_drawn_too(monkeypatch):
    exercise = exercises.get("training-step")
    card, drawing = shown(exercise.check(exercise.right), monkeypatch)
    assert isinstance(drawing, Picture) and "unscale, clip, step" in drawing.alt


def forgets_to_divide(model, optimizer, scaler, micro_batches, loss_fn, max_norm):
    optimizer.zero_grad()
    for batch in micro_batches:
        scaler.scale(loss_fn(model, batch)).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()


def test_a_drawing_does_not_praise_what_the_card_finds_wrong(monkeypatch):
    verdict = exercises.get("training-step").check(forgets_to_divide)
    assert verdict.pitfall == "wrong-accumulation-divisor" and not verdict.ledger.findings()
    _, drawing = shown(verdict, monkeypatch)
    assert "nothing to report" not in drawing.alt and "step" in drawing.alt
    assert "nothing to report" in verdict.ledger.draw().alt


def test_a_right_answer_never_stands_above_a_drawing_that_complains(monkeypatch):
    verdict = made("right", None, ledger=exercises.get("training-step").check(clips_after_the_step).ledger)
    assert verdict.ledger.findings()
    with pytest.raises(NotImplementedError):
        shown(verdict, monkeypatch)


@pytest.mark.parametrize("verdict", (made(), made(ledger=Ledger()), made("right", None, ledger=Ledger())), ids=str)
def test_without_a_drawing_the_card_is_the_cells_result(verdict, monkeypatch):
    with pytest.raises(NotImplementedError):
        shown(verdict, monkeypatch)
