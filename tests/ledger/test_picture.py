"""Laws of the picture of a training step: over real loops, right and wrong, and over events in any order at all."""

import copy
import linecache
import math
import re
from functools import cache
from itertools import combinations

import matplotlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loops.legitimate import LEGITIMATE
from loops.wrong import WRONG

from gradlab import pitfalls
from gradlab.ledger import Finding, Ledger, Provenance, Where, river, scene
from gradlab.ledger.events import KINDS, Backward, Clip, Edit, Measure, Schedule, Step, Unscale, ZeroGrad
from gradlab.ledger.flow import flow
from gradlab.ledger.picture import BELONGS, draw
from gradlab.ledger.rows import MOST, choose, gather, passes

CODE = """\
optimizer.zero_grad()
loss.backward()
torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
optimizer.step()
scheduler.step()
"""
FILE = "/home/somebody/ipykernel_123/456.py"
linecache.cache[FILE] = (len(CODE), None, CODE.splitlines(keepends=True), FILE)


def at(line, function="<module>"):
    return Where(FILE, line, function)


def turn(norm=8.0, backwards=1):
    """The events of one right step over two parameters: the gradient grows to `norm` and is clipped to 2."""
    yield ZeroGrad(where=at(1))
    for micro in range(backwards):
        yield Backward(where=at(2), parameters=(0, 1), number=micro + 1, norm=norm * (micro + 1) / backwards,
                       gradients=summed(micro))
    yield Clip(where=at(3), given=2, parameters=(0, 1), norm=norm, max_norm=2.0, coefficient=2 / norm,
               gradients=summed(backwards))
    yield Step(where=at(4), parameters=(0, 1), norm=2.0, lr=(0.1,), gradients=summed(backwards))


def summed(backwards):
    """The state of the gradients after so many backward passes, the first of which is event 1."""
    origin = Provenance(backwards=tuple(range(1, backwards + 1)), scales=(1.0,) * backwards)
    return {origin: (0, 1)} if backwards else {}


def finding(pitfall, *events, message="The clip on line 3 came too late: the step on line 4 had used norm 8."):
    return Finding(pitfall, "error", message, "", {}, events)


def texts(picture):
    return [text for axes in picture.axes for text in axes.texts]


def words(picture):
    return [text.get_text() for text in texts(picture)]


def names(picture):
    """The words in the column of events, from the top; bold where they are marked."""
    return [text for text in texts(picture) if text.get_position()[0] == scene.WORD and text.get_fontsize() == 9]


def told(picture):
    """How many events the rows stand for."""
    many = [re.search(r"× ([\d,]+)$|^… ([\d,]+) more$", text.get_text()) for text in names(picture)]
    return sum(int((found[1] or found[2]).replace(",", "")) if found else 1 for found in many) - (
        "no zero_grad" in words(picture))


def misplaced(picture):
    """The texts that leave the picture or lie on one another."""
    renderer = picture.canvas.get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(picture)]
    wide, high = picture.bbox.width, picture.bbox.height
    outside = [text for text, box in boxes if min(box.x0, box.y0, wide - box.x1, high - box.y1) < 0]
    return outside + [(one, other) for (one, a), (other, b) in combinations(boxes, 2)
                      if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1]


def arrows(picture):
    return [line for axes in picture.axes for line in axes.lines if line.get_marker() == ">"]


# Any events at all, sensible or not, in runs of the same one. Marks above and below letters, which may be piled as high
# as one likes, are left out.
letters = st.characters(exclude_categories=["C", "M"])
numbers = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0, 65536.0, 5e-324, 1.7e308]) | st.floats()
indices = st.lists(st.integers(0, 3), max_size=4).map(tuple)
places = st.builds(Where, st.sampled_from([FILE, "<ipython-input-3-abc>", "nowhere.py", "", "\0"]),
                   st.integers(-1, 10**6), st.sampled_from(["<module>", "train"]) | st.text(letters, max_size=60))
