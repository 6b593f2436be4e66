"""One block: its threads in turns, and the meetings they wait for."""

from collections.abc import Callable

from .errors import BarrierMissed
from .lane import Lane, Pause
from .source import text


class Block:
    """The threads of a block, its shared memory, and how many barriers it has passed."""

    def __init__(self, run, number: int, threads: int):
        self.run, self.number, self.shared = run, number, {}
        self.lanes = [Lane(thread) for thread in range(threads)]
        self.epoch, self.warp_epochs = 0, [0] * (-(-threads // 32))

    def execute(self, kernel: Callable[[], object]) -> None:
        """Run all threads to their ends. Raises BarrierMissed where they wait for each other in vain."""
        while True:
            for lane in self.lanes:
                if not lane.done and lane.waits is None:
                    self._turn(lane, kernel)
            if all(lane.done for lane in self.lanes):
                self._end_of_interval()
                return
            if not self._meet_in_warps() and not self._meet_all():
                raise self._missed()

    def _turn(self, lane: Lane, kernel: Callable[[], object]) -> None:
        self.run.lane, lane.at = lane, 0
        try:
            kernel()
        except Pause:
            return
        lane.done = True

    def _meet_in_warps(self) -> bool:
        """Let those meet whose whole warp, or the lanes of it that were named, has come."""
        met = False
        for warp in range(len(self.warp_epochs)):
            members = self.lanes[32 * warp : 32 * warp + 32]
            for first in members:
                if first.waits is None or first.waits.kind == "barrier":
                    continue
                named = [lane for lane in members if first.waits.mask >> lane.thread % 32 & 1]
                if any(lane.waits is None or lane.waits[::2] != first.waits[::2] for lane in named):
                    continue
                self._meet(named)
                met = True
        return met

    def _meet(self, lanes: list[Lane]) -> None:
        found = {lane.thread % 32: lane.waits.value for lane in lanes}
        if lanes[0].waits.kind == "syncwarp":
            self.warp_epochs[lanes[0].warp] += 1
        else:
            self.run.counts.shuffles += 1
        for lane in lanes:
            lane.steps += lane.waits.kind == "warp"
            lane.go_on(found)

    def _meet_all(self) -> bool:
        if not all(lane.waits is not None and lane.waits.kind == "barrier" for lane in self.lanes):
            return False
        if len({lane.waits.place for lane in self.lanes}) > 1:
            return False  # on some chips they would meet, and go on as if they had been in one place
        found = {lane.thread: lane.waits.value for lane in self.lanes}
        for lane in self.lanes:
            lane.go_on(found)
        self.epoch += 1
        self.run.counts.barriers += 1
        self._end_of_interval()
        return True

    def _end_of_interval(self) -> None:
        steps = [lane.steps for lane in self.lanes]
        self.run.counts.busy += sum(steps)
        self.run.counts.slots += max(steps) * len(steps)
        for lane in self.lanes:
            lane.steps = 0

    def _missed(self) -> BarrierMissed:
        waiting = [lane for lane in self.lanes if lane.waits is not None]
        first = next((lane for lane in waiting if lane.waits.kind == "barrier"), waiting[0])
        there = first.waits.place
        absent = [lane for lane in self.lanes if lane.waits is None or lane.waits.place != there]
        other = absent[0] if absent else first
        elsewhere = "" if other.waits is None else text(other.waits.place)
        doing = f"waits in `{elsewhere}`" if elsewhere else "has ended"
        return BarrierMissed(
            f"{len(self.lanes) - len(absent)} of {len(self.lanes)} threads of block {self.number} wait in "
            f"`{text(there)}`, and thread {other.thread} does not come: it {doing}",
            block=self.number,
            thread=other.thread,
            waiting=len(self.lanes) - len(absent),
            threads=len(self.lanes),
            source=text(there),
            kind=first.waits.kind,
            ended=not elsewhere,
            elsewhere=elsewhere,
        )
