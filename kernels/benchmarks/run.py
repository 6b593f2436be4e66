"""Measure the kernels against torch: `python kernels/benchmarks/run.py` prints a table, `--store` keeps it.

Every number is a ratio torch / ours of medians in one run, in which the rivals take turns. Unclipped and clipped are
different columns and never one number: unclipped we write nothing, which torch does; clipped both move the same bytes.
A set whose norm or gradients are not right is not timed.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import clocks  # noqa: E402
import machine  # noqa: E402
import torch  # noqa: E402
from gradlab_kernels import ClipPlan, clip_grad_norm_  # noqa: E402
from sets import SETS  # noqa: E402
from torch.nn import Parameter  # noqa: E402

REPEATS = 3  # of each measurement, for the spread of the ratio
BURST = 20  # calls of one rival before the next has its turn
WARM, COLD = range(2)
torch_clip = torch.nn.utils.clip_grad_norm_


class Bench:
    """One set of gradients: their master copy, and who clips them."""

    def __init__(self, shapes, device):
        torch.manual_seed(0)
        self.parameters = [Parameter(torch.empty(shape, device=device)) for shape in shapes]
        for p in self.parameters:
            p.grad = torch.randn_like(p) * 1e-2
        self.gradients = [p.grad for p in self.parameters]
        self.master = [g.clone() for g in self.gradients]
        self.elements = sum(g.numel() for g in self.gradients)
        self.norm = float(torch.stack([g.double().norm() for g in self.gradients]).norm())
        plan = ClipPlan(self.parameters)
        self.rivals = {
            "torch": lambda max_norm: torch_clip(self.parameters, max_norm, foreach=True),
            "torch, no foreach": lambda max_norm: torch_clip(self.parameters, max_norm, foreach=False),
            "drop-in": lambda max_norm: clip_grad_norm_(self.parameters, max_norm),
            "ClipPlan": plan.clip_,
        }

        width = 512
        self.other = torch.nn.Sequential(*[torch.nn.Linear(width, width, device=device) for _ in range(4)])
        self.batch = torch.randn(32, width, device=device)

    def train_another(self):
        self.other(self.batch).square().mean().backward()

    def restore(self):
        torch._foreach_copy_(self.gradients, self.master)

    def check(self):
        """Raise unless ours are right: the norm, the scaled gradients, the untouched ones."""
        for name in ("drop-in", "ClipPlan"):
            for share in (0.5, 2.0):
                self.restore()
                norm = float(self.rivals[name](share * self.norm))
                factor = min(1.0, share * self.norm / (self.norm + 1e-6))
                pairs = zip(self.gradients, self.master, strict=True)
                wrong = max(float((g - m * factor).abs().max()) for g, m in pairs)
                if abs(norm / self.norm - 1) > 1e-6 or wrong > 1e-7 or (share > 1 and wrong):
                    raise SystemExit(f"{name}: norm {norm}, should be {self.norm}; gradients off by {wrong}: not timed")
        self.restore()

    def measure(self, clock, max_norm, calls):
        """Median seconds of each rival, REPEATS times: (warm, cold). The rivals take turns, a burst of calls each.

        Before each burst another model is trained for a step, so that its first call is cold, as every call is in a
        training loop: code, tables and gradients have left the cache. Only clipped gradients need restoring.
        """
        prepare = self.restore if max_norm < self.norm else lambda: None
        burst = min(BURST, calls)
        results = []
        for _ in range(REPEATS):
            warm, cold = ({name: [] for name in self.rivals} for _ in range(2))
            for turn in range(calls // burst + 1):
                for name, clip in self.rivals.items():
                    self.train_another()
                    took = [clock(lambda clip=clip: clip(max_norm), prepare) for _ in range(burst)]
                    if turn or calls == burst:
                        cold[name] += took[:1]
                        warm[name] += took[1:]
            results.append([{name: statistics.median(times) for name, times in each.items()} for each in (warm, cold)])
        return results


def rows(device, clock, only=None, calls_at_most=400):
    for name, shapes in SETS.items():
        if only and only not in name:
            continue
        bench = Bench(shapes, device)
        bench.check()
        calls = max(7, min(calls_at_most, 4 * 10**8 // bench.elements // 10))
        row = {"set": name, "tensors": len(shapes), "elements": bench.elements, "calls": calls, "repeats": REPEATS}
        for mode, max_norm in (("unclipped", 2 * bench.norm), ("clipped", 0.5 * bench.norm)):
            row[mode] = bench.measure(clock, max_norm, calls)
        yield row


def ratio(row, mode, rival, ours, state):
    """Torch / ours, and the smallest and the largest over the repeats."""
    each = sorted(repeat[state][rival] / repeat[state][ours] for repeat in row[mode])
    return each[len(each) // 2], each[0], each[-1]


HEADINGS = [(mode, ours) for ours in ("drop-in", "ClipPlan") for mode in ("unclipped", "clipped")]


def table(measured, rival="torch", state=WARM):
    """Markdown: for each set the ratios against `rival`, with their spread."""
    lines = ["| set | tensors | values | torch, µs | " + " | ".join(f"{o}, {m}" for m, o in HEADINGS) + " |"]
    lines.append("|---|---|---|---|" + "---|" * len(HEADINGS))
    for row in measured:
        took = [statistics.median(r[state][rival] for r in row[mode]) * 1e6 for mode in ("unclipped", "clipped")]
        cells = [row["set"], str(row["tensors"]), f"{row['elements']:,}", "{:,.0f} / {:,.0f}".format(*took)]
        for mode, ours in HEADINGS:
            middle, low, high = ratio(row, mode, rival, ours, state)
            cells.append(f"**{middle:.2f}** ({low:.2f} to {high:.2f})")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(facts, ceilings, measured):
    said = ", ".join(f"{name} {value}" for name, value in facts.items() if name != "device")
    speed = ", ".join(f"{name} {rate:.1f} GB/s" for name, rate in ceilings.items())
    return f"""{facts["device"]}
{said}
memory, 0.5 GB: {speed}

torch / ours, foreach=True, call after call; median of {REPEATS} runs (smallest to largest)

{table(measured)}

torch / ours, foreach=True, the first call after a step of another model, as in a training loop

{table(measured, state=COLD)}

torch / ours, foreach=False, call after call

{table(measured, "torch, no foreach")}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--clock", choices=("cold", "free"), default="cold", help="on a GPU: %(default)s")
    parser.add_argument("--only", help="measure only sets with this in their name")
    parser.add_argument("--store", action="store_true", help="keep the table in results/")
    options = parser.parse_args()
    clock = clocks.wall if options.device == "cpu" else getattr(clocks.GpuClock(), options.clock)
    facts = machine.facts(options.device)
    ceilings = clocks.bandwidth(clock, options.device)
    measured = list(rows(options.device, clock, options.only))
    text = report(facts, ceilings, measured)
    print(text)
    if options.store:
        name = "cpu" if options.device == "cpu" else f"cuda-{options.clock}"
        folder = HERE / "results"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.md").write_text(text)
        (folder / f"{name}.json").write_text(json.dumps({"facts": facts, "GB/s": ceilings, "rows": measured}, indent=1))


if __name__ == "__main__":
    main()