states = st.builds(Provenance, indices, st.lists(numbers, max_size=2).map(tuple), indices, indices, indices)
fields = {"where": st.none() | places, "after": st.none() | places, "parameters": indices, "lost": indices,
          "in_step": st.booleans(), "explicit": st.booleans(), "found_inf": st.booleans(),
          "gradients": st.dictionaries(states, indices, max_size=3),
          "how": st.sampled_from(["optimizer", "norm", "value", "by hand"]), "what": st.text(letters, max_size=60),
          "scheduler": st.text(letters, max_size=60), "max_norm": st.none() | numbers, "factor": st.none() | numbers,
          "lr": st.lists(numbers, max_size=3).map(tuple), "before": numbers, "number": st.integers(1, 10**7),
          **dict.fromkeys(["norm", "norm_before", "norm_after", "scale", "coefficient", "norm_type", "moved"], numbers),
          **dict.fromkeys(["given", "missing", "foreign"], st.integers(0, 10**6)), "optimizer": st.integers(0, 2)}


def events_of(kind):
    own = {name: fields[name] for name in kind.__dataclass_fields__ if name in fields}
    return st.builds(kind, **own | ({"before": fields["lr"]} if kind is Schedule else {}))


runs = st.tuples(st.sampled_from(list(KINDS.values())).flatmap(events_of), st.integers(1, 7))
ledgers = st.lists(runs, max_size=9).map(lambda runs: Ledger(
    [copy.copy(event) for event, times in runs for _ in range(times)], ["w"] * 4, [(0, 1), (2, 3)]))
findings = st.lists(max_size=3, elements=st.builds(
    Finding, st.sampled_from([*pitfalls.ids(), "unheard-of"]), st.sampled_from(["error", "warn", "info"]),
    st.text(letters, max_size=400), st.just(""), st.just({}), st.lists(st.integers(0, 70), max_size=5).map(tuple)))


@settings(max_examples=40)
@given(ledgers, findings, st.booleans())
def test_whatever_happened_is_drawn_and_no_two_texts_meet(events, findings, last):
    picture = draw(events, -1 if last and len(events) else None, findings)
    assert misplaced(picture) == []
    assert len(names(picture)) <= MOST + 1


@settings(max_examples=100)
@given(ledgers, indices, st.integers(0, 2))
def test_every_event_is_in_one_turn_of_the_loop_and_there_in_one_row(events, marked, optimizer):
    turns = passes(events, optimizer)
    assert [place for places in turns for place in places] == list(range(len(events)))
    for places in turns:
        rows = gather(events, places, marked)
        assert sorted(place for row in rows for place in row.places) == list(places)
        assert 0 < len(rows) <= MOST
        # What a finding marks is left out last.
        assert not any(row.hidden and set(row.places) & set(marked) for row in rows) or len(set(marked)) > MOST // 2


@settings(max_examples=100)
@given(ledgers)
def test_the_flow_has_a_reach_before_and_after_each_event_and_no_norm_below_zero(events):
    for places in passes(events):
        reaches = flow(events, places.start, places.stop, held=events.held, leftover=events.leftover)
        assert len(reaches) == len(places) + 1


# Real loops.

every_loop = pytest.mark.parametrize("loop", [*LEGITIMATE, *WRONG], ids=str)


@cache
def recorded(loop):
    return loop.run()[0] if hasattr(loop, "run") else loop.program()


@every_loop
def test_a_real_loop_is_drawn_whole_with_what_was_found(loop):
    events = recorded(loop)
    found = events.findings()
    picture = events.draw()
    _, _, places = choose(events, first=found[0].events if found else ())
    assert told(picture) == len(places)
    assert misplaced(picture) == []
    if found:
        title = pitfalls.get(found[0].pitfall).name
        assert title in words(picture) and picture.alt.endswith(title)
        assert found[0].message in " ".join(words(picture))
        assert any(text.get_color() == scene.LETTERS[scene.WRONG] for text in names(picture))
    elif len(events):  # a ledger cannot see an optimizer that steps inside backward
        assert "nothing to report" in picture.alt and "nothing to report" in " ".join(words(picture))


