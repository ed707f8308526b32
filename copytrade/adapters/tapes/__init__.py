"""Tapes from outside: one file for each kind of source, and `open_tape`, which tells them apart.

lines.py      the tape format on disk, read and written
journals.py   our own journals
tables.py     a wallet's positions and trades as CSV
parquet.py    order books as Parquet
history.py    the past of any wallet, from the Data-API and the CLOB
recording.py  `copytrade record`: poll a leader and write a tape
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from copytrade.adapters.tapes.lines import first_line, is_tape, read_tape, write_tape
from copytrade.app.backtest.tape import NOTHING_RUN, Tape
from copytrade.errors import BadInput, Fault

if TYPE_CHECKING:
    from copytrade.app.backtest.parity import Recorded

__all__ = ["open_journal", "open_tape", "write_tape"]

_ENDINGS = (".jsonl", ".jsonl.gz", ".csv", ".parquet")


def open_tape(*paths: str | Path) -> Tape:
    """The tape that these files or folders hold: one of our tape files, journals, CSV tables, or Parquet files.

    A folder stands for every file in it that is of these kinds; all must be of one kind. What a file is, its contents
    say. Raises BadInput where it is none of these, with what is wrong, and OSError.
    """
    files = [file for path in paths for file in _files(Path(path))]
    name = ", ".join(Path(path).name or str(path) for path in paths)
    if not files:
        fault = Fault(path="the tape", got="no file", wants=f"files that end in {', '.join(_ENDINGS)}")
        raise BadInput(name, [fault], NOTHING_RUN)
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1 or (kinds == {"tape"} and len(files) > 1):
        fault = Fault(path="the files", got=", ".join(sorted(kinds)), wants="one tape, or several files of one kind")
        raise BadInput(name, [fault], NOTHING_RUN)
    match kinds.pop():
        case "tape":
            return read_tape(files[0])
        case "journal":
            from copytrade.adapters.tapes.journals import read_journals

            return read_journals(files, name=name)
        case "table":
            from copytrade.adapters.tapes.tables import read_tables

            return read_tables(files, name=name)
        case _:
            from copytrade.adapters.tapes.parquet import read_parquet

            return read_parquet(files, name=name)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise BadInput(str(path), [Fault(path="the tape", got="", wants="a file or folder that is there")], NOTHING_RUN)
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.name.endswith(_ENDINGS) and file.is_file())


def _kind(file: Path) -> str:
    if file.name.endswith(".csv"):
        return "table"
    if file.name.endswith(".parquet"):
        return "parquet"
    line = first_line(file)
    if is_tape(line):
        return "tape"
    if line.lstrip().startswith(b"{"):
        return "journal"
    wants = "a tape (its first line says copytrade_tape), a journal, a CSV table or a Parquet file"
    raise BadInput(str(file), [Fault(path="line 1", got=repr(line[:40].decode(errors="replace")), wants=wants)])


def open_journal(*paths: str | Path) -> Iterator[Recorded]:
    """Every cycle of these journals, to be lived through again. Raises BadInput where a file is no journal."""
    from copytrade.adapters.tapes.journals import read_cycles

    files = [file for path in paths for file in _files(Path(path))]
    for file in files:
        if _kind(file) != "journal":
            raise BadInput(str(file), [Fault(path="line 1", got="", wants="a journal of ours")], NOTHING_RUN)
    return read_cycles(sorted(files))
