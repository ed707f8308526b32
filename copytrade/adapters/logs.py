"""The log: for people at a terminal, or one JSON object a line for machines; UTC; no secret in either.

Everything goes one way: structlog's events and the standard library's records (httpx, asyncio, uvicorn …) meet in one
handler whose formatter renders them and then takes out every secret, so that nothing that was said in between (a
traceback, the words of an exception, the repr of a request) can carry one out. Uncaught exceptions take the same way.

Tracebacks are plain: the pretty ones show local variables, and a local variable may be a key.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import TracebackType
from typing import TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from copytrade.adapters.redaction import redact, redact_value
from copytrade.app.writing import plain

LEVELS = ("debug", "info", "warning", "error")
FORMS = ("text", "json")

# Their debug lines hold whole requests with headers, their info lines one line a request: noise at best.
_CHATTY = ("httpx", "httpcore", "hpack", "asyncio", "filelock", "urllib3", "uvicorn", "uvicorn.error", "uvicorn.access")

OWN_EVENTS = "copytrade.run"  # the logger whose lines are events of a run
AGAIN_SEC = 600.0  # until the same warning is worth a line again
_MOST_KEPT = 1000  # different warnings

# Texts from outside (a market's title) must not move the cursor, turn the writing direction or forge a line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MULTILINE = frozenset({"exception", "stack"})


def set_up_logging(*, level: str = "info", form: str = "text", stream: TextIO | None = None) -> None:
    """Send all logging of this process to `stream` (default: standard error). The last call holds.

    `level` is one of `LEVELS`, `form` one of `FORMS`. Text is coloured on a terminal unless NO_COLOR is set.
    """
    assert level in LEVELS, f"level must be one of {LEVELS}, got {level!r}"
    assert form in FORMS, f"form must be one of {FORMS}, got {form!r}"
    stream = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    handler = _Handler(stream)
    handler.addFilter(_Repeated())
    handler.setFormatter(_formatter(form, stream, shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of every read that is tried again; what came of the read is told by whoever asked.
    logging.getLogger("stamina").setLevel(logging.WARNING if level == "debug" else logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # or a logger that spoke before this call would keep the old way
    )
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _formatter(form: str, stream: TextIO, shared: list[Processor]) -> logging.Formatter:
    tidy: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_secrets, _plain]
    if form == "json":
        rendered: list[Processor] = [structlog.processors.JSONRenderer(serializer=_json)]
    else:
        colours = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        rendered = [
            _numbers_as_text,
            _one_line_each,
            structlog.dev.ConsoleRenderer(
                colors=colours, sort_keys=False, pad_event_to=16, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    return _RedactingFormatter(foreign_pre_chain=shared, processors=[*tidy, *rendered])


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """The last station of every line."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; a line that cannot be written is dropped without being shown by other means.

    The standard library would print the record's raw arguments and the caller's stack to standard error.
    """

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):  # the stream itself is gone: nobody is left to be told
            return
        self.stream.write(
            f"a log line from {record.pathname}:{record.lineno} cannot be shown: {type(error).__name__}\n"
        )


class _Repeated(logging.Filter):
    """Lets a warning through once, and again every ten minutes with how often it was there in between.

    A service that is down is warned of in every cycle. The run's own events are left as they are: there each line is
    something that has happened.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING or record.name.startswith(OWN_EVENTS):
            return True
        event = record.msg if isinstance(record.msg, dict) else None
        try:
            words = {**event, "timestamp": None} if event is not None else record.getMessage()
            key = f"{record.name} {words!r}"
        except Exception:  # noqa: BLE001  # the handler says that it cannot be shown
            return True
        said_at, missed = self._said.get(key, (-AGAIN_SEC, 0))
        if record.created - said_at < AGAIN_SEC:
            self._said[key] = said_at, missed + 1
            return False
        if len(self._said) >= _MOST_KEPT:
            self._said.clear()
        self._said[key] = record.created, 0
        if event is not None and missed:
            event["repeated"] = missed
        return True


def _without_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Before rendering, while names still stand beside their values and no escape has hidden a value's form."""
    return {name: redact_value(name, value) for name, value in event.items()}


def _plain(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Our own types in words."""
    for name, value in event.items():
        if isinstance(value, Enum):
            event[name] = value.value
        elif isinstance(value, PurePath):
            event[name] = str(value)
    return event


def _numbers_as_text(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """`0.61`, not `Decimal('0.610000')`."""
    return {
        name: plain(value) if isinstance(value, Decimal) and value.is_finite() else value
        for name, value in event.items()
    }


def _json(event: EventDict, **_: object) -> str:
    """One object on a line. A Decimal is a number to its last digit, what JSON has no form for is its text."""
    try:
        return _encoder.encode(event).decode()
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError):  # half a letter, a key that is no text, …
        return json.dumps(event, default=str)


_encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def _one_line_each(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Control characters as escapes, but for the line ends of tracebacks."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = "\n".join(map(_escaped, value.split("\n"))) if name in _MULTILINE else _escaped(value)
    return event


def _escaped(text: str) -> str:
    """
    >>> print(_escaped("Will it rain?" + chr(10) + chr(27) + "[2J"))
    Will it rain?\\n\\x1b[2J
    """
    return _CONTROL.sub(lambda match: ascii(match.group())[1:-1], text)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return  # the person at the terminal knows
    structlog.get_logger("copytrade").critical("uncaught_exception", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_value is not None and not issubclass(uncaught.exc_type, SystemExit):
        _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
