"""Gather what helps to understand a fault, and take every secret out of it.

Rule 1: secrets are taken out twice: by value (everything that `redaction` has come to know: the key, what was derived
        from it, passphrases, whatever COPYTRADE_* variables hold, each line of a file of alert addresses) and, in JSON,
        by name. So all of them have to be known before the first file is cleaned.
Rule 2: files that hold secrets by their nature (keystores, alert addresses) are not read into it at all.
Rule 3: what can't be read is told in the archive, and ends nothing: a broken state is what one wants to see.
Rule 4: the folder of the user stands as ~, and the machine's name nowhere.

Of the journal the last days are taken, the newest lines first, up to `MOST_JOURNAL` bytes.
"""

from __future__ import annotations

import gzip
import io
import os
import platform
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import metadata
from pathlib import Path

import msgspec

from copytrade.adapters.files import FILE_MODE, read_file, write_new
from copytrade.adapters.http import decode
from copytrade.adapters.journal_file import JournalFolder
from copytrade.adapters.redaction import HIDDEN, hide, names_a_secret, redact, redact_value
from copytrade.app.diagnosis import Entry, lines_of
from copytrade.app.writing import to_json
from copytrade.errors import BadAnswer

MOST_JOURNAL = 20_000_000  # bytes of lines
MOST_LINES = 100_000
MOST_STATE = 20_000_000
_OURS = "COPYTRADE_"
_NO_SECRETS = frozenset({"COPYTRADE_KEYSTORE"})  # a path
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_NAME = re.compile(r'"([^"]*)"\s*:')
_NAMED = re.compile(r'("([^"\\]*)"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]]+)')
_PARTS = re.compile(r"[/@:?&=#,\s]+")


# -- learning what must not be shown ----------------------------------------------------------------------------------


def hide_environment(environ: Mapping[str, str] = os.environ) -> None:
    """Never show what our own variables hold, and the passwords of proxies."""
    for name, value in environ.items():
        if (name.startswith(_OURS) and name not in _NO_SECRETS) or (name.upper() in _PROXIES and "@" in value):
            hide_addresses(value)


def hide_addresses(text: str) -> None:
    """Never show this text, nor the parts of the addresses in it: a token is a part of most."""
    hide(text)
    for word in text.split():
        if "://" in word:
            hide(word)
            for part in _PARTS.split(word.partition("://")[2]):
                hide(part)


def hide_file(path: Path) -> None:
    """Never show a line of this file, nor its parts. One that can't be read can't be shown either."""
    try:
        content = read_file(path) or b""
    except OSError:
        return
    for line in content.decode(errors="replace").splitlines():
        hide_addresses(line)


# -- gathering --------------------------------------------------------------------------------------------------------


def versions(ours: str, environ: Mapping[str, str] = os.environ) -> Entry:
    """What runs here: our version, Python's, the system's and every library's; which variables are set, by name."""
    distribution = "copytrade"
    try:
        wanted = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        wanted = []
    packages = {}
    for name in sorted({re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0].lower() for each in wanted}):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = "not installed"
    values: dict[str, object] = {
        "copytrade": ours,
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "filesystem_encoding": sys.getfilesystemencoding(),
        "terminal": environ.get("TERM", ""),
        "variables_set": sorted(name for name in environ if name.startswith(_OURS) or name.upper() in _PROXIES),
        "packages": packages,
    }
    return cleaned("versions.json", lines_of(values), "versions of everything, and the platform")


def states(state_path: Path) -> Iterator[Entry]:
    """The state file and its backup, whatever is in them."""
    for path, about in ((state_path, "the state"), (state_path.with_name(state_path.name + ".bak"), "the one before")):
        try:
            content = read_file(path)
        except OSError as error:
            yield _trouble(f"state/{path.name}", about, error)
            continue
        if content is None:
            continue
        if len(content) > MOST_STATE:
            content, about = content[:MOST_STATE], f"{about}, cut after {MOST_STATE} bytes"
        yield cleaned(f"state/{path.name}", content, about)


