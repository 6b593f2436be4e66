"""Torch's clips, under whatever name the loop calls them."""

import math
from operator import is_
from typing import Any, NamedTuple

from torch import Tensor
from torch.nn import utils
from torch.nn.utils import clip_grad

from gradlab.ledger.events import Clip, Measure, Where
from gradlab.ledger.later import Later, number, value
from gradlab.ledger.observe import provenance
from gradlab.ledger.observe.caller import caller, calling_frame
from gradlab.ledger.observe.given import argument, tensors_of
from gradlab.ledger.observe.norms import joint
from gradlab.ledger.observe.patches import Call, Patch, here

_EPSILON = 1e-6  # torch's, in max_norm / (norm + 1e-6)


class Noted(NamedTuple):
    """What a clip was given."""

    where: Where
    given: int
    missing: int
    foreign: int
    known: tuple[int, ...]  # places, repeats included
    acted: tuple[int, ...]  # places of those with a gradient, each once
    all: bool  # whether they are all gradients there are, each once, and no others
    once: bool  # whether none is repeated


def note(recorder, tensors: list[Tensor]) -> Noted | None:
    """What a clip is about to act on, or None where nothing of it is observed here."""
    watch = recorder.watch
    if len(tensors) == len(watch.parameters) and all(map(is_, tensors, watch.parameters)):  # the usual case
        where = caller(4)
        recorder.notice(where)
        return Noted(where, len(tensors), len(tensors) - len(watch.present), 0, watch.everything, watch.present, True,
                     True)
    places = recorder.places(tensors)
    known = tuple([place for place in places if place is not None])
    if not known and (tensors or recorder.thread != here.thread):
        return None
    where = caller(4)
    recorder.notice(where)
    there = [place for place, tensor in zip(places, tensors, strict=True) if tensor.grad is not None]
    acted = [place for place in there if place is not None]
    once = tuple(sorted(set(acted)))
    return Noted(where, len(tensors), len(tensors) - len(there), len(tensors) - len(known), known, once,
                 len(there) == len(acted) == len(once) and once == watch.present, len(acted) == len(once))


def write(recorder, noted: Noted, how: str, norm: Any, norm_type: float, max_norm: float, coefficient: Any) -> None:
    """Write the event of a clip; with an infinite limit, and a finite norm to leave alone, it was a measurement."""
    if max_norm == math.inf and math.isfinite(value(norm)):
        recorder.write(Measure(where=noted.where, given=noted.given, norm=norm))
        return
    place = recorder.write(Clip(
        where=noted.where, how=how, given=noted.given, missing=noted.missing, foreign=noted.foreign,
        parameters=noted.known, norm=norm, norm_type=norm_type, max_norm=max_norm, coefficient=coefficient))
    recorder.change(noted.acted, lambda p: provenance.with_clip(p, place))


def coefficient_of(norm: Any, max_norm: float) -> Any:
    """min(1, max_norm / (norm + 1e-6)), NaN where that is NaN."""
    if type(norm) is Later:
        return Later(lambda: coefficient_of(value(norm), max_norm))
    quotient = max_norm / (norm + _EPSILON) if norm != -_EPSILON else math.inf
    return 1.0 if quotient >= 1 else quotient


class NormClip:
    """`_clip_grads_with_norm_(parameters, max_norm, total_norm)`, by which torch's clips by norm all end."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        tensors = tensors_of(call, 0, "parameters")
        noted = None if tensors is None else note(recorder, tensors)
        if noted is None:
            return None
        inner = call.name.startswith("_")  # called by clip_grad_norm_, so the norm is that of these very gradients
        norm_type = float(calling_frame().f_locals.get("norm_type", 2.0)) if inner else here.norm_type
        norm = number(argument(call, 2, "total_norm"))
        if inner and noted.all and norm_type == 2:
            if recorder.closely:
                recorder.compare(noted.where, norm)
            recorder.norms.learn(noted.acted, norm)
        recorder.norms.settle()
        return noted, norm, norm_type

    def after(self, recorder, call: Call, noted, result, error) -> None:
        if error is not None:
            return failed(recorder)
        noted, norm, norm_type = noted
        max_norm = float(argument(call, 1, "max_norm"))
        coefficient = coefficient_of(norm, max_norm)
        recorder.watch.settle_versions()
        if noted.once:
            recorder.norms.scaled(noted.acted, coefficient)
        else:
            recorder.norms.forget()
        write(recorder, noted, "norm", norm, norm_type, max_norm, coefficient)


class TotalNorm:
    """`get_total_norm`, called by the loop: a measurement."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        here.norm_type = float(argument(call, 1, "norm_type", 2.0))
        tensors = tensors_of(call, 0, "tensors")
        if not tensors or recorder.thread != here.thread:
            return None
        owners = {id(gradient): place for place, gradient in enumerate(recorder.watch.gradients())
                  if gradient is not None}
        places = [owners[id(tensor)] for tensor in tensors if id(tensor) in owners]
        if not places:
            return None
        where = caller(3)
        recorder.notice(where)
        return where, len(tensors), tuple(sorted(places)) if len(places) == len(tensors) else None

    def after(self, recorder, call: Call, noted, result, error) -> None:
        if error is None:
            where, given, places = noted
            norm = number(result)
            if here.norm_type == 2 and places == recorder.watch.present:
                recorder.norms.learn(places, norm)
            recorder.write(Measure(where=where, given=given, norm=norm))


