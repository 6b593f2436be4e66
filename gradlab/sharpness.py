"""Sharpness: the largest eigenvalue of a loss's Hessian, which says how long a step the steepest bend allows.

Gradient descent on a quadratic with curvature `a` multiplies the distance to the minimum by `1 - lr * a` at each step:
it grows where `a` is above 2 / lr. Sharpness is the largest such `a` at a point of the loss surface.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from gradlab.clip import NonFiniteGradientError


@dataclass(frozen=True)
class Sharpness:
    """What `sharpness` found.

    - `value`: the largest eigenvalue of the Hessian, signed; in units of the loss over the square of the parameters'
    - `converged`: whether the estimate had settled. Where False, `value` is the last estimate, not the eigenvalue
    - `iterations`: Hessian-vector products that were computed
    - `residual`: `|Hv - value * v|` for the unit vector `v` below; some eigenvalue is at most this far from `value`
    - `vector`: the direction of that curvature, unit L2 norm, flattened over all parameters; begin the next one with it
    """

    value: float
    converged: bool
    iterations: int
    residual: float
    vector: Tensor

    def __repr__(self) -> str:
        end = "" if self.converged else ", not converged"
        return f"<Sharpness {self.value:.4g} after {self.iterations} products{end}>"


def sharpness(loss: Tensor, parameters: Iterable[Tensor], *, iterations: int = 100, rtol: float = 1e-3,
              start: Tensor | None = None, generator: torch.Generator | None = None) -> Sharpness:
    """The largest eigenvalue of the Hessian of `loss` by power iteration on Hessian-vector products.

    - `loss`: one number, computed from `parameters` with gradients on; its graph is used up
    - `parameters`: those that count; the Hessian has a row for each of their entries, and is never built
    - `iterations`: the most Hessian-vector products it may compute; each costs about two backward passes
    - `rtol`: it stops once the estimate changes by less than this share of itself, twice in a row
    - `start`: where to begin, a vector of as many numbers; the `vector` of the last measurement, some updates ago,
      saves most of the work. Without it a random one from `generator`, by default one seeded with 0

    Power iteration finds the eigenvalue that is largest in size. Where that is a negative one, as it may be at the
    beginning of a run, it goes on at right angles to its direction until it finds one that is not. A Hessian of zeros
    has sharpness 0.

    A model with attention needs `with twice_differentiable():` around its forward pass.

    Errors: ValueError for a loss that is no single finite number or hangs on none of the parameters, and for a `start`
    of another length; NonFiniteGradientError where the gradient or a Hessian-vector product is not finite.
    """
    parameters = [p for p in parameters if p.requires_grad]
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise ValueError(f"iterations must be a whole number of at least 1, got {iterations!r}")
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 0 < rtol < 1:
        raise ValueError(f"rtol must lie between 0 and 1, got {rtol!r}")
    gradient = _gradient(loss, parameters)
    product = _Products(gradient, parameters)
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    found, below = _power(product, _first(start, gradient, generator), iterations, rtol), []
    while found.converged and found.value < 0 and len(below) + 1 < gradient.numel():
        below.append(found)
        product.left_out.append(found.vector)
        product.largest = max(product.largest, -found.value)
        found = _power(product, _first(None, gradient, generator), iterations, rtol)
    if below and found.value < 0:
        best = max([*below, found], key=lambda each: each.value)
        found = replace(best, converged=found.converged, iterations=product.computed)
    return found


def twice_differentiable():
    """A context manager for a forward pass with attention whose loss `sharpness` is to take.

    The fast kernels of `scaled_dot_product_attention` have a first derivative and no second; inside it torch uses plain
    matrix products.
    """
    return sdpa_kernel(SDPBackend.MATH)


class _Products:
    """Hessian-vector products: the gradient of (gradient, v)."""

    def __init__(self, gradient: Tensor, parameters: list[Tensor]):
        self.gradient, self.parameters, self.computed = gradient, parameters, 0
        self.left_out, self.largest = [], 0.0  # directions whose eigenvalue is negative; the largest such, in size

    def __call__(self, vector: Tensor) -> Tensor:
        self.computed += 1
        if not self.gradient.requires_grad:  # a loss that is linear in its parameters
            return torch.zeros_like(vector)
        rows = torch.autograd.grad(self.gradient, self.parameters, grad_outputs=vector, retain_graph=True,
                                   allow_unused=True)
        flat = torch.cat([(torch.zeros_like(p) if row is None else row).flatten()
                          for p, row in zip(self.parameters, rows, strict=True)])
        if not flat.isfinite().all():
            raise NonFiniteGradientError(f"Hessian-vector product number {self.computed} is not finite: the second "
                                         "derivative of this loss is not finite here; look for a root or a division "
                                         "whose slope is infinite at 0")
        return flat

    def projected(self, vector: Tensor) -> Tensor:
        """The part of a vector at right angles to the directions that are left out."""
        for direction in self.left_out:
            vector = vector - (direction @ vector) * direction
        return vector


def _gradient(loss: Tensor, parameters: list[Tensor]) -> Tensor:
    """The gradient, flattened, with a graph of its own."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        shape = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"{loss!r:.60}"
        raise ValueError(f"sharpness needs the loss as a tensor of one number, got {shape}")
    if not math.isfinite(loss.item()):
        raise ValueError(f"the loss is {loss.item()}, and there is no curvature at such a point; measure earlier in "
                         "the run")
    if not parameters:
        raise ValueError("sharpness needs at least 1 parameter with requires_grad, got none; an iterator such as "
                         "model.parameters() gives them out once only")
    if not loss.requires_grad:
        raise ValueError("the loss has no graph: compute it with gradients on (no torch.no_grad()) from these "
                         "parameters, and pass it itself, not loss.detach() or a number")
    rows = torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True)
    if all(row is None for row in rows):
        raise ValueError(f"the loss does not hang on any of the {len(parameters)} parameters; pass those that it was "
                         "computed from")
    flat = torch.cat([(torch.zeros_like(p) if row is None else row).flatten()
                      for p, row in zip(parameters, rows, strict=True)])
    if not flat.isfinite().all():
        raise NonFiniteGradientError(f"{int((~flat.isfinite()).sum())} of {flat.numel()} entries of the gradient are "
                                     "not finite, and there is no curvature at such a point")
    return flat