def journal(folder: Path, *, days: int, today: date) -> Iterator[Entry]:
    """The last `days` days of the journal, a file for each, oldest line first."""
    since = str(today - timedelta(days=days - 1))
    found: dict[str, list[bytes]] = {}
    size = 0
    try:
        for line in JournalFolder(folder).newest_first(MOST_LINES):
            day = _day_of(line)
            size += len(line)
            if (day and day < since) or size > MOST_JOURNAL:
                break
            found.setdefault(day or "undated", []).append(line)
    except (OSError, EOFError) as error:
        yield _trouble("journal", "the journal", error)
    for day, lines in sorted(found.items()):
        content = b"\n".join([*reversed(lines), b""])
        cut = ", the newest only" if size > MOST_JOURNAL and day == min(found) else ""
        about = f"{len(lines)} cycle{'s' if len(lines) > 1 else ''}, each whole{cut}"
        yield cleaned(f"journal/{day}.jsonl", content, about, a_line_each=True)


class _Now(msgspec.Struct):
    now: Decimal


class _Line(msgspec.Struct):
    snapshot: _Now


def _day_of(line: bytes) -> str:
    try:
        now = msgspec.json.decode(line, type=_Line).snapshot.now
        return str(datetime.fromtimestamp(int(now), UTC).date())
    except (msgspec.MsgspecError, ValueError, OverflowError, ArithmeticError, OSError):
        return ""


def _trouble(name: str, about: str, error: BaseException) -> Entry:
    words = f"{about} could not be read: {type(error).__name__}: {error}\n"
    return cleaned(f"{name}.txt", words.encode(), f"why {about} could not be read")


# -- cleaning ---------------------------------------------------------------------------------------------------------


def cleaned(name: str, content: bytes, about: str, *, a_line_each: bool = False) -> Entry:
    """A file of the archive with every secret taken out of it, by value and by name.

    `a_line_each`: each line is a document of its own, so none has to be looked for that goes over several.
    """
    clean = b"".join(_clean_line(line) for line in content.splitlines(keepends=True))
    if not a_line_each:
        if not _needs_nothing(_text(content)) and (whole := _clean_document(content)) is not None:
            clean = whole
        clean = redact(_text(clean)).encode() if redact(_text(clean)) != _text(clean) else clean
    hidden = max(0, clean.count(HIDDEN.encode()) - content.count(HIDDEN.encode()))
    return Entry(name=name, content=clean, about=about, hidden=hidden)


def _clean_document(content: bytes) -> bytes | None:
    """A whole JSON document, cleaned by value and name; None where it is none, or needs nothing."""
    try:
        document = decode(content)
    except BadAnswer:
        return None
    kept = redact_value("", document)
    return None if kept == document else _at_home(to_json(kept).decode()).encode() + b"\n"


def _needs_nothing(text: str) -> bool:
    """Without an escape a JSON text shows its names and values as they are: most lines need no closer look."""
    if "\\" in text or redact(text) != text:
        return False
    return not any(names_a_secret(name) for name in set(_NAME.findall(text)))


def _clean_line(line: bytes) -> bytes:
    bare = line.rstrip(b"\r\n")
    if _needs_nothing(_text(bare)):
        return _at_home(_text(bare)).encode() + line[len(bare) :]
    cleaned_json = _clean_document(bare) if bare.startswith((b"{", b"[")) else None
    if cleaned_json is not None:
        return cleaned_json
    # Torn, or one line of many: what stands behind a name is taken out as far as the eye can see.
    named = _NAMED.sub(lambda m: f"{m[1]}{HIDDEN}" if names_a_secret(m[2]) else m[0], _text(bare))
    return _at_home(redact(named)).encode() + line[len(bare) :]


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def _at_home(text: str) -> str:
    home = str(Path.home())
    return text if len(home) < 3 else text.replace(home, "~")


# -- writing ----------------------------------------------------------------------------------------------------------


def write_archive(path: Path, entries: Sequence[Entry], *, folder: str, now: Decimal) -> None:
    """A .tar.gz with these files in one folder, for us alone; whole or not there. Raises FileExistsError, OSError."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", fileobj=packed, mtime=int(now)) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for entry in entries:
            about = tarfile.TarInfo(f"{folder}/{entry.name}")
            about.size, about.mtime, about.mode = len(entry.content), int(now), FILE_MODE
            archive.addfile(about, io.BytesIO(entry.content))
    write_new(path, packed.getvalue())
