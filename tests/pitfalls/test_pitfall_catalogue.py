"""The catalogue is whole, its ids are permanent, and every entry says what it owes."""

import re

import pytest

from gradlab import pitfalls
from gradlab.pitfalls.pitfall import CHANNELS, LEVELS

# Permanent: a line may be added, none renamed. What is retired stays here, in a list of its own.
IDS = """
clip-missing clip-after-step clip-before-backward missing-zero-grad zero-grad-before-step
clip-each-micro-batch wrong-accumulation-divisor mean-of-means leftover-micro-batches batch-statistics-differ
wrong-noise-scale
clip-before-unscale unscale-twice backward-after-unscale scaler-bypassed scaler-dtype-mismatch
forward-outside-autocast overflow-not-skipped loss-scale-wrong-way loss-scale-grows-too-soon scaled-norm-reported
exhausted-parameters clip-set-mismatch per-tensor-norm rank-local-norm value-clip-for-norm-clip wrong-norm
always-normalise max-norm-not-positive clip-cures-nonfinite low-precision-norm
reported-norm-is-pre-clip always-clipped adam-needs-no-clip clip-after-warmup-only
scheduler-off-by-one scheduler-wrong-clock decay-out-of-place optimizer-set-mismatch ddp-sync-scope
wrong-init-scale structural-zero nonfinite-unseen zeroed-not-skipped skipped-gradient-kept
missing-barrier barrier-not-reached block-race reading-past-end wrong-tail block-local-norm forgotten-root
always-writes inverted-coefficient nan-slips-through
""".split()
SEVERAL_PROCESSES = {"rank-local-norm", "ddp-sync-scope"}  # no exercise runs more than one
ONLY_IN_EXERCISES = set("""
clip-missing wrong-noise-scale forward-outside-autocast overflow-not-skipped loss-scale-wrong-way
loss-scale-grows-too-soon scaled-norm-reported wrong-norm always-normalise reported-norm-is-pre-clip
adam-needs-no-clip decay-out-of-place wrong-init-scale structural-zero nonfinite-unseen zeroed-not-skipped
skipped-gradient-kept
""".split()) | set(IDS[-10:])  # of the kernels all
SECTIONS = ("order", "accumulation", "mixed precision", "clipping", "limit", "schedules and sets", "depth",
            "kernels")
LABS = ("01_clipping", "02_warmup", "03_accumulation", "04_mixed_precision", "05_vanishing_exploding", "06_diagnosis",
        "07_kernels")

every = pytest.mark.parametrize("pitfall", pitfalls.CATALOGUE, ids=lambda pitfall: pitfall.id)


def test_the_ids_are_permanent():
    assert list(pitfalls.ids()) == IDS
    assert [pitfall.id for pitfall in pitfalls.CATALOGUE] == IDS
    assert len(set(IDS)) == len(IDS) == 55


def test_an_id_gets_its_pitfall():
    assert [pitfalls.get(id) for id in IDS] == list(pitfalls.CATALOGUE)


@pytest.mark.parametrize(("wrong", "meant"), [
    ("clip-after-steps", "clip-after-step"), ("CLIP-AFTER-STEP", "clip-after-step"),
    ("clip_before_unscale", "clip-before-unscale"), ("zero-grad", "zero-grad-before-step")])
def test_an_unknown_id_is_met_with_the_closest_ones(wrong, meant):
    with pytest.raises(KeyError) as caught:
        pitfalls.get(wrong)
    assert f"{wrong!r}; did you mean" in str(caught.value) and meant in str(caught.value)


def test_an_id_like_no_other_is_met_with_where_to_find_them():
    with pytest.raises(KeyError, match=r"no pitfall has the id 'xyzzy'; pitfalls.ids\(\) lists them"):
        pitfalls.get("xyzzy")
    with pytest.raises(KeyError, match="no pitfall has the id None"):
        pitfalls.get(None)


