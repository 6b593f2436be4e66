"""Wrong ways to clip by the global norm, each with what its message quotes."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gradlab.exercises.mistakes import Wrong
from gradlab.exercises.trial import Trial

Norm = Callable[[list[Tensor]], float]


def true_norm(grads: list[Tensor]) -> float:
    return math.sqrt(sum(grad.double().pow(2).sum().item() for grad in grads))


def clip_with(norm_of: Norm = true_norm, *, refuse: bool = True, guard: bool = True, always: bool = False,
              target: Callable[[float], float] = lambda max_norm: max_norm, returns_after: bool = False) -> Callable:
    """A program that clips by the rules, except for what is chosen here.

    `norm_of` measures; `refuse`: a limit not above 0 raises; `guard`: a norm that is not finite changes nothing;
    `always`: gradients under the limit are rescaled too; `target`: the norm to end with, of the limit.
    """

    def program(grads, max_norm):
        if refuse and not max_norm > 0:
            raise ValueError
        norm = norm_of(grads)
        if guard and not math.isfinite(norm):
            return norm
        if always or not norm <= max_norm:
            coefficient = divided(target(max_norm), norm)
            for grad in grads:
                grad.mul_(coefficient)
        return true_norm(grads) if returns_after else norm

    return program


def divided(a: float, b: float) -> float:
    """a / b as floating-point hardware has it: x / 0 is infinite."""
    return (torch.tensor(a, dtype=torch.float64) / b).item()


def nothing(grads, max_norm):
    if not max_norm > 0:
        raise ValueError
    return true_norm(grads)


def clip_of_gradients(refuse: bool) -> Callable:
    def program(grads, max_norm):
        if refuse and not max_norm > 0:
            raise ValueError
        return torch.nn.utils.clip_grad_norm_(grads, max_norm)  # looks at the .grad of a gradient, which has none

    return program


def new_list(grads, max_norm):
    copies = [grad.clone() for grad in grads]
    clip_with()(copies, max_norm)
    return copies


def new_entries(grads, max_norm):
    copies = [grad.clone() for grad in grads]
    norm = clip_with()(copies, max_norm)
    grads[:] = copies
    return norm


def per_tensor(grads, max_norm):
    norm = nothing(grads, max_norm)
    for grad in grads if math.isfinite(norm) else ():
        clip_with()([grad], max_norm)
    return norm


def by_value(grads, max_norm):
    norm = nothing(grads, max_norm)
    for grad in grads if math.isfinite(norm) else ():
        grad.clamp_(-max_norm, max_norm)
    return norm


def off(refuse_negative: bool) -> Callable:
    def zero_is_off(grads, max_norm):
        if max_norm == 0 or max_norm < 0 and not refuse_negative:
            return true_norm(grads)
        return clip_with()(grads, max_norm)

    return zero_is_off


def refusing(wrong_limit: Callable[[float], bool]) -> Callable:
    def program(grads, max_norm):
        if wrong_limit(max_norm):
            raise ValueError
        return clip_with(refuse=False)(grads, max_norm)

    return program


def guarded(unfit: Callable[[float], bool], cure: Callable[[Tensor], object] = lambda grad: None) -> Callable:
    """A program that does not scale where the norm is `unfit`, and does `cure` to each tensor there."""

    def program(grads, max_norm):
        norm = nothing(grads, max_norm)
        if not unfit(norm):
            return clip_with(guard=False)(grads, max_norm)
        for grad in grads:
            cure(grad)
        return norm

    return program


def nan_to_num(grads, max_norm):
    for grad in grads:
        grad.nan_to_num_()
    return clip_with()(grads, max_norm)


def largest(sign_blind: bool) -> Norm:
    return lambda grads: max((grad.abs() if sign_blind else grad).max().item() for grad in grads if grad.numel())


def sum_in_own_dtype(grads) -> float:
    total = torch.zeros((), dtype=grads[0].dtype)
    for grad in grads:
        total = total + (grad * grad).sum()
    return total.sqrt().item()


def sum_in_bfloat16(grads) -> float:
    return sum_in_own_dtype(grads) if grads[0].dtype == torch.bfloat16 else true_norm(grads)


def norm_of_norms(grads) -> float:
    return torch.stack([torch.linalg.vector_norm(grad) for grad in grads]).norm().item()


def sizes(mine: Trial, right: Trial) -> dict:
    """What messages quote of norms and factors."""
    facts, yours, limit = mine.facts, mine.result["norm"], mine.facts["max_norm"]
    before, after = (torch.cat([grad.flatten() for grad in facts[name]]) for name in ("before", "after"))
    norm, left = facts["norm_true"], facts["norm_after"]
    cosine = (before @ after / (norm * left)).clamp(-1, 1).item() if norm and left else 1.0
    return {
        "norm": norm, "norm_true": norm, "norm_yours": yours, "norm_after": left, "norm_post": left,
        "norm_global": left, "max_norm": limit, "coef": (after @ before / norm**2).item(),
        "angle": math.degrees(math.acos(cosine)), "k": len(facts["before"]), "n_params": len(facts["before"]),
        "n_hit": int((after.abs() == limit).sum()),
    }


def clamped(mine: Trial, right: Trial) -> dict:
    return {**sizes(mine, right), "norm": mine.facts["norm_after"]}


def precision(mine: Trial, right: Trial) -> dict:
    """What messages quote of a norm that was lost in a dtype."""
    facts, norm = mine.facts, right.result["norm"]
    return {"norm": mine.result["norm"], "norm32": norm, "dtype": facts["dtype"], "largest": facts["largest"],
            "coef": min(1.0, facts["max_norm"] / norm), "coef_yours": facts["norm_after"] / facts["norm_true"]}


def nonfinite(mine: Trial, right: Trial) -> dict:
    """What messages quote of entries that clipping left NaN or zero."""
    after = torch.cat([grad.flatten() for grad in mine.facts["after"]])
    return {"norm": right.result["norm"], "n": after.numel(), "n_bad": int(after.isnan().sum()),
            "n_zero": int((after == 0).sum()), "norm_after": mine.facts["norm_after"]}


WRONG = (
    Wrong("clip-missing", "unchanged", nothing, sizes),
    Wrong("clip-missing", "of-gradients", clip_of_gradients(refuse=True), sizes),
    Wrong("clip-missing", "of-gradients", clip_of_gradients(refuse=False), sizes),
    Wrong("clip-missing", "rebound", new_entries, sizes),
    Wrong("clip-missing", "rebound", new_list, sizes),
    Wrong("per-tensor-norm", "", per_tensor, sizes),
    Wrong("value-clip-for-norm-clip", "", by_value, clamped),
    Wrong("wrong-norm", "not-rooted", clip_with(lambda grads: true_norm(grads) ** 2), sizes),
    Wrong("wrong-norm", "l1", clip_with(lambda grads: sum(g.double().abs().sum().item() for g in grads)), sizes),
    Wrong("wrong-norm", "signed-max", clip_with(largest(sign_blind=False)), sizes),
    Wrong("wrong-norm", "abs-max", clip_with(largest(sign_blind=True)), sizes),
    Wrong("wrong-norm", "sum-of-norms", clip_with(lambda grads: sum(true_norm([g]) for g in grads)), sizes),
    Wrong("always-normalise", "", clip_with(always=True), sizes),
    Wrong("always-normalise", "jump", clip_with(target=lambda max_norm: 1.0), sizes),
    Wrong("reported-norm-is-pre-clip", "returned", clip_with(returns_after=True), sizes),
    Wrong("max-norm-not-positive", "zero", clip_with(refuse=False), sizes),
    Wrong("max-norm-not-positive", "zero", refusing(lambda max_norm: max_norm < 0), sizes),
    Wrong("max-norm-not-positive", "negative", refusing(lambda max_norm: max_norm == 0), sizes),
    Wrong("max-norm-not-positive", "off", off(refuse_negative=False), sizes),
    Wrong("max-norm-not-positive", "off", off(refuse_negative=True), sizes),
    Wrong("clip-cures-nonfinite", "inf", clip_with(guard=False), nonfinite),
    Wrong("clip-cures-nonfinite", "inf", guarded(math.isnan), nonfinite),
    Wrong("clip-cures-nonfinite", "nan", guarded(math.isinf), nonfinite),
    Wrong("clip-cures-nonfinite", "cured", nan_to_num, nonfinite),
    Wrong("clip-cures-nonfinite", "cured", guarded(lambda norm: not math.isfinite(norm), Tensor.zero_), nonfinite),
    Wrong("low-precision-norm", "", clip_with(sum_in_own_dtype), precision),
    Wrong("low-precision-norm", "", clip_with(norm_of_norms), precision),
    Wrong("low-precision-norm", "wrong-size", clip_with(sum_in_bfloat16), precision),
)
