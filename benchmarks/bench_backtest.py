"""How fast a backtest decides, what a second core gives, and whether memory grows with the tape.

    python benchmarks/bench_backtest.py [--quick]

50 tokens x 2,000 polls, a new book of each token at each poll (three in ten at other prices), trades, resting orders,
fills and accounting on. Speed is in token decisions a second of processor time on one core, the best of three runs. It
depends on how much there is to do, and that on how often the leader trades: so it is told for several paces of his.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from operator import itemgetter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.backtest_tape import INTERVAL, market_tape
from copytrade.adapters.tapes import open_tape, write_tape
from copytrade.app.backtest import engine
from copytrade.app.backtest.assumptions import Assumptions
from copytrade.app.backtest.engine import backtest
from copytrade.app.backtest.studies import grid, sweep_here
from copytrade.app.backtest.tape import Tape
from copytrade.domain.model import Plan, Snapshot
from copytrade.domain.tokens import Memo

CASH = Decimal(5000)
TOKENS = 50
PACES = (1, 2, 4, 10)  # polls of 20 s from one change of the leader's to the next
_RSS = (
    "import sys; sys.path.insert(0, {root!r})\n"
    "from benchmarks.backtest_tape import market_tape\n"
    "from copytrade.app.backtest.engine import backtest\n"
    "backtest(market_tape(polls={polls}, tokens=20, in_memory=False), keep=False)\n"
    # Not ru_maxrss, which a process inherits from the one that started it.
    "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"
)


def main() -> None:
    """Print the figures."""
    polls = 400 if "--quick" in sys.argv else 2000
    world = Assumptions(start_cash=CASH)
    spent, real = [0.0], engine.plan

    def timed(snapshot: Snapshot, memo: Memo | None = None) -> Plan:
        start = time.process_time()
        decided = real(snapshot, memo)
        spent[0] += time.process_time() - start
        return decided

    for every in PACES:
        tape = market_tape(polls=polls, changes=1 / TOKENS / every)
        seconds, found = min((_timed(partial(run, tape, world)) for _ in range(3)), key=itemgetter(0))
        decisions, done = found.summary.decisions, found.summary
        engine.plan, spent[0] = timed, 0.0
        try:
            whole, _ = _timed(partial(run, tape, world))
        finally:
            engine.plan = real
        print(f"the leader changes a holding every {every * INTERVAL} s:")
        print(f"    {decisions / seconds:,.0f} token decisions/s on one core ({decisions:,} in {seconds:.2f} s)")
        print(f"    {done.orders:,} orders, {done.fills:,} fills, {done.cancels:,} cancels")
        print(f"    of {whole / decisions * 1e6:.1f} us a decision, plan() takes {spent[0] / decisions * 1e6:.1f} us")

    jobs = grid({"follow_ratio": ["0.1", "0.2", "0.3", "0.4"]}, {"start_cash": str(CASH)})
    walls = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tape.jsonl.gz"
        write_tape(market_tape(polls=polls // 2), path)
        for workers in (1, 2):
            start = time.perf_counter()
            sweep_here(open_tape(path), jobs, workers=workers)
            walls.append(time.perf_counter() - start)
    print(f"sweep:    {walls[0]:.2f} s on one core, {walls[1]:.2f} s on two: {walls[0] / walls[1]:.2f} times as fast")

    sizes = [_peak_kib(polls // 4), _peak_kib(polls)]
    grown = sizes[1] - sizes[0]
    print(f"memory:   {sizes[0] / 1024:.1f} MiB at the peak, {grown / 1024:+.1f} MiB for a tape four times as long")


def run(tape: Tape, world: Assumptions) -> engine.Result:
    """One backtest."""
    return backtest(tape, fills="optimistic", assumptions=world, keep=False)


def _timed(once: Callable[[], engine.Result]) -> tuple[float, engine.Result]:
    start = time.process_time()
    found = once()
    return time.process_time() - start, found


def _peak_kib(polls: int) -> int:
    """The peak of a process of its own that runs a streamed tape, in KiB."""
    code = _RSS.format(root=str(Path(__file__).resolve().parents[1]), polls=polls)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(run.stdout)


if __name__ == "__main__":
    main()
