"""Exercise: the norm of 16-bit gradients that still hold the loss scale, without an overflow and without rounding."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gradlab.exercises.exercise import Exercise
from gradlab.exercises.mistakes import Diagnosis, Wrong
from gradlab.exercises.trial import Fixture, Reading, Setup, Trial, number
from gradlab.norms import global_norm
from gradlab.pitfalls.pitfall import written

TASK = """
Give the norm of gradients that are stored in 16 bits.

- `grads` is a list of float16 or of bfloat16 tensors of any shapes. They still hold the loss `scale`; asked for is the
  norm of the *true* gradients, without it
- no entry may be lost on the way: float16 entries go up to 65,504 and down to 6e-8. bfloat16 has the range of float32,
  and its entries are anything from 1e-30 to 1e30
- the result is right to four digits, which is more than the 16-bit dtypes have
- where an entry is infinite or NaN, so is the norm; of no tensors at all it is 0
- the tensors stay as they are
"""


def true_norm(grads: list[Tensor], scale: float) -> float:
    total = sum(grad.double().square().sum().item() for grad in grads)
    return math.sqrt(total) / scale


def situation(name: str, words: str, make: Callable[[], list[Tensor]], scale: float = 1.0) -> Fixture:
    def build() -> Setup:
        grads = make()
        return Setup((grads, scale), (list(grads), [grad.clone() for grad in grads]))

    def read(setup: Setup, returned) -> Reading:
        given, (kept, copies) = setup.arguments[0], setup.seen
        same = len(given) == len(kept) and all(mine is theirs for mine, theirs in zip(given, kept, strict=True))
        intact = all(torch.equal(mine.nan_to_num(7.0), copy.nan_to_num(7.0)) and mine.dtype == copy.dtype
                     for mine, copy in zip(kept, copies, strict=True))
        changed = "" if same and intact else (
            "Your function changed the gradients themselves; they are still needed, and asked for is only their norm")
        norm, dtype = number(returned), _name(copies[0].dtype) if copies else ""
        told = "finite" if math.isfinite(norm) else "not finite"
        result = {"norm": norm} if math.isfinite(global_norm(copies)) else {"norm is": told}
        return Reading(result, {"norm": norm, "true": global_norm(copies) / scale, "scale": scale, "dtype": dtype,
                                "entries": copies}, changed)

    return Fixture(name, words, build, read, rtol=3e-4)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _of(dtype: torch.dtype, *tensors: Sequence[float]) -> Callable[[], list[Tensor]]:
    return lambda: [torch.tensor(entries, dtype=dtype) for entries in tensors]


def _drawn(dtype: torch.dtype, size: float, *shapes: tuple[int, ...]) -> Callable[[], list[Tensor]]:
    def make() -> list[Tensor]:
        draw = torch.Generator().manual_seed(4)
        return [(size * (torch.randn(shape, generator=draw) + 0.2)).to(dtype) for shape in shapes]
    return make


HALF, BRAIN = torch.float16, torch.bfloat16

# In the order in which they are tried: first the plain ones, so that no other mistake is taken for a lost digit.
SITUATIONS = (
    situation("plain", "float16 gradients with norm 3.5 and no loss scale", _of(HALF, [1.5, -3.0], [[1.0]])),
    situation("scaled", "float16 gradients with norm 3.5 and a loss scale of 64", _of(HALF, [96.0, -192.0], [[64.0]]),
              64.0),
    situation("a square too large", "float16 gradients with entries of a few hundred",
              _of(HALF, [300.0, -400.0], [120.0])),
    situation("a sum too large", "float16 gradients with 40 entries of 60", _of(HALF, [60.0] * 25, [-60.0] * 15)),
    situation("small entries", "float16 gradients with entries of 0.0001", _of(HALF, [1e-4, -2e-4], [0.0, 1.5e-4])),
    situation("a norm too large", "float16 gradients whose norm is above 65,504", _of(HALF, [4e4, -5e4], [3e4])),
    situation("many entries", "60 bfloat16 tensors of 187 entries", _drawn(BRAIN, 1.0, *[(11, 17)] * 60)),
    situation("a large scale", "small float16 gradients with a loss scale of 65,536",
              _drawn(HALF, 0.005, (6, 7), (5,), (0, 3)), 65536.0),
    situation("bfloat16, huge", "bfloat16 gradients with entries of 1e25", _of(BRAIN, [1e25, -2e25], [3e24]), 1024.0),
    situation("bfloat16, tiny", "bfloat16 gradients with entries of 1e-27", _of(BRAIN, [1e-27, -3e-27], [2e-27])),
    situation("an infinity", "a float16 gradient with an infinite entry", _of(HALF, [1.0, math.inf], [2.0]), 8.0),
    situation("a NaN", "a bfloat16 gradient with a NaN in it", _of(BRAIN, [1.0], [math.nan, 2.0]), 8.0),
    situation("none", "an empty list", lambda: []),
)


def norm_with(square: Callable[[Tensor], Tensor] = lambda grad: grad.double().square(),
              add: Callable[[list[Tensor]], float] = lambda squares: sum(s.sum().item() for s in squares),
              unscale: Callable[[float, float], float] = lambda norm, scale: norm / scale,
              first: Callable[[Tensor, float], Tensor] = lambda grad, scale: grad) -> Callable:
    """A norm that is right but for one part: what is done `first` to a gradient, its `square`, the sum of them all
    (`add`), and how the scale is taken out (`unscale`)."""

    def program(grads, scale):
        if not grads:
            return 0.0
        total = add([square(first(grad, scale)) for grad in grads])
        return unscale(math.sqrt(total), scale)

    return program


def running_sum(squares: list[Tensor]) -> float:
    """The sums of the tensors added up in their own dtype."""
    total = torch.zeros((), dtype=squares[0].dtype)
    for part in squares:
        total = total + part.sum()
    return total.item()


def norm_of_norms(wide: torch.dtype | None) -> Callable:
    """torch's norms of the tensors, which are rounded to the gradients' dtype; their norm is taken in `wide`."""
    def program(grads, scale):
        norms = torch.stack([grad.norm() for grad in grads]) if grads else torch.zeros(1)
        return norms.to(wide or norms.dtype).norm().item() / scale
    return program


def in_one(wide: torch.dtype | None) -> Callable:
    def program(grads, scale):
        flat = torch.cat([grad.flatten() for grad in grads]) if grads else torch.zeros(1)
        return flat.to(wide or flat.dtype).norm().item() / scale
    return program


def told(mine: Trial, right: Trial) -> dict:
    """What the messages quote."""
    facts = mine.facts
    dtype = getattr(torch, facts["dtype"])
    entries = torch.cat([entry.flatten() for entry in facts["entries"]])
    divided = (entries.double() / facts["scale"]).to(dtype)
    return {"norm": facts["norm"], "norm_yours": facts["norm"], "norm_true": facts["true"], "scale": facts["scale"],
            "dtype": facts["dtype"], "largest": torch.finfo(dtype).max, "digits": "three" if dtype is HALF else "two",
            "n": entries.numel(), "n_zero": int(((divided == 0) & (entries != 0)).sum()),
            "n_coarse": int(((divided != 0) & (divided.abs().double() < torch.finfo(dtype).smallest_normal)).sum())}


def rounded(mine: Trial, right: Trial) -> dict:
    """What the message of a rounded norm quotes. Errors: ValueError for an infinite norm, which was not rounded."""
    if not math.isfinite(mine.facts["norm"]):
        raise ValueError("an infinite norm is no rounded one")
    return told(mine, right)


CAME_OUT = "Your norm came out as {norm}; the true one is {norm_true}. "
SQUARED = CAME_OUT + "In {dtype} squares above {largest} are infinite, and squares of small entries are 0."
ROUNDED = CAME_OUT + "Somewhere on its way it was rounded to {dtype}, which has about {digits} digits."
FLOAT32 = CAME_OUT + "Entries of bfloat16 have the range of float32, and their squares go beyond it."
UNSCALED = CAME_OUT + ("Divided by {scale} in {dtype}, {n_zero} of {n} entries become 0, and {n_coarse} more lose "
                       "digits, because they are below its smallest normal number.")
SEE_ROUNDING = "Print torch.tensor(514.2).half() and torch.tensor(514.2).bfloat16()."
SEE_FLOAT32 = "Print the square of torch.tensor(1e25), and of torch.tensor(1e25).double()."


def overflowed(mine: Trial, right: Trial) -> Diagnosis | None:
    """An infinite norm of finite entries."""
    if mine.fault is not None or mine.result.get("norm") != math.inf:
        return None
    wide = mine.fixture.name == "bfloat16, huge"  # even squares in float32 are infinite there
    message, experiment = (FLOAT32, SEE_FLOAT32) if wide else (SQUARED, "")
    return Wrong("low-precision-norm", "overflow", true_norm, told, message, experiment).diagnosis(mine, right)


def squares(grad: Tensor) -> Tensor:
    return grad * grad


WRONG = (
    Wrong("scaled-norm-reported", "", norm_with(unscale=lambda norm, scale: norm), told),
    Wrong("scaled-norm-reported", "twice", norm_with(unscale=lambda norm, scale: norm / scale**2), told),
    Wrong(None, "times the scale", norm_with(unscale=lambda norm, scale: norm * scale), told,
          "Your norm came out as {norm} = {norm_true} × {scale}²: it was multiplied by the scale, which was in it "
          "already", "Print the norm for the same gradients at two loss scales."),
    Wrong(None, "root of the scale", norm_with(unscale=lambda norm, scale: norm / math.sqrt(scale)), told,
          "Your norm came out as {norm}, the true one is {norm_true}: the sum of the squares was divided by {scale}, "
          "and each square holds it twice", "Print the norm for the same gradients at two loss scales."),
    Wrong("wrong-norm", "not-rooted", norm_with(unscale=lambda norm, scale: (norm / scale) ** 2), told),
    Wrong("wrong-norm", "not-rooted", norm_with(unscale=lambda norm, scale: norm**2 / scale), told),
    Wrong("wrong-norm", "l1", lambda grads, scale: sum(g.double().abs().sum().item() for g in grads) / scale, told),
    Wrong("wrong-norm", "abs-max",
          lambda grads, scale: max((g.double().abs().max().item() for g in grads if g.numel()), default=0.0) / scale,
          told),
    Wrong("wrong-norm", "sum-of-norms",
          lambda grads, scale: sum(g.double().norm().item() for g in grads) / scale, told),
    Wrong("low-precision-norm", "underflow",
          norm_with(first=lambda grad, scale: grad / scale, unscale=lambda norm, scale: norm), told, UNSCALED,
          "Divide one float16 entry of 0.005 by 65536, multiply it again, and print what is left."),
    Wrong("low-precision-norm", "overflow", norm_with(squares), told, SQUARED),
    Wrong("low-precision-norm", "overflow", norm_with(squares, running_sum), told, SQUARED),
    Wrong("low-precision-norm", "wrong-size", norm_of_norms(None), rounded, ROUNDED, SEE_ROUNDING),
    Wrong("low-precision-norm", "wrong-size", norm_of_norms(torch.float64), rounded, ROUNDED, SEE_ROUNDING),
    Wrong("low-precision-norm", "wrong-size", in_one(None), rounded, ROUNDED, SEE_ROUNDING),
    Wrong("low-precision-norm", "overflow", norm_with(lambda grad: grad.float().square()), told, FLOAT32, SEE_FLOAT32),
    Wrong("low-precision-norm", "overflow", in_one(torch.float32), told, FLOAT32, SEE_FLOAT32),
    Wrong("clip-cures-nonfinite", "", norm_with(lambda grad: grad.double().nan_to_num(0, 0, 0).square()), told,
          "A gradient has an entry that is infinite or NaN, and your norm is {norm}: whoever looks at it will make "
          "the update", "Print the norm of gradients of which one entry is NaN."),
)


def unexplained(mine: Trial, right: Trial) -> str:
    norm, true = mine.facts["norm"], mine.facts["true"]
    if "norm" not in right.result:
        return f"With {mine.fixture.words} your norm is {written(norm)}; the norm of such gradients is not finite"
    return f"With {mine.fixture.words} your norm is {written(norm)}; {written(true)} is asked for"


EXERCISE = Exercise(
    name="half-norm",
    title="The norm of 16-bit gradients",
    minutes=8,
    difficulty=2,
    lab="04_mixed_precision",
    task=TASK,
    signature="def true_norm(grads, scale) -> float",
    right=true_norm,
    wrong=WRONG,
    fixtures=SITUATIONS,
    symptoms=(overflowed,),
    known=("low-precision-norm",),
    unexplained=unexplained,
    hints=(
        "Follow one entry of 300 in float16 through your lines: what is its square, in which dtype? And one of 0.02 "
        "that is divided by 65,536 first? In which dtype must an entry be before anything else happens to it, if its "
        "square may be 1e60?",
        "Cast each tensor to float64 before you square it, add up the squares of all tensors, take the root once, and "
        "divide that one number by `scale` at the end.",
    ),
)