# One step in detail.

def test_a_right_step_ends_in_green_words():
    picture = draw(Ledger(turn(backwards=2), ["a", "b"], [(0, 1)]), findings=())
    (last,) = (text for text in texts(picture) if text.get_text().endswith("nothing to report"))
    assert last.get_text() == "zero_grad · backward × 2 · clip · step: nothing to report"
    assert last.get_color() == scene.LETTERS[scene.RIGHT] and "✓" in words(picture)
    assert picture.alt == "one training step: zero_grad, backward × 2, clip, step: nothing to report"
    assert not arrows(picture)


def test_the_words_for_those_who_cannot_see_do_not_depend_on_what_was_measured():
    alts = {draw(Ledger([*turn(norm), *turn(norm)]), findings=[finding("clip-after-step", 2)]).alt
            for norm in (8.0, 3.1, math.inf)}
    assert alts == {"one training step: zero_grad, backward, clip, step. Clipping after the step"}


def test_the_same_ledger_gives_the_same_bytes_and_touches_no_setting_of_matplotlib():
    before = dict(matplotlib.rcParams)
    first, second = (draw(Ledger(turn(backwards=3)), findings=[finding("missing-zero-grad", 4)]) for _ in range(2))
    assert first.png() == second.png() and repr(first) == repr(second)
    assert dict(matplotlib.rcParams) == before
    assert not matplotlib._pylab_helpers.Gcf.get_all_fig_managers()


def test_no_picture_shows_a_path():
    picture = draw(Ledger([*turn(), Schedule(where=at(5, "train"))]), findings=[])
    assert "in train" in words(picture) and "3" in words(picture)
    assert not any("somebody" in word or "456" in word for word in [*words(picture), picture.alt])


def test_an_empty_ledger_and_one_event_are_pictures_too():
    assert draw(Ledger()).alt == "one training step: nothing was recorded"
    assert "with block" in " ".join(words(draw(Ledger())))
    alone = draw(Ledger([Backward(where=at(2), norm=3.0)]), findings=[])
    assert told(alone) == 1 and any("no update yet" in word for word in words(alone))


@pytest.mark.parametrize("norm, word", [(math.inf, "inf"), (math.nan, "")])
def test_what_is_not_finite_fills_the_river_and_what_was_not_measured_leaves_it_dry(norm, word):
    gradients = summed(1)
    events = Ledger([ZeroGrad(where=at(1)), Backward(where=at(2), parameters=(0, 1), norm=norm)], leftover=gradients)
    picture = draw(events, findings=[])
    waters = [patch.get_path().get_extents() for patch in picture.axes[0].patches]
    assert [water.x1 for water in waters] == ([river.BANK] if word else [])
    assert word in words(picture) if word else "norm not measured" in words(picture)


def test_a_norm_of_a_million_reaches_further_than_a_norm_of_one_and_no_further_than_the_bank():
    edges = [max(line.get_xdata()) for line in draw(Ledger(turn(1e6))).axes[0].lines if len(line.get_xdata()) > 9]
    assert river.RIVER < min(edges) < max(edges) < river.BANK


def test_a_scale_hatches_the_river_until_it_is_divided_out():
    scaled = {Provenance(backwards=(0,), scales=(65536.0,)): (0, 1)}
    events = [Backward(where=at(2), parameters=(0, 1), norm=65536.0 * 3, scale=65536.0),
              Unscale(where=at(3), scale=65536.0, gradients=scaled),
              Step(where=at(4), parameters=(0, 1), norm=3.0, gradients=summed(1))]
    picture = draw(Ledger(events, leftover={Provenance((0,), (1.0,), steps=(2,)): (0, 1)}))
    assert [bool(patch.get_hatch()) for patch in picture.axes[0].patches] == [True, False, False]
    assert {"196,608 → 3", "divided by 65,536", "used 3"} <= set(words(picture))
    assert picture.axes[0].patches[-1].get_facecolor() == matplotlib.colors.to_rgba(river.USED)