@every
def test_every_entry_is_complete(pitfall):
    for text in (pitfall.belief, pitfall.happens, pitfall.told_apart, pitfall.experiment):
        assert len(text) > 20 and text.endswith(".") and "  " not in text and "—" not in text
    assert pitfall.name and not pitfall.name.endswith(".") and pitfall.name[0].isupper()
    assert pitfall.told_by and set(pitfall.told_by) <= set(CHANNELS)
    assert pitfall.level in (*LEVELS, None) and pitfall.lab in LABS and pitfall.section in SECTIONS


@every
def test_what_happens_is_said_with_figures(pitfall):
    assert re.search(r"\d", pitfall.happens)


@every
def test_beliefs_and_experiments_are_one_sentence(pitfall):
    for text in (pitfall.belief, pitfall.experiment):
        assert not re.search(r"[.!?] [A-Z]", text)


@every
def test_every_entry_says_where_a_check_stays_silent(pitfall):
    traps = {"reported-norm-is-pre-clip", "adam-needs-no-clip"}  # never reported on a running loop
    assert "stays silent" in pitfall.told_apart or pitfall.id in traps


def test_a_pitfall_without_a_level_is_one_that_only_exercises_name():
    assert {pitfall.id for pitfall in pitfalls.CATALOGUE if pitfall.level is None} == ONLY_IN_EXERCISES


def test_the_sections_come_in_order_and_each_in_one_piece():
    assert list(dict.fromkeys(pitfall.section for pitfall in pitfalls.CATALOGUE)) == list(SECTIONS)
    places = [SECTIONS.index(pitfall.section) for pitfall in pitfalls.CATALOGUE]
    assert places == sorted(places)


@every
def test_threads_are_addresses(pitfall):
    assert pitfall.threads and len(set(pitfall.threads)) == len(pitfall.threads)
    for thread, link in zip(pitfall.threads, pitfall.links, strict=True):
        owner, repository, number = re.fullmatch(r"([\w-]+)/([\w.-]+)#(\d+)", thread).groups()
        assert link == f"https://github.com/{owner}/{repository}/issues/{number}"


@every
def test_whatever_an_exercise_names_can_be_said_without_a_line_number(pitfall):
    # A checker by value, or by order on a function typed into a cell, has the numbers of a fixture and no lines.
    lineless = [variant for variant in pitfall.variants
                if not any(name.startswith("line") for name in pitfall.evidence(variant))]
    assert lineless or pitfall.id in SEVERAL_PROCESSES


@every
def test_neither_message_nor_experiment_gives_the_fix_away(pitfall):
    advice = re.compile(r"\b(should|must|ought|need to|have to|instead|fix|correct|replace|remove|insert|call)\b", re.I)
    calls = re.compile(r"\b(clip_grad\w*|zero_grad|unscale_|backward|step|update|scale)\(")
    for text in (pitfall.experiment, *pitfall.messages.values()):
        assert not advice.search(text)
    assert not calls.search(pitfall.experiment)
    assert re.search(r"\b(print|plot|draw|count|compare|compute|look)\b", pitfall.experiment, re.I)


@every
def test_a_notebook_shows_the_belief_the_truth_and_the_threads(pitfall):
    bundle = pitfall._repr_mimebundle_()
    assert bundle["text/plain"] == f"{pitfall.name} ({pitfall.id})"
    for part in (pitfall.name, pitfall.belief, pitfall.happens, *pitfall.threads, *pitfall.links):
        assert part in bundle["text/markdown"]


def test_a_pitfall_cannot_be_changed():
    pitfall = pitfalls.get("clip-after-step")
    with pytest.raises(AttributeError):
        pitfall.id = "other"
    with pytest.raises(TypeError):
        pitfall.messages[""] = "other"
    assert repr(pitfall) == "Pitfall('clip-after-step')" and len({pitfall, pitfalls.get("clip-after-step")}) == 1
