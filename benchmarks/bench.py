"""Measure the program, beside an older revision of it where one is named, and write down what was found.

    python -m benchmarks.bench [--base REV] [--only WORDS] [--quick] [--write]

Each case is timed in rounds. With `--base` the two trees take turns within each round, the one that is first changing
too, so that whatever else the machine does meets both alike; the ratio is the median of the rounds' ratios.
`--write` puts the table into docs/performance.md and draws docs/performance.svg; the text around it is left alone.

Not here: what is measured (cases.py), in which process (worker.py).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from math import log
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from attrs import define, field, frozen

from benchmarks.cases import CASES, Case
from benchmarks.plot import drawing

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.svg"
BEGIN, END = "<!-- written by make bench: begin -->", "<!-- written by make bench: end -->"
ROUND_SEC, QUICK_SEC = 0.25, 0.05


# -- measuring --------------------------------------------------------------------------------------------------------


@define
class Worker:
    """A process that measures one tree."""

    process: subprocess.Popen[str]

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(question), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the measuring process ended (code {self.process.wait()}) at {question}")
        return dict(json.loads(answer))


@contextmanager
def working(tree: Path) -> Iterator[Worker]:
    """A worker for the program in `tree`, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "benchmarks" / "worker.py"), str(tree)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )  # fmt: skip
    try:
        yield Worker(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)


def git(*args: str) -> bytes:
    """What git says."""
    return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607  # on PATH


@contextmanager
def exported(revision: str) -> Iterator[Path]:
    """The program as it was at a revision, in a folder of its own."""
    packed = git("archive", revision, "copytrade")
    with tempfile.TemporaryDirectory(prefix="copytrade-base-") as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        yield Path(folder).resolve()


@frozen(kw_only=True)
class Found:
    """The figures of one case at one size, round by round; `before` is empty where the base can't do it."""

    case: Case
    size: int
    now: list[float]
    before: list[float] = field(factory=list)
    note: str | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as fast as before (or how many times as small)."""
        return median(b / n for b, n in zip(self.before, self.now, strict=True)) if self.before else None


def measured(case: Case, size: int, workers: list[Worker], *, quick: bool) -> Found | None:
    """Time one case at one size in all trees, taking turns. None where this tree can't do it."""
    able = [worker for worker in workers if "ready" in worker.ask(case=case.name, size=size)]
    if workers[0] not in able:
        return None
    figures: dict[int, list[float]] = {id(worker): [] for worker in able}
    note = None
    rounds = 3 if quick else case.rounds
    for number in range(rounds):
        for worker in able if number % 2 else able[::-1]:
            answer = worker.ask(seconds=QUICK_SEC if quick else ROUND_SEC)
            figures[id(worker)].append(answer["value"])
            note = answer["note"] if worker is workers[0] else note
    before = figures.get(id(workers[-1]), []) if len(workers) > 1 else []
    return Found(case=case, size=size, now=figures[id(workers[0])], before=before, note=note)


# -- telling ----------------------------------------------------------------------------------------------------------


def shown(value: float, unit: str) -> str:
    """A figure to three digits, in a unit that suits it.

    >>> [shown(value, "s") for value in (0.0000123, 0.0123, 1.23)], shown(61.234, "MiB")
    (['12.3 µs', '12.3 ms', '1.23 s'], '61.2 MiB')
    """
    if unit != "s":
        return f"{value:.3g} {unit}"
    for name, factor in (("µs", 1e6), ("ms", 1e3)):
        if value * factor < 999.5:
            return f"{value * factor:.3g} {name}"
    return f"{value:.3g} s"


def spread(figures: list[float], unit: str) -> str:
    """Between which figures the middle half of the rounds lie."""
    if len(figures) < 3:
        return ""
    low, _, high = quantiles(figures, n=4, method="inclusive")
    return f"{shown(low, unit)} … {shown(high, unit)}"


def rate(found: Found) -> str:
    """What that makes for each token, row or order, and how many a second."""
    if found.case.unit != "s" or found.size < 2:
        return ""
    one = median(found.now) / found.size
    return f"{shown(one, 's')} ({1 / one:,.0f}/s)"


def exponent(of: list[Found]) -> float | None:
    """The power with which the cost grows with the size: 1 is linear. From 100 on, where fixed costs matter less."""
    points = [(log(one.size), log(median(one.now))) for one in of if one.size >= 100]
    if len(points) < 2:
        return None
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    return float(sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points))


