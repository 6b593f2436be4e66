"""The sets of gradients that are measured, as shapes."""


def lab(width: int) -> list[tuple[int, ...]]:
    """The lab's transformer: four layers, 29 words, 21 places."""
    block = [(3 * width, width), (width, width), (4 * width, width), (4 * width,), (width, 4 * width)]
    block += [(width,)] * 5
    return [(29, width), (21, width), *block * 4, (width,), (width,), (29, width)]


def gpt2_small() -> list[tuple[int, ...]]:
    """GPT-2 with 124 M parameters (Radford et al. 2019): 148 tensors."""
    width = 768
    block = [(width,), (width,), (width, 3 * width), (3 * width,), (width, width), (width,)]
    block += [(width,), (width,), (width, 4 * width), (4 * width,), (4 * width, width), (width,)]
    return [(50257, width), (1024, width), *block * 12, (width,), (width,)]


SETS = {
    "lab model, as shipped": lab(32),
    "lab model, twice as wide": lab(64),
    "148 × 64": [(64,)] * 148,
    "1000 × 64": [(64,)] * 1000,
    "100 × 65,536": [(65536,)] * 100,
    "GPT-2 small": gpt2_small(),
}
