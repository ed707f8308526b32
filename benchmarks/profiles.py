"""Where the time goes: a profile of each case of the benchmarks, its most expensive functions first.

    python -m benchmarks.profiles [WORDS]        (make profile ARGS="WORDS": only cases whose name has these words)

Of each case the size nearest to a thousand is taken. A profiler makes every call dearer than it is: shares tell where
to look, the benchmarks tell what it costs. Commands that are processes of their own are told by their imports instead.
"""

from __future__ import annotations

import cProfile
import io
import os
import pstats
import subprocess
import sys
from pathlib import Path

from benchmarks.cases import CASES, Case, clean_up

ROOT = Path(__file__).resolve().parents[1]
SHOWN = 14  # functions of each profile
LEAST_CALLS, MOST_SEC = 3, 1.0
STARTS = {"copytrade --help": ["--help"], "copytrade run": ["run", "--help"], "copytrade plan": ["plan", "--help"]}


def profiled(case: Case, size: int) -> str:
    """The functions that this case spends its own time in."""
    call = case.prepare(size)
    call()
    profile, calls = cProfile.Profile(), 0
    while calls < LEAST_CALLS or _total(profile) < MOST_SEC:
        profile.runcall(call)
        calls += 1
        if _total(profile) > MOST_SEC * LEAST_CALLS:
            break
    text = io.StringIO()
    stats = pstats.Stats(profile, stream=text)
    stats.strip_dirs().sort_stats("tottime").print_stats(SHOWN)
    rows = [row for row in text.getvalue().splitlines() if row.strip() and "Ordered" not in row and "List" not in row]
    return "\n".join(rows)


def _total(profile: cProfile.Profile) -> float:
    return sum(entry.inlinetime for entry in profile.getstats())


def imports(args: list[str]) -> str:
    """The modules that take longest to import, their own time alone."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-X", "importtime", "-m", "copytrade", *args]
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stderr
    rows = [row.removeprefix("import time:").split("|") for row in told.splitlines() if row.startswith("import time:")]
    timed = sorted(((int(own), name.strip()) for own, _, name in rows[1:]), reverse=True)
    total = sum(own for own, _ in timed)
    return "\n".join(
        [f"   {len(timed)} modules, {total / 1000:.0f} ms under the tracer"]
        + [f"   {own / 1000:8.1f} ms   {name}" for own, name in timed[:SHOWN]]
    )


def main(words: str) -> None:
    """Print the profiles."""
    for case in CASES.values():
        if words not in case.name or case.clock == "own":
            continue
        size = min(case.sizes, key=lambda one: abs(one - 1000))
        print(f"\n== {case.name}, {size:,} {case.of}" if case.of else f"\n== {case.name}")
        for start, args in STARTS.items():
            if case.name.startswith(start):
                print(imports(args))
                break
        else:
            print(profiled(case, size), flush=True)
            clean_up()


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
