"""Clips by gradlab's own rules."""

from gradlab.clip import ClipByGlobalNorm, ClipByValue, ClippingRule
from gradlab.ledger.observe import kernels
from gradlab.ledger.observe.clip import clipped, failed, note, write
from gradlab.ledger.observe.given import grouped, tensors_of
from gradlab.ledger.observe.patches import Call, Patch


class RuleCall:
    """A `gradlab.clip.ClippingRule` at work."""

    opaque, in_updates = True, True

    def before(self, recorder, call: Call):
        items = tensors_of(call, 1, "parameters")
        return None if items is None else note(recorder, grouped(items))

    def after(self, recorder, call: Call, noted, result, error) -> None:
        if error is not None:
            return failed(recorder)
        rule = call.args[0]
        uniform = result.coefficient if isinstance(rule, ClipByGlobalNorm) or not result.clipped else None
        clipped(recorder, noted, result.norm_before, uniform)
        if uniform is None and noted.all:
            recorder.norms.learn(recorder.watch.present, result.norm_after)
        how = "value" if isinstance(rule, ClipByValue) else "norm"
        write(recorder, noted, how, result.norm_before, 2.0, rule.max_norm, result.coefficient)
        recorder.state = {p: kept for p, places in recorder.state.items()  # nonfinite="skip" takes gradients away
                          if (kept := tuple([place for place in places if place in recorder.watch.present]))}


def patches() -> list[Patch]:
    return [Patch(ClippingRule, "__call__", RuleCall()), *kernels.patches()]
