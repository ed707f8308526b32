"""Does memory grow with the number of cycles? A hundred thousand of them, more than three weeks at one every 20 s.

    python -m benchmarks.bench_memory [CYCLES]

On the simulated exchange in process, on a clock set by hand: the leader moves between holdings all the time, the
outside world takes our orders, orders grow old, ledgers fold. State and journal are encoded as in a run, and counted
instead of written. What the *exchange* remembers of closed orders and trades is taken out now and then: it is not ours.
"""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.stage import InProcess
from copytrade.adapters.simulated.records import Hits, Manners
from copytrade.adapters.simulated.scenario import LEADER, yes_of

TOKENS = 6
MARKS = 10  # how often it is told


class Counting:
    """A state file and a journal that count what they are given."""

    def __init__(self) -> None:
        self.state = b""
        self.lines = 0
        self.longest = 0

    def load(self) -> bytes | None:
        return self.state or None

    def load_backup(self) -> bytes | None:
        return None

    def save(self, document: bytes) -> None:
        self.state = document

    def keep_broken(self) -> str:
        raise AssertionError("nothing is broken here")

    keep_broken_backup = keep_broken

    def append(self, now: Decimal, line: bytes) -> None:  # noqa: ARG002  # the port's
        self.lines += 1
        self.longest = max(self.longest, len(line))

    def exists(self) -> bool:
        return True

    def newest_first(self, at_most: int | None = None) -> Any:  # noqa: ARG002  # the port's
        return iter(())


def main(cycles: int) -> None:
    """Print a line at each tenth of the way."""
    kept = Counting()
    manners = Manners(hits=Hits(mean_sec=60, least=Decimal(5), most=Decimal(30)))
    stage = InProcess(TOKENS, None, files=kept, manners=manners)
    dice, fills, orders, began = Random(1), 0, 0, time.monotonic()  # noqa: S311  # dice of a game
    first = 0
    for number in range(1, cycles + 1):
        if number % 40 == 0:  # and quiet in between, so that ledgers can start anew
            token_id = yes_of(stage.world, dice.randrange(TOKENS))
            stage.world.exchange.hold(LEADER, token_id, Decimal(dice.randrange(0, 400)))
        cycle = stage.cycle()
        fills += len(cycle.fills)
        orders += len(cycle.plan.places)
        if number % 200 == 0:
            stage.forget_the_past()
        if number % (cycles // MARKS) == 0:
            resident = _resident_kib()
            first = first or resident
            print(
                f"{number:>7,} cycles   {resident / 1024:6.1f} MiB   state {len(kept.state) / 1024:5.1f} KiB   "
                f"longest line {kept.longest / 1024:5.1f} KiB   {orders:,} orders, {fills:,} fills   "
                f"{(time.monotonic() - began) / number * 1000:.2f} ms a cycle",
                flush=True,
            )
    print(f"memory:   {(_resident_kib() - first) / 1024:+.1f} MiB over the last {cycles - cycles // MARKS:,} cycles")


def _resident_kib() -> int:
    rows = Path("/proc/self/status").read_text().splitlines()
    return int(next(row.split()[1] for row in rows if row.startswith("VmRSS")))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