# Order, in colour and in words.

@pytest.mark.parametrize("pitfall", BELONGS)
def test_what_is_out_of_order_is_marked_and_an_arrow_leads_to_where_it_belongs(pitfall):
    kind, side, anchor, _ = BELONGS[pitfall]
    order = [anchor, Measure, kind] if side == "before" else [kind, Measure, anchor]
    events = Ledger([kind(where=at(line)) for line, kind in enumerate([Edit, *order], 1)])
    place = 1 + order.index(kind)
    picture = draw(events, findings=[finding(pitfall, place)])
    assert [text.get_text() for text in names(picture) if text.get_weight() == "bold"] == [kind.kind]
    (arrow,) = arrows(picture)
    target = 1 + order.index(anchor) + (side == "after")
    assert arrow.get_ydata() == [scene.TOP + scene.PITCH * target]  # between two rows
    assert arrow.get_color() == scene.WRONG


def test_what_stands_in_its_place_is_marked_without_an_arrow():
    picture = draw(Ledger(turn()), findings=[finding("clip-each-micro-batch", 2)])
    assert [text.get_text() for text in names(picture) if text.get_weight() == "bold"] == ["clip"]
    assert not arrows(picture)


def test_a_zero_grad_that_is_missing_has_a_row_that_says_so_before_the_backward():
    events = [*turn(), *list(turn())[1:]]
    used = Provenance((1,), (1.0,), steps=(3,))
    events[4].gradients = {used: (0, 1)}
    events[5].gradients = events[6].gradients = {used._replace(backwards=(1, 4), scales=(1.0, 1.0)): (0, 1)}
    picture = draw(Ledger(events), findings=[finding("missing-zero-grad", 3, 6)])
    assert [text.get_text() for text in names(picture)] == ["no zero_grad", "backward", "clip", "step"]
    assert {"already used", "added to the used one", "step 2 of 2"} <= set(words(picture))


def test_the_finding_is_said_in_full_and_others_by_name():
    message = "Your clip ran late, $5 too late_ and so on. " * 8
    picture = draw(Ledger(turn()), findings=[finding("clip-after-step", 2, message=message),
                                             finding("always-clipped", 2), finding("missing-zero-grad", 3)])
    said = " ".join(words(picture))
    assert " ".join(message.split()) in said
    assert all(pitfalls.get(name).name in said for name in ("clip-after-step", "always-clipped", "missing-zero-grad"))
    assert picture.alt.endswith(pitfalls.get("clip-after-step").name)


def test_a_finding_that_is_only_worth_knowing_is_not_drawn_in_the_colour_of_mistakes():
    info = Finding("always-clipped", "info", "Each of 9 steps was clipped.", "", {}, (2,))
    picture = draw(Ledger(turn()), findings=[info])
    assert info.message in words(picture)
    assert scene.LETTERS[scene.WRONG] not in [text.get_color() for text in texts(picture)]


# Which step.

def test_by_default_the_step_that_the_first_finding_leads_to_is_drawn_and_else_the_first():
    events = Ledger([event for norm in (5.0, 6.0, 7.0) for event in turn(norm)])
    assert "step 1 of 3" in words(draw(events)) and "5" in words(draw(events))
    assert "step 3 of 3" in words(draw(events, findings=[finding("clip-after-step", 10), finding("wrong-norm", 1)]))


