"""ResidualStack: blocks that add to what passes them, and what keeps the sum from growing."""

import torch
from torch import Tensor, nn

from gradlab.depth import given
from gradlab.depth.plain import draw
from gradlab.depth.profile import Profile, weight_norms
from gradlab.threads import one_thread

BRANCHES = ("he", "default", "scaled", "zero", "norm")


class ResidualStack(nn.Module):
    """`blocks` times x + second(relu(first(x))), without biases in the branch.

    `branch` says what stands in the branch, so how much each block adds:

    - `"he"`: both maps drawn after He et al. 2015, nothing else
    - `"default"`: both as `nn.Linear` draws them
    - `"scaled"`: as `"he"`, and what the branch adds is divided by √blocks
    - `"zero"`: as `"he"`, but the second map begins as 0 (as in Fixup and ReZero): at first nothing is added
    - `"norm"`: as `"he"`, with a LayerNorm on the way in, as in a pre-norm transformer

    `forward(x)` takes and returns float `(samples, width)`.
    """

    def __init__(self, blocks: int, branch: str = "he", *, width: int = 100, generator: torch.Generator | None = None):
        super().__init__()
        given.choice("branch", branch, BRANCHES)
        blocks, width = given.whole("blocks", blocks, most=1000), given.whole("width", width)
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"norm": nn.LayerNorm(width) if branch == "norm" else nn.Identity(),
                           "first": nn.Linear(width, width, bias=False), "second": nn.Linear(width, width, bias=False)})
            for _ in range(blocks))
        self.share = blocks**-0.5 if branch == "scaled" else 1.0
        for block in self.blocks:
            for name in ("first", "second"):
                draw(block[name], "default" if branch == "default" else "he", generator)
            if branch == "zero":
                nn.init.zeros_(block["second"].weight)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + self.share * block["second"](torch.relu(block["first"](block["norm"](x))))
        return x


@one_thread()
def residual_profile(blocks: int = 20, branch: str = "he", *, width: int = 100, samples: int = 64,
                     seed: int = 0) -> tuple[Profile, float]:
    """The weight gradients' norms of a fresh `ResidualStack`, block by block, and the standard deviation of its output.

    The loss is half the mean square of the outputs, summed over a sample's entries.
    """
    generator = torch.Generator().manual_seed(given.whole("seed", seed, 0, 2**32 - 1))
    stack = ResidualStack(blocks, branch, width=width, generator=generator)
    out = stack(torch.randn(given.whole("samples", samples, 2, 2**16), width, generator=generator))
    out.square().sum(1).mean().div(2).backward()
    return Profile(weight_norms(stack.blocks), "block"), out.std().item()
