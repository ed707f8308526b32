"""Run many seeds on all cores and print what happened; or tell one seed's story.

python -m tests.simulation --seeds 1000 [--first 0] [--cycles 200]
SEED=17 python -m tests.simulation [--cycles 200] [--without "fill,lost post"] [--only "12:fill,13:crash"]
SEED=17 python -m tests.simulation --smallest      the least that still breaks a law
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from decimal import Decimal
from statistics import median

from attrs import define, field

from tests.simulation.chaos import KINDS
from tests.simulation.seeds import Outcome, simulate
from tests.simulation.shrink import Recipe, Strike, story_of

AT_ONCE = 5  # seeds that a core is given


@define(kw_only=True)
class Totals:
    """The figures of many seeds, added up as they come."""

    seeds: int = 0
    cycles: int = 0
    lives: int = 0
    orders: int = 0
    fills: int = 0
    faults: Counter[str] = field(factory=Counter)
    worst: Decimal = Decimal(0)
    calm: list[int] = field(factory=list)
    failing: dict[int, str] = field(factory=dict)

    def add(self, one: Outcome) -> None:
        self.seeds += 1
        self.cycles += one.cycles
        self.lives += one.lives
        self.orders += one.orders
        self.fills += one.fills
        self.faults += one.faults
        self.worst = max(self.worst, one.worst)
        if one.violation:
            self.failing[one.seed] = one.violation
        else:
            self.calm.append(one.converged_in)

    def table(self, seconds: float) -> str:
        """Name and figure, one a line."""
        stuck = sum(1 for words in self.failing.values() if words.startswith("not converged"))
        calm = self.calm or [0]
        rows = [
            ("seeds", f"{self.seeds:,}"),
            ("cycles", f"{self.cycles:,}"),
            ("lives of the process", f"{self.lives:,}"),
            ("orders sent", f"{self.orders:,}"),
            ("fills", f"{self.fills:,}"),
            ("strikes of trouble", f"{self.faults.total():,}"),
            *((f"  {kind}", f"{self.faults[kind]:,}") for kind in KINDS),
            ("violations", f"{len(self.failing) - stuck:,}"),
            ("not converged", f"{stuck:,}"),
            ("furthest past want, shares", f"{self.worst}"),
            ("cycles to converge, median", f"{median(calm):g}"),
            ("cycles to converge, worst", f"{max(calm)}"),
            ("seconds", f"{seconds:,.0f}"),
        ]
        return "\n".join(f"{name:<28}{figure:>14}" for name, figure in rows)


def many(seeds: range, cycles: int, without: frozenset[str], seen: Callable[[Totals], None], jobs: int) -> Totals:
    """Run these seeds on `jobs` processes; `seen` is called as the figures grow. Ctrl-C ends it with what there is."""
    totals = Totals()
    with ProcessPoolExecutor(jobs) as pool:
        heaps = [seeds[start : start + AT_ONCE] for start in range(0, len(seeds), AT_ONCE)]
        try:
            for heap in as_completed([pool.submit(_heap, heap, cycles, without) for heap in heaps]):
                for outcome in heap.result():
                    totals.add(outcome)
                seen(totals)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
    return totals


def _heap(seeds: range, cycles: int, without: frozenset[str]) -> list[Outcome]:
    return [simulate(seed, cycles, without, told=False) for seed in seeds]


def _with_progress(seeds: range, cycles: int, without: frozenset[str], jobs: int) -> Totals:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("seeds   {task.fields[found]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=len(seeds), found="0 violations")
        return many(
            seeds,
            cycles,
            without,
            lambda totals: progress.update(
                bar, completed=totals.seeds, found=f"{totals.cycles:,} cycles   {len(totals.failing)} violations"
            ),
            jobs,
        )


def _strikes(text: str) -> frozenset[Strike]:
    pairs = (part.split(":", 1) for part in text.split(",") if part)
    return frozenset((int(cycle), kind) for cycle, kind in pairs)


def _tell(recipe: Recipe, smallest: bool) -> int:
    outcome = recipe.run()
    if smallest and outcome.violation:
        print(story_of(recipe))
        return 1
    print(*outcome.story, outcome.violation or f"all is well after {outcome.converged_in} calm cycles", sep="\n")
    return 1 if outcome.violation else 0


def main() -> int:
    """Exit code 1 when any law was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--cycles", type=int, default=200, help="of each seed, before the calm (default 200)")
    parser.add_argument("--without", default="", help="kinds of trouble that do not happen, with commas")
    parser.add_argument("--only", type=_strikes, help="nothing happens but these strikes, as cycle:kind, with commas")
    parser.add_argument("--smallest", action="store_true", help="find the least that still breaks a law")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    args = parser.parse_args()
    without = frozenset(kind for kind in args.without.split(",") if kind)
    if strange := (without | {kind for _, kind in args.only or ()}) - KINDS.keys():
        parser.error(f"unknown kinds {sorted(strange)}; there are {', '.join(KINDS)}")
    if "SEED" in os.environ:
        recipe = Recipe(seed=int(os.environ["SEED"]), cycles=args.cycles, without=without, only=args.only)
        return _tell(recipe, args.smallest)
    started = time.monotonic()
    totals = _with_progress(range(args.first, args.first + args.seeds), args.cycles, without, args.jobs)
    print(totals.table(time.monotonic() - started))
    for seed, words in sorted(totals.failing.items())[:20]:
        print(f"seed {seed}: {words}")
    if totals.failing:
        print(f"\n{story_of(Recipe(seed=min(totals.failing), cycles=args.cycles, without=without))}")
    return 1 if totals.failing else 0


if __name__ == "__main__":
    sys.exit(main())
