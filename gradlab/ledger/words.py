"""What a picture of a training step says about its events."""

import math
from collections.abc import Sequence

from gradlab.ledger.events import Backward, Clip, Edit, Event, Measure, Schedule, Skip, Step, Unscale, Where, ZeroGrad
from gradlab.ledger.flow import Reach, whole


def number(value: float | None) -> str:
    """Three digits, or whole thousands: '0.0123', '13', '65,536', '1.2e+09', 'inf', 'NaN'; nothing for None."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "−inf"
    rounded = float(f"{value:.3g}")
    if rounded and not 1e-3 <= abs(rounded) < 1e7:
        return f"{value:.1e}".replace(".0e", "e")
    return f"{value:,.0f}" if abs(rounded) >= 1000 else f"{rounded:g}"


def plural(count: int, noun: str) -> str:
    """'1 tensor', '2 tensors'."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def line(where: Where | None, after: Where | None = None) -> tuple[str, str]:
    """The number of a line and its source; for what is only known to lie between two lines, words instead."""
    if not where or where.line < 1:
        return "", ""
    if after is None:
        return str(where.line), code(where)
    if (after.file, after.function) == (where.file, where.function) and after.line < where.line:
        return "", f"between lines {after.line} and {where.line}"
    return "", f"before line {where.line}"


def code(where: Where) -> str:
    """A source line without its comment and without the path to torch's utilities; empty where it is not at hand."""
    try:
        source = where.text
    except (OSError, ValueError, SyntaxError):  # what linecache makes of odd file names and encodings
        return ""
    return source.partition("  #")[0].replace("torch.nn.utils.", "").replace("nn.utils.", "").strip()


def plain(event: Event) -> str:
    """The name of what happened, alone: 'backward'."""
    return "step skipped" if isinstance(event, Skip) else event.kind


def name(events: Sequence[Event], of: int = 1) -> str:
    """'backward 2 of 4', 'clip × 45'. of: how many backward passes there are."""
    word = plain(events[0])
    if len(events) > 1:
        return f"{word} × {len(events):,}"
    if of == 1 or not isinstance(events[0], Backward):
        return word
    return f"{word} {events[0].number} of {of}" if of < 100 else f"{word} {events[0].number:,}"


def manner(event: Event, optimizers: int = 1) -> str:
    """How or to whom it happened, where that is worth a word."""
    found = []
    if isinstance(event, Step | Skip | Unscale | Schedule) and optimizers > 1:
        found.append(f"optimizer {event.optimizer}")
    if isinstance(event, ZeroGrad | Clip) and event.how in ("by hand", "value"):
        found.append({"value": "by value"}.get(event.how, event.how))
    if isinstance(event, Unscale) and not event.explicit:
        found.append("in step" if optimizers > 1 else "in scaler.step")
    if isinstance(event, Edit) and event.what:
        found.append(event.what)
    return ", ".join(found + ["in step"] * event.in_step)


def note(events: Sequence[Event], before: Reach, after: Reach) -> tuple[str, str]:
    """What it did to the gradient, in a few words and in a few smaller ones."""
    event = events[-1]
    change = number(after.norm)
    if number(before.norm) and change and number(before.norm) != change:
        change = f"{number(before.norm)} → {change}"
    match event:
        case ZeroGrad():
            lost = len({place for event in events for place in event.lost})
            said = "nothing to clear" if not event.parameters else "cleared" if after.norm == 0 else "partly cleared"
            return said, plural(lost, "backward") + " lost" if lost else ""
        case Backward():
            return number(after.norm), _sum(event, after)
        case Unscale():
            return change, "found inf or NaN" if event.found_inf else f"divided by {number(event.scale)}"
        case Clip():
            return _clip(events, change)
        case Measure():
            return number(event.norm), "only read" if not math.isnan(event.norm) else ""
        case Edit():
            return change, "" if event.factor is None else f"times {number(event.factor)}"
        case Step():
            used = event.norm if not math.isnan(event.norm) else before.norm
            rates = " and ".join(dict.fromkeys(map(number, event.lr)))
            return f"used {number(used)}" if number(used) else "", f"lr {rates}" if rates else ""
        case Skip():
            return "no update", "found inf or NaN"
    if isinstance(event, Schedule):
        first, last = (" and ".join(dict.fromkeys(map(number, rates))) for rates in (events[0].before, event.lr))
        return f"lr {first} → {last}" if first != last else f"lr {last}" if last else "", event.scheduler
    first, last = number(getattr(events[0], "before", None)), number(getattr(event, "scale", None))
    return f"{first} → {last}" if first != last else last, "loss scale" if last else ""


def _sum(event: Backward, after: Reach) -> str:
    if after.old is not None:
        return "added to the used one"
    if event.scale != 1:
        return f"loss scale {number(event.scale)}"
    return "" if after.norm is not None else "norm not measured"


def _clip(events: Sequence[Clip], change: str) -> tuple[str, str]:
    clip = events[-1]
    if not any(event.given for event in events) and not clip.parameters:
        return f"saw {number(clip.norm)}", "was given 0 tensors"
    if all(event.missing >= event.given and event.given for event in events):
        return f"saw {number(clip.norm)}", "no gradients yet"
    limit = "" if clip.max_norm is None else f"±{number(clip.max_norm)}" if clip.how == "value" else (
        f"max_norm {number(clip.max_norm)}")
    if len(events) > 1:
        return change, f"{limit} each" if limit else "each alone"
    if clip.coefficient == 1:
        seen = change if change and whole(clip) else number(clip.norm)  # of some gradients only what it saw is its own
        return seen, f"under {limit}" if limit else "left alone"
    if not whole(clip):
        part = plural(len(clip.parameters), "tensor")
        return change or number(clip.norm), f"{part} to {limit.removeprefix('max_norm ')}" if limit else part
    return change, limit or f"times {number(clip.coefficient)}"
