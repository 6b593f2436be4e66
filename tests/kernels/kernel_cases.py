"""Gradients of all kinds for property tests, and what is true of them by float64 arithmetic."""

import math
from dataclasses import dataclass

import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch.nn import Parameter

EXAMPLES = {"cpu": 40, "torch": 20, "simulator": 2, "cuda": 60}  # the simulator takes a second for what they do in ms

RANGE = {torch.float32: 30, torch.bfloat16: 30, torch.float64: 30, torch.float16: 3}  # powers of ten
ULP = {torch.float32: 2**-23, torch.bfloat16: 2**-7, torch.float64: 2**-52, torch.float16: 2**-10}
LAYOUTS = ["rows", "columns", "off by one", "empty"]


@dataclass(frozen=True)
class Piece:
    shape: tuple[int, int]
    dtype: torch.dtype
    power: int
    layout: str

    def make(self, random: torch.Generator) -> torch.Tensor:
        rows, columns = (self.shape[0], 0) if self.layout == "empty" else self.shape
        values = torch.randn(rows * columns + 1, generator=random, dtype=torch.float64) * 10.0**self.power
        values = values.to(self.dtype)
        if self.layout == "off by one":  # an address that no 128-bit load may have
            return values[1:].view(rows, columns)
        tensor = values[:-1].view(rows, columns)
        return tensor.t() if self.layout == "columns" else tensor


@dataclass(frozen=True)
class Case:
    pieces: tuple[Piece, ...]
    seed: int

    def parameters(self, backend: str) -> list[Parameter]:
        """Parameters with these gradients, and one without any."""
        random = torch.Generator().manual_seed(self.seed)
        found = []
        for gradient in (piece.make(random) for piece in self.pieces):
            if backend == "cuda":
                gradient = _moved(gradient)
            found.append(Parameter(torch.zeros_like(gradient)))
            found[-1].grad = gradient
        return [*found, Parameter(torch.zeros(3, device="cuda" if backend == "cuda" else "cpu"))]


def _moved(tensor):
    """On the GPU, as far from an aligned address as it was."""
    offset = tensor.storage_offset()
    room = torch.empty(tensor.numel() + offset, dtype=tensor.dtype, device="cuda")
    there = room[offset:].as_strided(tensor.shape, tensor.stride())
    return there.copy_(tensor)


def cases(dtypes=tuple(RANGE), largest=40, same_power=False, powers=None):
    """Up to six gradients of at most `largest`² elements."""
    side = st.integers(1, largest)

    @st.composite
    def draw_case(draw):
        common = draw(st.integers(*(powers or (-3, 3))))
        pieces = []
        for _ in range(draw(st.integers(1, 6))):
            dtype = draw(st.sampled_from(dtypes))
            low, high = powers or (-RANGE[dtype], RANGE[dtype])
            power = common if same_power else draw(st.integers(low, high))
            pieces.append(Piece((draw(side), draw(side)), dtype, power, draw(st.sampled_from(LAYOUTS))))
        return Case(tuple(pieces), draw(st.integers(0, 1000)))

    return draw_case()


def examine(backend, law, *strategies):
    """Try a law of (backend, ...) on as many examples as the backend is fast enough for."""

    @settings(
        max_examples=EXAMPLES[backend],
        suppress_health_check=list(HealthCheck),
        derandomize=backend == "simulator",
        phases=[Phase.generate] if backend == "simulator" else Phase,  # to shrink an example takes it minutes
        database=None,
    )
    @given(st.tuples(*strategies))
    def try_it(example):
        law(backend, *example)

    try_it()


def gradients(parameters):
    return [p.grad for p in parameters if p.grad is not None]


def copies(parameters):
    return [g.clone() for g in gradients(parameters)]


def exact_norm(tensors) -> float:
    """The norm by float64 sums that neither overflow nor round more than once."""
    values = torch.cat([t.detach().double().cpu().flatten() for t in tensors] or [torch.zeros(0, dtype=torch.float64)])
    largest = float(values.abs().max()) if values.numel() else 0.0
    return largest * math.sqrt(math.fsum(((values / largest) ** 2).tolist())) if largest else 0.0


def assert_close(norm, exact):
    assert math.isclose(float(norm), exact, rel_tol=1e-6), (float(norm), exact)


def assert_scaled(before, after, factor):
    """Each element times the factor, to one rounding in its own dtype."""
    for old, new in zip(before, after, strict=True):
        wanted = old.double() * factor
        smallest = torch.finfo(old.dtype).smallest_normal * torch.finfo(old.dtype).eps
        allowed = wanted.abs() * (ULP[old.dtype] + 2e-7) + smallest
        assert bool(((new.double() - wanted).abs() <= allowed).all()), (old.dtype, factor)
