"""What the machine finds wrong with a kernel. A GPU reports none of these: it hangs, or computes something else."""


class KernelError(RuntimeError):
    """Something a kernel must not do, with the facts as attributes and in `facts`.

    - `block`, `thread`: who did it; `source`: the line it was done in
    """

    def __init__(self, message: str, **facts):
        super().__init__(message)
        self.facts = facts
        self.__dict__.update(facts)


class Race(KernelError):
    """Two threads touched one element, one of them wrote, and nothing says who comes first.

    - `array`, `index`: the element; `shared`: whether it lies in shared memory
    - `other`, `other_block`: the thread that came first here; `did`, `other_did`: what each did, "read" or "wrote"
    - `other_source`: the line of the other one; `ticketed`: whether this block had done an atomic before
    """


class PastTheEnd(KernelError):
    """An index below 0 or beyond the end. `array`, `index`, `size`, `shared`, and `did`: "read" or "wrote"."""


class Unwritten(KernelError):
    """An element was read that nobody had written. `array`, `index`."""


class BarrierMissed(KernelError):
    """Threads wait for one that does not come.

    - `waiting`: how many; `source`: where they wait; `kind`: for what, "barrier", "syncwarp" or "warp", which is an
      exchange of a warp's lanes
    - `thread`: one that does not come; `ended`: whether it has ended, or waits elsewhere, in `elsewhere`
    """


class Endless(KernelError):
    """The launch took more steps than it may. `steps`."""
