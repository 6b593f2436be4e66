"""The verdict on a learner's function: exactly one thing, found in a fixed order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gradlab import pitfalls
from gradlab.exercises.alarm import TimeUp
from gradlab.exercises.calling import refusal, untouched
from gradlab.exercises.fingerprints import agree, match, same
from gradlab.exercises.mistakes import Diagnosis, Rule
from gradlab.exercises.trial import Trial
from gradlab.exercises.verdict import Verdict
from gradlab.pitfalls.pitfall import written

if TYPE_CHECKING:
    from gradlab.exercises.exercise import Exercise

UNTOUCHED = "Nothing is written here yet. Replace the marked lines, then check again."


def judge(exercise: Exercise, function: Callable, seconds: float) -> Verdict:
    """The verdict on `function`, which has `seconds` for all situations together.

    In this order: what cannot be called; a stub; all right; on the first fixture that is wrong an edited input or a
    result of the wrong kind; rules on the structure; results of known wrong programs; an error that none of these
    explains; rules on symptoms; the bare difference.
    """
    def verdict(outcome: str, diagnosis: Diagnosis, trial: Trial | None = None) -> Verdict:
        experiment = diagnosis.experiment
        if diagnosis.id is not None and not experiment:
            experiment = pitfalls.get(diagnosis.id).experiment
        seen = {} if trial is None else {"fixture": trial.fixture.words, "ledger": trial.ledger,
                                         "printed": trial.printed, "warned": trial.warned}
        return Verdict(outcome, diagnosis.id, _sentence(diagnosis.message), experiment, exercise.name, exercise.title,
                       variant=diagnosis.variant, **seen)

    if reason := refusal(function, exercise.signature):
        return verdict("error", Diagnosis(None, reason, f"The first line is `{exercise.signature}`."))
    if untouched(function):
        return verdict("not attempted", Diagnosis(None, UNTOUCHED))
    trials = _trials(exercise, function, time.monotonic() + seconds)
    right = exercise.right_trials[:len(trials)]
    if trials[0].fault is not None and trials[0].fault.unfinished:
        return verdict("not attempted", Diagnosis(None, UNTOUCHED))
    bad = [(mine, ideal) for mine, ideal in zip(trials, right, strict=True) if not _fits(mine, ideal)]
    if not bad:
        recorded = [trial for trial in trials if trial.ledger]  # the last situation is the fullest
        return verdict("right", Diagnosis(None, f"Right in all {len(trials)} situations."), *recorded[-1:])
    mine, ideal = bad[0]
    outcome = "wrong" if mine.fault is None else "error"
    if mine.changed or mine.unfit:
        return verdict(outcome, Diagnosis(None, mine.changed or mine.unfit), mine)
    if found := _first(exercise.structure, bad):
        return verdict(outcome, *found)
    if mine.fault is None or mine.fault.type is not TimeUp:
        known = [(wrong, tried[:len(trials)]) for wrong, tried in exercise.wrong_trials]
        if (wrong := match(trials, right, known)) and (found := _safely(wrong.diagnosis, mine, ideal)):
            return verdict(outcome, found, mine)
    if mine.fault is not None:
        return verdict("error", _failed(mine, seconds), mine)
    if found := _first(exercise.symptoms, bad):
        return verdict(outcome, *found)
    told = exercise.unexplained and _safely(exercise.unexplained, mine, ideal)
    return verdict(outcome, Diagnosis(None, told or _difference(mine, ideal)), mine)


def _trials(exercise: Exercise, function: Callable, deadline: float) -> list[Trial]:
    """The trials on all fixtures, or on those up to one that used up the time."""
    trials = []
    for fixture in exercise.fixtures:
        trials.append(fixture.run(function, max(0.05, deadline - time.monotonic())))
        fault = trials[-1].fault
        if fault is not None and (fault.type is TimeUp or fault.unfinished):
            break
    return trials


def _fits(mine: Trial, ideal: Trial) -> bool:
    if mine.fault is not None or mine.unfit or mine.changed:
        return False
    return mine.fixture.accepts(mine) if mine.fixture.accepts else agree(mine, ideal)


def _first(rules: Sequence[Rule], bad: Sequence[tuple[Trial, Trial]]) -> tuple[Diagnosis, Trial] | None:
    for rule in rules:
        for mine, ideal in bad:
            if (found := _safely(rule, mine, ideal)) is not None:
                return found, mine
    return None


def _safely(tell: Callable, mine: Trial, ideal: Trial) -> Any:
    """What `tell` says, or None where it fails: a trial may hold what nobody thought of, and then it is unexplained."""
    try:
        return tell(mine, ideal)
    except Exception:
        return None


def _failed(mine: Trial, seconds: float) -> Diagnosis:
    fault, raises = mine.fault, mine.fixture.raises
    place = f" (line {fault.line}: `{fault.source}`)" if fault.line is not None else ""
    if fault.type is TimeUp:
        return Diagnosis(None, f"Your function was stopped when its {seconds:g} seconds were up{place}",
                         "Look for a loop whose condition never becomes false.")
    asked = f"; a {raises.__name__} is asked for here" if raises is not None else ""
    said = f"{fault.kind}: {fault.text}" if fault.text else fault.kind
    return Diagnosis(None, f"Your function stopped with {said}{place}{asked}")


def _difference(mine: Trial, ideal: Trial) -> str:
    """What was expected and what came, as far as numbers and words go."""
    if "raised" in ideal.result:
        return f"With {mine.fixture.words} a {ideal.result['raised']} is asked for, and your function returned"
    if "raised" in mine.result:
        return f"With {mine.fixture.words} your function raised {mine.result['raised']}; nothing is wrong with these"
    parts = [f"{name}: expected {written(value)}, got {written(mine.result[name])}"
             for name, value in ideal.result.items()
             if isinstance(value, float) and isinstance(mine.result.get(name), float)
             and not same(value, mine.result[name], mine.fixture.rtol)]
    return f"With {mine.fixture.words} the result differs" + "".join(f"; {part}" for part in parts)


def _sentence(text: str) -> str:
    """The text with a capital at its beginning and a full stop at its end."""
    text = text.strip()
    first = text.partition(" ")[0]
    if text[:1].islower() and not any(sign in first for sign in "_.(=") and not text.startswith("check "):  # not code
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
