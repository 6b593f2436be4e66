"""How long one call takes: by the wall clock on the processor, and on a GPU by two clocks, neither of them tried yet.

Clipping changes its own input. So what is to be clipped is restored from a master copy, outside the measured time.
"""

import time
from collections.abc import Callable

import torch

Call = Callable[[], object]


def wall(call: Call, prepare: Call) -> float:
    """Seconds of one call on the processor."""
    prepare()
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


class GpuClock:
    """Seconds of one call on a GPU: `cold` by events, the gradients not in the cache; `free` by the wall."""

    def __init__(self):
        self.flood = torch.ones(64 << 20, device="cuda")  # 256 MiB: more than five times the cache

    def cold(self, call: Call, prepare: Call, queued: int = 20_000_000) -> float:
        prepare()
        self.flood.sum()  # read, not written: dirty lines would be written back at the expense of what is measured
        torch.cuda.synchronize()
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(queued)  # longer than the host needs to submit, or the events would measure the host
        began.record()
        call()
        ended.record()
        torch.cuda.synchronize()
        return began.elapsed_time(ended) / 1e3

    def free(self, call: Call, prepare: Call, calls: int = 100) -> float:
        prepare()
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(calls):
            call()
        torch.cuda.synchronize()
        return (time.perf_counter() - began) / calls


def bandwidth(clock: Call, device: str, count: int = 1 << 27) -> dict[str, float]:
    """GB/s of reading, copying and scaling 0.5 GB in place, the ceilings that a pass over gradients has."""
    x, y = torch.ones(count, device=device), torch.empty(count, device=device)
    passes = {
        "read": (1, lambda: x.view(torch.int32).max()),
        "copy": (2, lambda: y.copy_(x)),
        "scale in place": (2, lambda: x.mul_(1.0)),
    }
    return {
        name: times * x.nbytes / min(clock(call, lambda: None) for _ in range(5)) / 1e9
        for name, (times, call) in passes.items()
    }