def row(found: Found, *, base: bool) -> list[str]:
    """One line of the table."""
    case = found.case
    name = f"{case.name}, {found.size:,} {case.of}" if case.of else case.name
    cells = [name, shown(median(found.now), case.unit), spread(found.now, case.unit), rate(found)]
    if base:
        ratio = found.ratio
        cells += [
            shown(median(found.before), case.unit) if found.before else "",
            f"{ratio:.2f}" if ratio is not None else "",
        ]
    return [*cells, case.wanted if found.size == case.sizes[-1] else "", found.note or ""]


def table(all_found: list[Found], *, base: bool) -> str:
    """The whole of it in Markdown."""
    head = [
        "what",
        "median",
        "middle half of the rounds",
        "each",
        *(["before", "times"] if base else []),
        "wanted",
        "note",
    ]
    lines = [head, ["---"] * len(head), *(row(found, base=base) for found in all_found)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine() -> str:
    """What it ran on, in words: no name and no path of it."""
    cpus = os.cpu_count() or 1
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    load = ", ".join(f"{one:.2f}" for one in os.getloadavg())
    return (
        f"{cpus} shared cores ({model}), {platform.system()}, Python {platform.python_version()}, "
        f"load over 1, 5 and 15 minutes {load}"
    )


def backtests(*, quick: bool) -> str:
    """What bench_backtest.py says: sweeps and memory, which have a shape of their own."""
    script = str(ROOT / "benchmarks" / "bench_backtest.py")
    args = [sys.executable, script, *(["--quick"] if quick else [])]
    return subprocess.run(args, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def page(all_found: list[Found], base: str | None, told: str) -> str:
    """What stands between the marks of docs/performance.md."""
    by_case: dict[str, list[Found]] = {}
    for found in all_found:
        by_case.setdefault(found.case.name, []).append(found)
    powers = [
        f"| {name} | {power:.2f} |"
        for name, of in by_case.items()
        if of[0].case.growth and (power := exponent(of)) is not None
    ]
    against = f', beside revision {base} ("before"; "times" is how many times as fast)' if base else ""
    return "\n".join(
        [
            BEGIN,
            f"Measured on {datetime.now(UTC):%Y-%m-%d} on {machine()}{against}.",
            "",
            table(all_found, base=base is not None),
            "",
            "How each cost grows from 100 tokens on: the power of the size that fits best, 1 being linear.",
            "",
            "| cost | power |",
            "| --- | --- |",
            *powers,
            "",
            "The backtest's own benchmark, for a tape of 50 tokens and 2,000 polls:",
            "",
            "```text",
            told.rstrip(),
            "```",
            END,
        ]
    )


def written(all_found: list[Found], base: str | None, told: str) -> None:
    """Put table and picture into docs/."""
    text = PAGE.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(before + page(all_found, base, told) + after)
    curves: dict[str, list[tuple[float, float]]] = {}
    for found in all_found:
        if found.case.growth and found.case.unit == "s" and len(found.case.sizes) > 2:
            curves.setdefault(found.case.name, []).append((found.size, median(found.now)))
    PICTURE.write_text(drawing(curves))


def main() -> None:
    """Measure, print, and write where that was asked for."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--base", help="a revision to measure beside this tree")
    parser.add_argument("--only", default="", help="only cases whose name has these words in it")
    parser.add_argument("--quick", action="store_true", help="few and short rounds: a look, not a measurement")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its picture")
    args = parser.parse_args()
    base = None
    if args.base:
        base = git("rev-parse", "--short", args.base).decode().strip()
    print(machine(), flush=True)
    all_found = []
    with ExitStack() as stack:
        workers = [stack.enter_context(working(ROOT))]
        if base:
            workers.append(stack.enter_context(working(stack.enter_context(exported(base)))))
        for case in CASES.values():
            if args.only not in case.name:
                continue
            for size in case.sizes:
                found = measured(case, size, workers, quick=args.quick)
                if found is None:
                    print(f"{case.name}, {size:,} {case.of}: this tree can't do it", flush=True)
                    continue
                all_found.append(found)
                print("   ".join(cell for cell in row(found, base=base is not None) if cell), flush=True)
    told = backtests(quick=args.quick) if args.only in "backtest" else ""
    print(told, end="")
    if args.write:
        written(all_found, base, told)
        print(f"written: {PAGE.relative_to(ROOT)} and {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
