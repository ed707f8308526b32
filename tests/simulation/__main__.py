"""Run many seeds on all cores and print what happened; or tell one seed's story.

python -m tests.simulation --seeds 1000 [--first 0] [--cycles 100]
SEED=17 python -m tests.simulation [--cycles 60] [--without "fill,lost post"]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median

from tests.simulation.chaos import KINDS
from tests.simulation.seeds import Outcome, simulate, smallest


def replay_command(seed: int, cycles: int, without: frozenset[str]) -> str:
    """What a person types to see it again."""
    left_out = f' --without "{",".join(sorted(without))}"' if without else ""
    return f"SEED={seed} python -m tests.simulation --cycles {cycles}{left_out}"


def story_of(seed: int, cycles: int, *, last: int = 60) -> str:
    """The smallest story of a failing seed, and the command that replays it."""
    outcome, cycles, without = smallest(seed, cycles)
    told = "\n".join(outcome.story[-last:])
    return f"seed {seed}: {outcome.violation}\n{told}\nreplay: {replay_command(seed, cycles, without)}"


def table(outcomes: list[Outcome], seconds: float) -> str:
    """The figures of many seeds."""
    faults = sum((one.faults for one in outcomes), Counter[str]())
    calm = [one.converged_in for one in outcomes if not one.violation] or [0]
    broken = sum(1 for one in outcomes if one.violation)
    rows = [
        ("seeds", len(outcomes)),
        ("cycles", sum(one.cycles for one in outcomes)),
        ("orders", sum(one.orders for one in outcomes)),
        ("fills", sum(one.fills for one in outcomes)),
        *((f"  {kind}", faults[kind]) for kind in KINDS),
        ("violations", broken),
        ("worst overshoot, shares", max(one.worst for one in outcomes)),
        ("cycles to converge, median", median(calm)),
        ("cycles to converge, worst", max(calm)),
        ("seconds", round(seconds, 1)),
    ]
    return "\n".join(f"{name:<28}{value!s:>12}" for name, value in rows)


def main() -> int:
    """Exit code 1 when any law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--without", default="", help="kinds of trouble, with commas")
    args = parser.parse_args()
    without = frozenset(kind for kind in args.without.split(",") if kind)
    if strange := without - set(KINDS):
        parser.error(f"unknown kinds {sorted(strange)}; there are {', '.join(KINDS)}")
    if "SEED" in os.environ:
        outcome = simulate(int(os.environ["SEED"]), args.cycles, without)
        print(*outcome.story, outcome.violation or f"all is well after {outcome.converged_in} calm cycles", sep="\n")
        return 1 if outcome.violation else 0
    started = time.monotonic()
    with ProcessPoolExecutor() as pool:
        seeds = range(args.first, args.first + args.seeds)
        outcomes = list(pool.map(partial(simulate, cycles=args.cycles, without=without), seeds, chunksize=4))
    print(table(outcomes, time.monotonic() - started))
    failing = [one for one in outcomes if one.violation]
    for one in failing[:20]:
        print(f"seed {one.seed}: {one.violation}")
    if failing:
        print(f"\n{story_of(failing[0].seed, args.cycles)}")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