class OldNormClip:
    """`clip_grad_norm_` itself, in a torch that does not have the functions above."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        tensors = tensors_of(call, 0, "parameters")
        return None if tensors is None else note(recorder, tensors)

    def after(self, recorder, call: Call, noted, result, error) -> None:
        if error is not None:
            return failed(recorder)
        norm, norm_type = number(result), float(argument(call, 2, "norm_type", 2.0))
        max_norm = float(argument(call, 1, "max_norm"))
        coefficient = coefficient_of(norm, max_norm)
        clipped(recorder, noted, norm if norm_type == 2 else None, coefficient if noted.once else None)
        write(recorder, noted, "norm", norm, norm_type, max_norm, coefficient)


class ValueClip:
    """`clip_grad_value_`."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        tensors = tensors_of(call, 0, "parameters")
        noted = None if tensors is None else note(recorder, tensors)
        if noted is None:
            return None
        recorder.norms.settle()
        return noted, recorder.norms.total(noted.acted)

    def after(self, recorder, call: Call, noted, result, error) -> None:
        if error is not None:
            return failed(recorder)
        noted, before = noted
        recorder.watch.settle_versions()
        recorder.norms.forget()
        after = recorder.norms.total(noted.acted)
        write(recorder, noted, "value", before, 2.0, float(argument(call, 1, "clip_value")), quotient(after, before))


def clipped(recorder, noted: Noted, norm: Any, coefficient: Any) -> None:
    """Take in that gradients of L2 norm `norm` (None if it is another) were multiplied (None if not alike)."""
    if noted.all and norm is not None:
        recorder.norms.learn(noted.acted, norm)
        recorder.norms.settle()
    recorder.watch.catch_up()
    if coefficient is None:
        recorder.norms.forget()
    else:
        recorder.norms.scaled(noted.acted, coefficient)


def failed(recorder) -> None:
    """The function raised; most do before they change anything."""
    if recorder.watch.catch_up():
        recorder.norms.forget()


def quotient(after: Any, before: Any) -> Any:
    """after / before, 1 of nothing."""
    if type(after) is Later or type(before) is Later:
        return Later(lambda: quotient(value(after), value(before)))
    return after / before if before else 1.0


def write_from_frame(recorder, where: Where, found: dict, places: tuple[int, ...], before, now) -> None:
    """A clip of torch's that was called by a name imported before recording began, told from its local variables."""
    given = found.get("parameters")
    tensors = given if isinstance(given, list | tuple) else [recorder.watch.parameters[place] for place in places]
    known = tuple([place for place in recorder.places(tensors) if place is not None])
    noted = Noted(where, len(tensors), sum(tensor.grad is None for tensor in tensors), len(tensors) - len(known), known,
                  places, False, True)
    total = [math.nan if sizes is None else joint([sizes[place] for place in places]) for sizes in (before, now)]
    if "clip_value" in found:
        write(recorder, noted, "value", total[0], 2.0, float(found["clip_value"]), quotient(total[1], total[0]))
    else:
        norm, max_norm = number(found.get("total_norm", total[0])), float(found.get("max_norm", math.nan))
        norm_type = float(found.get("norm_type", 2.0))
        write(recorder, noted, "norm", norm, norm_type, max_norm, coefficient_of(norm, max_norm))


def patches() -> list[Patch]:
    found = [Patch(clip_grad, "clip_grad_value_", ValueClip()), Patch(utils, "clip_grad_value_", ValueClip())]
    if hasattr(clip_grad, "_clip_grads_with_norm_"):
        found += [Patch(clip_grad, "_clip_grads_with_norm_", NormClip())]
    else:
        found += [Patch(clip_grad, "clip_grad_norm_", OldNormClip()), Patch(utils, "clip_grad_norm_", OldNormClip())]
    if hasattr(utils, "get_total_norm") and hasattr(utils, "clip_grads_with_norm_"):
        found += [Patch(utils, "get_total_norm", TotalNorm()), Patch(utils, "clip_grads_with_norm_", NormClip())]
    return found


assert hasattr(clip_grad, "clip_grad_norm_")  # the module, and not the function that an older torch had by this name