def test_a_step_that_no_finding_marks_is_not_called_right_while_there_are_findings():
    events = Ledger([event for norm in (5.0, 6.0, 7.0) for event in turn(norm)])
    picture = draw(events, -1, [finding("clip-after-step", 2)])
    assert {"step 3 of 3", "7"} <= set(words(picture)) and "✓" not in words(picture)
    assert any("see step 1: Clipping after the step" in word for word in words(picture))
    assert "nothing to report" not in picture.alt


def test_a_step_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(IndexError, match="no update 7.*0 to 1"):
        draw(Ledger([*turn(), *turn()]), 7)
    with pytest.raises(IndexError, match="empty"):
        draw(Ledger(), 0)


def test_what_follows_the_step_in_the_same_turn_of_the_loop_belongs_to_it():
    late = [*turn(), Clip(where=at(5)), ZeroGrad(where=at(6))]  # the lines go on downwards
    assert passes([*late, *late]) == [range(6), range(6, 12)]
    early = [Clip(where=at(1)), Backward(where=at(2)), Step(where=at(3))]  # and here the loop begins again
    assert passes([*early, *early]) == [range(3), range(3, 6)]
    elsewhere = [Backward(where=at(2)), Step(where=at(3)), Clip(where=at(1, "limit"))]  # lines that cannot be compared
    assert choose([*elsewhere, *elsewhere], first=(1, 2)) == (0, 2, range(3))


# Many events.

def test_repeats_share_a_row_when_there_are_more_than_four():
    assert [text.get_text() for text in names(draw(Ledger(turn(backwards=4))))][1:5] == [
        f"backward {number} of 4" for number in (1, 2, 3, 4)]
    assert "backward × 5" in words(draw(Ledger(turn(backwards=5))))


def test_the_turns_of_a_long_loop_share_their_rows():
    loop = [event for number in range(30) for event in (Backward(where=at(2), number=number + 1), Clip(where=at(3)))]
    picture = draw(Ledger([ZeroGrad(where=at(1)), *loop, Step(where=at(4))]), findings=[])
    assert [text.get_text() for text in names(picture)] == ["zero_grad", "backward × 30", "clip × 30", "step"]
    assert picture.alt == "one training step: zero_grad, (backward, clip) × 30, step: nothing to report"


def test_what_finds_no_room_is_counted_and_what_is_marked_finds_room():
    many = [Backward(where=at(line), number=line) for line in range(1, 101)]
    picture = draw(Ledger([*many, Step(where=at(101))]), findings=[finding("mean-of-means", 70)])
    assert "backward 71" in words(picture) and "step" in words(picture)
    assert told(picture) == 101 and len(names(picture)) == MOST


# How large the gradient is.

def test_clips_of_single_tensors_take_their_share_as_pythagoras_says():
    state = summed(1)
    clips = [Clip(where=at(3), given=1, parameters=(which,), norm=norm, max_norm=1.0, coefficient=1 / norm,
                  gradients=state) for which, norm in ((0, 3.0), (1, 4.0))]
    events = Ledger([ZeroGrad(where=at(1)), Backward(where=at(2), parameters=(0, 1), norm=5.0), *clips], leftover=state)
    norms = [reach.norm for reach in flow(events, 0, 4, leftover=events.leftover)]
    assert norms == pytest.approx([0, 0, 5, math.sqrt(1 + 16), math.sqrt(2)])


@pytest.mark.parametrize("loop", LEGITIMATE, ids=str)
def test_what_was_reckoned_is_what_an_update_of_all_gradients_finds(loop):
    events = recorded(loop)
    for place, event in enumerate(events):
        held = sum(len(names) for origin, names in event.gradients.items() if origin.backwards or origin.edits)
        if isinstance(event, Step) and held <= len(event.parameters) and math.isfinite(event.norm):
            start = max((before for before in range(place) if isinstance(events[before], Step)), default=-1) + 1
            if start == place:
                continue
            *_, reach = flow(events[:place], start, place, held=events.held, leftover=event.gradients)
            assert reach.norm is None or reach.norm == pytest.approx(event.norm, rel=1e-4, abs=1e-9)
