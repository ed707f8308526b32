"""Break the domain on purpose, in every small way there is, and see whether the tests notice. Run by `make mutants`.

    make mutants                          all of copytrade/domain
    make mutants ARGS="quote exposure"    these modules only
    make mutants ARGS="--until laws"      a first look: without the simulation and the program
    make mutants ARGS=--survivors         what is explained as a survivor, which is not run otherwise
    make mutants ARGS="--kept FILE"       write down there what was killed, and go on from it after a stop

A mutant is one fault in one module; mutations.py says which there are. It gets a process of its own, and tests run
there until the first one fails: the module's own tables and examples, the other tables, the laws and the machines, the
simulation, and the program around them (STAGES). Tests that start processes, or wait for a real clock, are not asked,
so what is killed here is the least that the whole suite kills.

A fault inside a function is put into the function, in a process forked from one that has collected all tests. Any
other (a default, a constant, a validator) is put in the module's place before anything of ours is imported.

What hangs is killed, too: a stage has ten seconds of processor time and five times what the dearest stage needs
without a mutant. The answer depends neither on the machine nor on how many run at once. Each survivor has to be
explained in tests/mutants_survivors.toml. The exit code is 1 where one is not, or where less than 95 % are killed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.abc
import importlib.util
import inspect
import json
import os
import resource
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TextIO

import pytest
from attrs import define, field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from scripts.mutations import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[1]
DOMAIN = ROOT / "copytrade" / "domain"
TESTS = ROOT / "tests"
EXAMPLES = sorted(DOMAIN.glob("*.py"))  # in their docstrings
EXPLAINED = TESTS / "mutants_survivors.toml"
WANTED = 0.95
STAGES = ("own", "tables", "laws", "simulation", "program")
SURVIVED, FAULT = "survived", "a fault of this script:"
WHOLE, SESSION = -1, -2  # no mutant at all; the process that all others are forked from
LONGEST_WAIT_SEC = 1800  # for what hangs and burns no time: it waits for something that never comes
_NAME = ("file", "where", "operator", "before", "after", "nth")  # of a mutant, in the file of explanations
_OURS = {"copytrade", "tests", "scripts", "conftest"}
_PYTEST = ("-x", "-qq", "-s", "--tb=line", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make mutants ARGS=", description="Which faults in the domain go unnoticed?")
    parser.add_argument("modules", nargs="*", help="quote, exposure, … (all of copytrade/domain where none is named)")
    parser.add_argument("--survivors", action="store_true", help="only what is explained as a survivor, run again")
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1], help="ask no tests after this stage")
    parser.add_argument("--kept", type=Path, metavar="FILE", help="what was killed, as it is killed; not run again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many run at once (all cores)")
    asked = parser.parse_args(arguments)

    paths = [DOMAIN / f"{name}.py" for name in asked.modules] or sorted(DOMAIN.glob("*.py"))
    if missing := [path.stem for path in paths if not path.exists()]:
        parser.error(f"copytrade/domain has no {', '.join(missing)}")
    explained = _explanations()
    mutants = [mutant for path in paths for mutant in mutants_of(path, f"copytrade.domain.{path.stem}")]
    if asked.survivors:
        mutants = [mutant for mutant in mutants if mutant.name in explained]
    # Whoever is explained as a survivor counts as one, and need not be shown to be one every time.
    fates = {
        index: SURVIVED for index, mutant in enumerate(mutants) if mutant.name in explained and not asked.survivors
    }
    if asked.kept:
        known = _kept(asked.kept)
        fates |= {index: known[_key(mutant)] for index, mutant in enumerate(mutants) if _key(mutant) in known}

    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        sys.dont_write_bytecode, sys.pycache_prefix = False, folder  # what is compiled once is compiled for all
        stages = STAGES[: STAGES.index(asked.until) + 1]
        _Run(mutants=mutants, fates=fates, folder=Path(folder), stages=stages, jobs=asked.jobs, kept=asked.kept).all()
    return _report(mutants, fates, explained)


def tests_of(module: str) -> dict[str, list[Path]]:
    """What may kill a mutant of this module, stage by stage, soonest first."""
    tables = sorted(path for path in (TESTS / "domain").glob("test_*.py") if "stateful" not in path.name)
    app = sorted((TESTS / "app").glob("test_*.py"))
    explaining = TESTS / "app" / "test_explaining.py"
    own = [path for path in tables if f"{path.stem}_".startswith(f"test_{module}_")] + [DOMAIN / f"{module}.py"]
    return {
        "own": own,
        "tables": [path for path in (*tables, explaining, *EXAMPLES) if path not in own],
        "laws": [TESTS / "domain" / "properties", *sorted((TESTS / "domain").glob("test_*stateful*.py"))],
        "simulation": [TESTS / "simulation"],
        # Each file once: Hypothesis refuses to run a method a second time in one process.
        "program": [path for path in app if path != explaining] + [TESTS / "cli" / "test_plan.py"],
    }


# -- running them -----------------------------------------------------------------------------------------------------


@define(kw_only=True)
class _Run:
    """All mutants, and what has become of them: the stage that killed one, or SURVIVED."""

    mutants: Sequence[Mutant]
    fates: dict[int, str]
    folder: Path
    stages: Sequence[str]
    jobs: int
    kept: Path | None = field(default=None)
    allowance: float = field(default=0.0)  # seconds of processor time for a stage

    def all(self) -> None:
        self._calibrate()
        todo = [index for index in range(len(self.mutants)) if index not in self.fates]
        inside = [index for index in todo if _changed_function(self.mutants[index])]
        # In a process of its own, so that this one stays as it is: with nothing of ours imported.
        session = self._fork(SESSION, lambda *_: self._in_session(inside), quiet=False)
        try:
            status = os.waitpid(session, 0)[1]
        except BaseException:
            os.kill(session, signal.SIGTERM)
            raise
        if status or self._notes(SESSION)[-1].startswith(FAULT):
            sys.exit(self._notes(SESSION)[-1])
        self.fates |= {index: self._notes(index)[-1] for index in inside}
        self._pool([index for index in todo if index not in inside], self._from_scratch, "outside of functions")

    def _in_session(self, inside: Sequence[int]) -> None:
        wanted = {"own", "tables", *self.stages}  # of whichever module
        paths = [str(path) for stage, paths in tests_of("plan").items() if stage in wanted for path in paths]
        plugin = _Session(lambda run: self._pool(inside, run, "in functions"), self)
        if pytest.main([*_PYTEST, *paths], plugins=[plugin]) != pytest.ExitCode.OK:
            raise RuntimeError("pytest could not collect the tests, or not run the mutants")

    def _calibrate(self) -> None:
        """Run the tests without a mutant, and import whatever they import that is not ours."""
        with Console(stderr=True).status("the tests without a mutant"):
            self._pool([WHOLE], self._from_scratch, "")
        lines = self._notes(WHOLE)
        if SURVIVED not in lines:
            sys.exit(f"nothing was broken yet, and tests fail already: {lines[-1]}\n{self._said().read_text()}")
        for name in json.loads(lines[-1]):
            with suppress(Exception):  # whatever cannot be imported beforehand is imported when it is needed
                importlib.import_module(name)
        self.allowance = 10 + 5 * max(float(line) for line in lines if line[0].isdigit())

    def _pool(self, todo: Sequence[int], run: Callable[[int, TextIO], None], title: str) -> None:
        """Run these, some at once, each in a process of its own."""
        waiting = iter(todo)
        running: dict[int, tuple[int, float]] = {}  # process: (mutant, since when)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not title) as bar:
            task = bar.add_task(title, total=len(todo))
            try:
                while True:
                    while len(running) < self.jobs and (index := next(waiting, None)) is not None:
                        running[self._fork(index, run)] = (index, time.monotonic())
                    if not running:
                        return
                    for child in [child for child in running if os.waitpid(child, os.WNOHANG)[0]]:
                        index, _ = running.pop(child)
                        fate = self._notes(index)[-1]
                        if fate.startswith(FAULT):
                            sys.exit(f"{self.mutants[index].name}: {fate}")
                        if index >= 0:
                            self.fates[index] = fate
                            self._keep(index, fate)
                        alive = sum(self.fates.get(one) == SURVIVED for one in todo)
                        bar.update(task, advance=1, description=f"{title}, {alive} alive so far")
                    for child, (_, since) in running.items():
                        if time.monotonic() - since > LONGEST_WAIT_SEC:
                            os.killpg(child, signal.SIGKILL)
                    time.sleep(0.005)
            finally:
                for child in running:
                    os.killpg(child, signal.SIGKILL)

    def _keep(self, index: int, fate: str) -> None:
        if self.kept and fate != SURVIVED:  # a later test may kill what survives today
            with self.kept.open("a", encoding="utf-8") as kept:
                print(json.dumps([*_key(self.mutants[index]), fate], ensure_ascii=False), file=kept)

    def _fork(self, index: int, run: Callable[[int, TextIO], None], *, quiet: bool = True) -> int:
        """Start it. The child writes down each stage that it begins, and SURVIVED at the end; it never comes back."""
        (self.folder / str(index)).write_text("own\n")
        child = os.fork()
        if child:
            return child
        try:
            if quiet:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.setpgid(0, 0)
                nowhere = os.open(os.devnull, os.O_RDWR)
                heard = os.open(self._said(), os.O_WRONLY | os.O_CREAT) if index == WHOLE else nowhere
                for stream, end in enumerate((nowhere, heard, heard)):
                    os.dup2(end, stream)
            with (self.folder / str(index)).open("a", buffering=1) as notes:
                try:
                    run(index, notes)
                except BaseException as error:  # noqa: BLE001  # ours, not a test's: pytest keeps those to itself
                    print(f"{FAULT} {error!r}", file=notes)
        finally:
            os._exit(0)

    def _notes(self, index: int) -> list[str]:
        return (self.folder / str(index)).read_text().splitlines()

    def _said(self) -> Path:
        """What the tests print where nothing is broken."""
        return self.folder / "said"

    def begin(self, stage: str, notes: TextIO) -> None:
        print(stage, file=notes)
        if self.allowance:
            most = int(time.process_time() + self.allowance) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))

    def _from_scratch(self, index: int, notes: TextIO) -> None:
        """The mutant stands where its module would be before anything of ours is imported."""
        whole = index < 0
        if not whole:
            sys.meta_path.insert(0, _InItsPlace(self.mutants[index]))
            try:
                importlib.import_module(self.mutants[index].module)  # before pytest can, which has a finder of its own
            except Exception:  # noqa: BLE001  # whatever a fault may raise
                return  # nothing could even begin
        for stage, paths in tests_of("plan" if whole else self.mutants[index].path.stem).items():
            if stage in self.stages:
                self.begin(stage, notes)
                began = time.process_time()
                answer = pytest.main([*_PYTEST, *(str(path) for path in paths)])
                if answer not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                    return
                if whole:
                    print(time.process_time() - began, file=notes)
        print(SURVIVED, file=notes)
        if whole:
            print(json.dumps([name for name in sys.modules if name.split(".")[0] not in _OURS]), file=notes)


class _InItsPlace(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The mutant is found where its module would be; all else is left to the usual finders."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._code = mutant.code()

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._mutant.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102  # our own source, one node of it changed


class _Session:
    """A plugin of pytest: where the collected tests would be run, they are run for one mutant after the other."""

    def __init__(self, pool: Callable[[Callable[[int, TextIO], None]], None], run: _Run) -> None:
        self._pool, self._run = pool, run

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        def one(index: int, notes: TextIO) -> None:
            _put_in(self._run.mutants[index])
            folders = tests_of(self._run.mutants[index].path.stem)
            items: list[tuple[str, pytest.Item]] = []
            before = ""
            for stage in self._run.stages:
                for path in folders[stage]:
                    items += [(stage, item) for item in session.items if item.path.is_relative_to(path)]
            for at, (stage, item) in enumerate(items):
                following = items[at + 1][1] if at + 1 < len(items) else None
                if stage != before:
                    self._run.begin(stage, notes)
                before = stage
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.shouldfail:
                    return
            print(SURVIVED, file=notes)

        self._pool(one)
        return True


def _changed_function(mutant: Mutant) -> tuple[list[str], CodeType] | None:
    """The names that lead to the function that holds the fault, and its new code; None where it is in no function."""
    code = mutant.code()
    names: list[str] = []
    for name in mutant.spot.where.split("."):
        inner = [one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name]
        if not inner:
            return None
        code = inner[0]
        names.append(name)
        if code.co_flags & inspect.CO_OPTIMIZED:  # a function, not the body of a class
            return (names, code) if mutant.spot.in_body else None
    return None


def _put_in(mutant: Mutant) -> None:
    """Give the function its new code, wherever it was imported to."""
    changed = _changed_function(mutant)
    assert changed is not None
    found: object = sys.modules[mutant.module]
    for name in changed[0]:
        found = vars(found)[name]
    function = inspect.unwrap(found.fget if isinstance(found, property) else found)  # type: ignore[arg-type]
    assert isinstance(function, FunctionType)
    function.__code__ = changed[1]
    for module in [module for name, module in sys.modules.items() if name.startswith("copytrade.domain")]:
        for cached in [one for one in vars(module).values() if hasattr(one, "cache_clear")]:
            cached.cache_clear()


# -- what is told -----------------------------------------------------------------------------------------------------


def _explanations() -> dict[tuple[str, ...], str]:
    rows = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["survivor"] if EXPLAINED.exists() else []
    return {tuple(str(row.get(key, 1)) for key in _NAME): row["why"] for row in rows}  # nth is 1 where it is left out


def _key(mutant: Mutant) -> tuple[str, ...]:
    """The same as long as its module is."""
    return hashlib.sha256(mutant.path.read_bytes()).hexdigest()[:16], *mutant.name, str(mutant.line)


def _kept(file: Path) -> dict[tuple[str, ...], str]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    rows = [json.loads(line) for line in lines]
    return {tuple(key): fate for *key, fate in rows}


def _report(mutants: Sequence[Mutant], fates: dict[int, str], explained: dict[tuple[str, ...], str]) -> int:
    console = Console(width=160, highlight=False, soft_wrap=True)
    table = Table("module", "mutants", "killed", *(f"by {stage}" for stage in STAGES), "survived", "share")
    for name in (*dict.fromkeys(mutant.path.stem for mutant in mutants), "all"):
        of_it = [fates[index] for index, mutant in enumerate(mutants) if name in (mutant.path.stem, "all")]
        killed, alive = Counter(of_it), of_it.count(SURVIVED)
        numbers = (len(of_it), len(of_it) - alive, *(killed[stage] for stage in STAGES), alive)
        table.add_row(name, *(str(number) for number in numbers), f"{1 - alive / max(len(of_it), 1):.1%}")
    console.print(table)

    survivors = [mutant for index, mutant in enumerate(mutants) if fates[index] == SURVIVED]
    for mutant in survivors:
        where = f"copytrade/domain/{mutant.path.name}:{mutant.line}"
        console.print(f"{where} {mutant.operator}: {mutant.before}  ->  {mutant.after}", markup=False)
        console.print(f"    {explained.get(mutant.name) or _to_explain(mutant)}", markup=False)
    dead = {mutant.name for mutant in mutants} - {mutant.name for mutant in survivors}
    for mended in sorted(dead & explained.keys()):
        console.print(f"explained as a survivor, but killed: {' '.join(mended)}", markup=False)
    share = 1 - len(survivors) / max(len(mutants), 1)
    return int(share < WANTED or any(mutant.name not in explained for mutant in survivors))


def _to_explain(mutant: Mutant) -> str:
    """The entry that the file of explanations wants, but for the reason."""
    named = zip(_NAME, (*mutant.name[:-1], mutant.nth), strict=True)
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in named)
    return "\n".join(["NOT EXPLAINED in tests/mutants_survivors.toml:", "[[survivor]]", *lines, 'why = ""'])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