def _first(start: Tensor | None, gradient: Tensor, generator: torch.Generator) -> Tensor:
    """Where the iteration begins, a unit vector."""
    if start is None:
        # Drawn where the generator lives, so that a seed means the same vector on every device.
        start = torch.randn(gradient.numel(), generator=generator, device=generator.device)
    elif not isinstance(start, Tensor) or start.numel() != gradient.numel():
        size = f"{start.numel()} numbers" if isinstance(start, Tensor) else f"{start!r:.60}"
        raise ValueError(f"start must be a tensor of {gradient.numel()} numbers, one a parameter entry, got {size}")
    start = start.detach().flatten().to(gradient)
    length = start.norm()
    if not (length.isfinite() and length > 0):
        raise ValueError(f"start must be finite and not zero, got a vector of norm {length.item()}")
    return start / length


def _power(product: _Products, vector: Tensor, iterations: int, rtol: float) -> Sharpness:
    """Power iteration until the estimate rests or the products are used up."""
    value, settled, residual = math.nan, 0, math.inf
    for _ in range(2):  # once more, for what rounding has left of the directions in a short remainder
        vector = product.projected(vector)
        vector = vector / vector.norm()
    # What rounding leaves of a direction in which nothing bends, beside those already found.
    nothing = 10 * torch.finfo(vector.dtype).eps * product.largest
    while product.computed < iterations:
        bent = product(vector)
        last, value = value, float(vector @ bent)
        residual = float((bent - value * vector).norm())  # of the whole Hessian, also where directions are left out
        image = product.projected(bent)
        length = float(image.norm())
        settled = settled + 1 if abs(value - last) <= rtol * abs(value) else 0
        if length <= nothing or settled == 2:
            return Sharpness(value, True, product.computed, residual, vector)
        vector = image / length
    return Sharpness(value, False, product.computed, residual, vector)
