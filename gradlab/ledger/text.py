"""A ledger in words: one aligned line an event."""

import math
import os
from collections.abc import Sequence

from gradlab.ledger.events import (
    Backward,
    Clip,
    Edit,
    Event,
    Measure,
    ScalerUpdate,
    Schedule,
    Skip,
    Step,
    Unscale,
    ZeroGrad,
)


def table(ledger) -> str:
    """All events of a ledger; a note at the end says what is missing."""
    if not len(ledger):
        return "no events" + ("" if ledger.finished else " yet")
    names = len({event.where.file for event in ledger}) > 1
    several = len(ledger.held) > 1
    rows = [(place(event, names), event.kind, says(event, ledger.parameters, several)) for event in ledger]
    left, middle = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"{where:<{left}}  {kind:<{middle}}  {what}".rstrip() for where, kind, what in rows]
    if ledger.dropped:
        lines.append(f"and {ledger.dropped} later events, which were left out because the ledger was full")
    return "\n".join(lines)


def place(event: Event, with_file: bool) -> str:
    where = f"line {event.where.line}"
    if with_file:
        where = f"{os.path.basename(event.where.file)}, {where}"
    return f"before {where}" if event.after else where


def says(event: Event, parameters: Sequence[str], several: bool) -> str:
    """What an event did, without its place and kind; `several` names the optimizer where there is more than one."""
    whose = f"optimizer {event.optimizer}: " if several and hasattr(event, "optimizer") else ""
    inside = ", inside step" if event.in_step else ""
    return whose + _words(event, parameters) + inside


def _words(event: Event, parameters: Sequence[str]) -> str:
    match event:
        case ZeroGrad():
            how = {"optimizer": "", "module": " by the module", "by hand": " by hand"}.get(event.how, "")
            lost = f", unused: {_backwards(event.lost)}" if event.lost else ""
            return f"{_gradients(len(event.parameters))} cleared{how}{lost}"
        case Backward():
            parts = [f"micro-batch {event.number}", f"{_gradients(len(event.parameters))}"]
            parts += [f"norm {number(event.norm)}"] if not math.isnan(event.norm) or event.parameters else []
            parts += [f"loss / {number(event.divisor)}"] if event.divisor is not None else []
            parts += [f"loss scale {number(event.scale)}"] if event.scale != 1 else []
            parts += [f"autocast {event.autocast}"] if event.autocast else []
            return ", ".join(parts)
        case Unscale():
            inf = ", met inf or NaN" if event.found_inf else ""
            return f"divided by {number(event.scale)}{inf}" + ("" if event.explicit else ", by scaler.step")
        case Clip():
            after = event.norm if event.coefficient == 1 else event.norm * event.coefficient
            limit = "by hand" if event.how == "by hand" else (
                f"{'limit' if event.how == 'value' else 'max_norm'} {number(event.max_norm)}")
            whole = f", of {_tensors(event.given)}" + (f", {event.missing} without a gradient" if event.missing else "")
            return f"norm {number(event.norm)} -> {number(after)} ({limit}){whole}"
        case Measure():
            return f"norm {number(event.norm)} of {_tensors(event.given)}, nothing changed"
        case Edit():
            by = f" by {event.what}" if event.what not in ("", "replaced") else ""
            factor = f", factor {number(event.factor)}" if event.factor is not None else ""
            return (f"norm {number(event.norm_before)} -> {number(event.norm_after)}{factor}, "
                    f"{_gradients(len(event.parameters))} "
                    f"{'replaced' if event.what == 'replaced' else 'changed'}{by}")
        case Step():
            moved = "" if math.isnan(event.moved) else f", weights moved {number(event.moved)}"
            through = ", through the scaler" if event.through_scaler else ""
            rates = "/".join(dict.fromkeys(map(number, event.lr)))
            return f"used norm {number(event.norm)} of {_gradients(len(event.parameters))}, lr {rates}{moved}{through}"
        case Skip():
            return "left out by the scaler, a gradient was not finite"
        case ScalerUpdate():
            return f"loss scale {number(event.before)} -> {number(event.scale)}"
        case Schedule():
            old, new = (", ".join(dict.fromkeys(map(number, rates))) for rates in (event.before, event.lr))
            return f"{event.scheduler}: lr {old} -> {new}"
    return ""


def number(value: float | None) -> str:
    """Four significant digits; "?" for a number that was not measured."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "NaN" if value is not None else "?"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e7 else f"{value:.4g}"


def _gradients(count: int) -> str:
    return f"{count} gradient" + "s" * (count != 1)


def _tensors(count: int) -> str:
    return f"{count} tensor" + "s" * (count != 1)


def _backwards(places: Sequence[int]) -> str:
    return f"{len(places)} backward" + "s" * (len(places) != 1)
