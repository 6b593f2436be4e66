"""Answers to "clip-kernel"."""

import math

from numba import cuda, float32

from programs import right, unnamed, wrong

NAME = "clip-kernel"


@right(NAME)
def leaves_at_one(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if c >= 1.0:
        return
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] = grads[i] * float32(c)


@right(NAME)
def within_the_limit(grads, norm, max_norm):
    total = norm[0]
    if total <= max_norm:
        return
    i, step = cuda.threadIdx.x + cuda.blockDim.x * cuda.blockIdx.x, cuda.blockDim.x * cuda.gridDim.x
    while i < len(grads):
        grads[i] *= max_norm / (total + 1e-6)
        i += step


@right(NAME)
def thread_0_looks(grads, norm, max_norm):
    factor = cuda.shared.array(1, float32)
    if cuda.threadIdx.x == 0:
        factor[0] = max_norm / (norm[0] + 1e-6)
    cuda.syncthreads()
    if factor[0] >= 1:
        return
    for i in range(cuda.grid(1), grads.shape[0], cuda.gridsize(1)):
        grads[i] *= factor[0]


@right(NAME)
def pieces_in_a_row(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if not c >= 1:
        each = (grads.size + cuda.gridsize(1) - 1) // cuda.gridsize(1)
        first = cuda.grid(1) * each
        for i in range(first, min(first + each, grads.size)):
            grads[i] *= c


@right(NAME)
def cut_and_compared(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    c = 1.0 if c > 1.0 else c
    i = cuda.grid(1)
    while i < grads.size and c != 1.0:
        grads[i] *= c
        i += cuda.gridsize(1)


@wrong(NAME, "always-writes", "")
def as_most_libraries(grads, norm, max_norm):
    c = min(1.0, max_norm / (norm[0] + 1e-6)) if norm[0] == norm[0] else math.nan
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= c


@wrong(NAME, "always-writes", "")
def writes_back_what_it_read(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    i = cuda.grid(1)
    while i < grads.size:
        x = grads[i]
        if not c >= 1:
            x *= c
        grads[i] = x
        i += cuda.gridsize(1)


@wrong(NAME, "always-writes", "reads")
def decides_too_late(grads, norm, max_norm):
    i = cuda.grid(1)
    while i < grads.size:
        x = grads[i]
        c = max_norm / (norm[0] + 1e-6)
        if not c >= 1:
            grads[i] = x * c
        i += cuda.gridsize(1)


@wrong(NAME, "inverted-coefficient", "")
def norm_over_limit(grads, norm, max_norm):
    c = (norm[0] + 1e-6) / max_norm
    if c <= 1:
        return
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= c


@wrong(NAME, "inverted-coefficient", "")
def norm_over_limit_always(grads, norm, max_norm):
    i = cuda.grid(1)
    while i < grads.size:
        grads[i] *= norm[0] / max_norm
        i += cuda.gridsize(1)


@wrong(NAME, "inverted-coefficient", "decision")
def leaves_where_it_is_needed(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if c < 1:
        return
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= c


@wrong(NAME, "inverted-coefficient", "decision")
def both_upside_down(grads, norm, max_norm):
    c = (norm[0] + 1e-6) / max_norm
    if c >= 1:
        return
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= c


@wrong(NAME, "nan-slips-through")
def only_above_the_limit(grads, norm, max_norm):
    if norm[0] > max_norm:
        c = max_norm / (norm[0] + 1e-6)
        for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
            grads[i] *= c


@wrong(NAME, "nan-slips-through")
def not_less_than_one(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if not c < 1:
        return
    i = cuda.grid(1)
    while i < grads.size:
        grads[i] *= c
        i += cuda.gridsize(1)


@wrong(NAME, "nan-slips-through")
def only_finite_norms(grads, norm, max_norm):
    total = norm[0]
    if math.isnan(total) or math.isinf(total) or total <= max_norm:
        return
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= max_norm / total


@wrong(NAME, "nan-slips-through")
def a_minimum(grads, norm, max_norm):
    c = min(1.0, max_norm / (norm[0] + 1e-6))  # of 1.0 and NaN Python's min is 1.0
    if c == 1.0:
        return
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= c


@wrong(NAME, "always-normalise")
def to_the_limit(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= c


@wrong(NAME, "always-normalise")
def to_the_limit_by_division(grads, norm, max_norm):
    i = cuda.grid(1)
    while i < grads.size:
        grads[i] = grads[i] / norm[0] * max_norm
        i += cuda.gridsize(1)


@wrong(NAME, "wrong-tail", "")
def one_element_a_thread(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if c >= 1:
        return
    i = cuda.grid(1)
    if i < grads.size:
        grads[i] *= c


@wrong(NAME, "wrong-tail", "")
def all_but_the_last(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if c >= 1:
        return
    i = cuda.grid(1)
    while i < grads.size - 1:
        grads[i] *= c
        i += cuda.gridsize(1)


@wrong(NAME, "wrong-tail", "together")
def strides_of_a_block(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if c >= 1:
        return
    i = cuda.grid(1)
    while i < grads.size:
        grads[i] *= c
        i += cuda.blockDim.x


@wrong(NAME, "wrong-tail", "twice")
def squared(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if c >= 1:
        return
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= c
        if i % 5 == 2:
            grads[i] *= c


@wrong(NAME, "reading-past-end")
def no_end(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if c >= 1:
        return
    for turn in range(grads.size // cuda.gridsize(1) + 1):
        grads[cuda.grid(1) + turn * cuda.gridsize(1)] *= c


@wrong(NAME, "reading-past-end")
def the_end_included(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    if c >= 1:
        return
    i = cuda.grid(1)
    while i <= grads.size:
        grads[i] *= c
        i += cuda.gridsize(1)


@unnamed(NAME, "no gradient changed")
def only_computes(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    i = cuda.grid(1)
    if i < grads.size:
        c *= 2


@unnamed(NAME, "NameError")
def forgets_a_name(grads, norm, max_norm):
    grads[cuda.grid(1)] *= coefficient  # noqa: F821


@unnamed(NAME, "came out as 0; NaN is asked for")
def zero_for_nan(grads, norm, max_norm):
    c = max_norm / (norm[0] + 1e-6)
    c = 0.0 if math.isnan(c) else c
    if c >= 1:
        return
    for i in range(cuda.grid(1), grads.size, cuda.gridsize(1)):
        grads[i] *= c
