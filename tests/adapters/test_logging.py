"""The log is for people or for machines, in UTC, and no secret gets through it by any way."""

import base64
import doctest
import io
import json
import logging
import re
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from copytrade.adapters import logs, redaction
from copytrade.adapters.logs import set_up_logging
from copytrade.adapters.redaction import HIDDEN, hide, redact
from copytrade.domain.model import Side

# Made up here, and nobody's.
KEY = "0x" + "5e" * 32
API_SECRET = base64.urlsafe_b64encode(bytes(range(200, 232))).decode()
PASSPHRASE = 'a "quoted" \\ passphrase, ünd mehr'
SECRETS = (KEY, KEY[2:], KEY.upper(), str(int(KEY, 16)), API_SECRET, PASSPHRASE)


@pytest.fixture(autouse=True)
def as_before():
    """Logging belongs to the whole process: leave it as it was."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook, structlog.get_config())
    yield
    root.handlers[:], hook, thread_hook = before[0], before[2], before[3]
    root.setLevel(before[1])
    sys.excepthook, threading.excepthook = hook, thread_hook
    structlog.reset_defaults()


@pytest.fixture(params=["text", "json"])
def log(request):
    """Set the log up in either form; `log()` is what it wrote."""
    stream = io.StringIO()
    set_up_logging(level="debug", form=request.param, stream=stream)
    return stream.getvalue


class Holder:
    """Something of which only the repr is shown."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"<holder of {self.value!r}>"


def deep(secret: str) -> None:
    try:
        raise KeyError(secret)
    except KeyError as error:
        error.add_note(f"a note about {secret}")
        raise RuntimeError(f"it failed with {secret}") from error


class TestNoSecretGetsThrough:
    @pytest.fixture(autouse=True)
    def registered(self):
        for secret in (KEY, API_SECRET, PASSPHRASE):
            hide(secret)

    def clean(self, text: str) -> None:
        assert HIDDEN in text, "the line itself must be there"
        for secret in SECRETS:
            for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe="")):
                assert form.lower() not in text.lower()

    @pytest.mark.parametrize("secret", SECRETS)
    @pytest.mark.parametrize(
        "wrapped",
        [
            lambda secret: secret,
            lambda secret: f"before{secret}after",
            lambda secret: secret.encode(),
            lambda secret: {"deep": [{"er": (secret,)}], secret: 1},
            lambda secret: {secret},
            Holder,
            lambda secret: Holder(Holder({"a": secret})),
            lambda secret: ValueError(secret),
            lambda secret: Path("/tmp") / secret.replace("/", "_"),
            lambda secret: json.dumps({"secret": secret}),
            lambda secret: "https://x/?key=" + quote(secret, safe=""),
        ],
    )
    def test_as_a_value(self, log, secret, wrapped):
        structlog.get_logger().info("an_event", some=wrapped(secret))
        self.clean(log())

    @pytest.mark.parametrize("secret", SECRETS)
    def test_as_the_event_or_a_name(self, log, secret):
        structlog.get_logger().info(f"posted with {secret}", **{secret: 1})
        self.clean(log())

    @pytest.mark.parametrize("secret", [int(KEY, 16), bytes.fromhex(KEY[2:])])
    def test_a_key_as_a_number_or_as_bytes(self, log, secret):
        structlog.get_logger().info("an_event", some=secret, more=[Holder(secret)])
        self.clean(log())
        assert repr(secret) not in log()

    @pytest.mark.parametrize("secret", SECRETS)
    def test_in_an_exception_its_cause_and_its_notes(self, log, secret):
        try:
            deep(secret)
        except RuntimeError:
            structlog.get_logger().exception("failed")
            logging.getLogger("library").exception("failed with %s", secret)
        text = log()
        self.clean(text)
        assert text.count("RuntimeError: it failed") == 2
        assert "a note about" in text

    @pytest.mark.parametrize("secret", SECRETS)
    def test_through_the_standard_library(self, log, secret):
        logging.getLogger("some.library").warning("headers %r %s", {"POLY_SECRET": secret}, secret)
        logging.getLogger("some.library").error(f"{secret}", stack_info=True)
        self.clean(log())

    @pytest.mark.parametrize("secret", SECRETS)
    def test_in_bound_values(self, log, secret):
        with structlog.contextvars.bound_contextvars(wallet=secret):
            structlog.get_logger().bind(more=secret).info("an_event")
        self.clean(log())

    @pytest.mark.parametrize("form", ["text", "json"])
    def test_a_line_that_cannot_be_rendered_does_not_fall_back_to_its_raw_parts(self, capfd, form):
        stream = io.StringIO()
        set_up_logging(form=form, stream=stream)  # here, or pytest's own handler would be asked as well

        class Broken:
            def __repr__(self) -> str:
                raise ZeroDivisionError(KEY)

        logging.getLogger("library").warning("%s %r", KEY, Broken())
        written = stream.getvalue() + "".join(capfd.readouterr())
        assert "test_logging.py" in written
        assert "cannot be shown: ZeroDivisionError" in written
        assert KEY[2:] not in written

    def test_a_stream_that_is_gone_is_no_reason_to_stop(self, capfd):
        stream = io.StringIO()
        set_up_logging(stream=stream)

        def gone(_: str) -> int:
            raise BrokenPipeError

        stream.write = gone  # type: ignore[method-assign]  # a pipe whose reader went away
        structlog.get_logger().info("an_event", secret=KEY)
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("form", ["text", "json"])
    def test_in_what_nobody_caught(self, form):
        """In a process of its own, main thread and another: standard error is all that a service's log has."""
        code = f"""
import threading
from copytrade.adapters.logs import set_up_logging
from copytrade.adapters.redaction import hide
set_up_logging(form={form!r})
key = "0x" + "5e" * 32
hide(key)
def fail(where): raise ValueError(f"{{where}} {{key}}")
thread = threading.Thread(target=fail, args=["elsewhere"])
thread.start()
thread.join()
fail("here")
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.count("uncaught_exception") == 2
        assert f"ValueError: elsewhere {HIDDEN}" in done.stderr
        assert f"ValueError: here {HIDDEN}" in done.stderr
        assert "5e5e5e" not in done.stderr


class TestNamesOfSecrets:
    """A second net, for values that nobody registered."""

    @pytest.mark.parametrize(
        "name",
        [
            "private_key",
            "COPYTRADE_PRIVATE_KEY",
            "privateKey",
            "secret",
            "POLY_SECRET",
            "api_secret",
            "apiKey",
            "api_key",
            "POLY_API_KEY",
            "X-Api-Key",
            "passphrase",
            "POLY_PASSPHRASE",
            "password",
            "mnemonic",
            "seed_phrase",
            "Authorization",
            "signature",
            "POLY_SIGNATURE",
        ],
    )
    def test_what_stands_under_them_is_hidden(self, log, name):
        structlog.get_logger().info(
            "an_event", **{name: "s3cr3t-of-nobody", "deep": {"er": [{name: "s3cr3t-of-nobody"}]}}
        )
        assert "s3cr3t-of-nobody" not in log()
        assert log().count(HIDDEN) == 2

    @pytest.mark.parametrize(
        "name", ["token_key", "token_id", "signature_type", "order_id", "signed", "keystore", "key"]
    )
    def test_the_words_of_the_trade_are_shown(self, log, name):
        structlog.get_logger().info("an_event", **{name: "0xc1:0"})
        assert "0xc1:0" in log()

    def test_a_secret_too_short_to_tell_from_honest_text_is_not_registered(self):
        hide("1234567")
        hide("")
        hide(b"")
        assert redact("order 1234567 of 12") == "order 1234567 of 12"

    def test_the_examples(self):
        for module in (redaction, logs):
            result = doctest.testmod(module)
            assert (result.failed, result.attempted > 0) == (0, True)


class TestForPeople:
    def written(self, *events: Any, level: str = "info") -> list[str]:
        stream = io.StringIO()
        set_up_logging(level=level, stream=stream)
        for event in events:
            event(structlog.get_logger())
        return stream.getvalue().splitlines()

    def test_one_line_in_utc_without_colours_where_there_is_no_terminal(self):
        (line,) = self.written(lambda log: log.info("order_placed", price=Decimal("0.61"), side=Side.BUY, ok=True))
        assert re.fullmatch(
            r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[info +\] order_placed +price=0\.61 side=BUY ok=True", line
        )

    def test_a_text_from_outside_cannot_forge_a_line_or_move_the_cursor(self):
        title = "Rain?\n2030-01-01T00:00:00Z [info] all_is_well \x1b[2J\r\u202e\x9b31m"
        (line,) = self.written(lambda log: log.info("seen " + title, title=title))
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", line)
        assert r"Rain?\n2030" in line

    def test_a_traceback_keeps_its_lines_and_shows_no_local_variable(self):
        def fail(log: Any) -> None:
            unregistered = "locals-are-not-shown"
            try:
                int(unregistered[:0] + "x\x1b")
            except ValueError:
                log.exception("failed")

        lines = self.written(fail)
        assert lines[0].endswith("failed")
        assert lines[1] == "Traceback (most recent call last):"
        assert lines[-1].startswith("ValueError: invalid literal")
        assert "locals-are-not-shown" not in "\n".join(lines[1:])

    @pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
    def test_levels(self, level, count):
        events = [lambda log, each=each: getattr(log, each)("said") for each in logs.LEVELS]
        assert len(self.written(*events, level=level)) == count

    def test_the_libraries_say_little(self):
        stream = io.StringIO()
        set_up_logging(level="debug", stream=stream)
        for name in ("httpx", "httpcore.http11", "hpack.hpack", "asyncio"):
            logging.getLogger(name).debug("headers and all")
            logging.getLogger(name).info("GET /")
        assert stream.getvalue() == ""

    def test_the_last_set_up_holds_also_for_loggers_that_spoke_before(self):
        first, second = io.StringIO(), io.StringIO()
        log = structlog.get_logger("early")
        set_up_logging(stream=first)
        log.info("one")
        set_up_logging(stream=second, form="json")
        log.info("two")
        assert ("one" in first.getvalue(), "two" in first.getvalue()) == (True, False)
        assert json.loads(second.getvalue())["event"] == "two"


class TestForMachines:
    def test_one_object_a_line(self):
        stream = io.StringIO()
        set_up_logging(form="json", stream=stream)
        structlog.get_logger().info("order_placed", price=Decimal("0.61"), side=Side.BUY, count=2, title="a\n\x1b[2J")
        logging.getLogger("library").warning("over there")
        try:
            raise ValueError("bad")
        except ValueError:
            structlog.get_logger().exception("failed")
        placed, warned, failed = map(json.loads, stream.getvalue().splitlines())
        assert placed.pop("timestamp").endswith("Z")
        assert placed == {
            "event": "order_placed", "level": "info", "price": 0.61, "side": "BUY", "count": 2, "title": "a\n\x1b[2J"
        }  # fmt: skip
        assert (warned["event"], warned["level"]) == ("over there", "warning")
        assert failed["exception"].endswith("ValueError: bad")

    @pytest.mark.parametrize("how", [{"level": "loud"}, {"form": "xml"}])
    def test_an_unknown_level_or_form_is_our_own_mistake(self, how):
        with pytest.raises(AssertionError, match="must be one of"):
            set_up_logging(**how)


class TestWarningsThatRepeat:
    """A service that is down says so once, not in every cycle."""

    def lines(self, monkeypatch, *spoken: tuple[float, str, str], logger: str = "copytrade.adapters.x") -> list[str]:
        stream = io.StringIO()
        set_up_logging(stream=stream, form="json")
        for at, level, words in spoken:
            monkeypatch.setattr("time.time", lambda at=at: at)
            monkeypatch.setattr("time.time_ns", lambda at=at: int(at * 1e9))
            getattr(structlog.get_logger(logger), level)("down", why=words)
        told = map(json.loads, stream.getvalue().splitlines())
        return [f"{one['why']}{' x' + str(one['repeated']) if 'repeated' in one else ''}" for one in told]

    def test_the_same_is_said_again_after_ten_minutes_with_how_often_it_was_there(self, monkeypatch):
        spoken = [(1000.0 + 20 * number, "warning", "a") for number in range(62)]
        assert self.lines(monkeypatch, *spoken) == ["a", "a x29", "a x29"]

    def test_another_one_is_said_at_once(self, monkeypatch):
        assert self.lines(monkeypatch, *((1000.0, "warning", words) for words in "abab")) == ["a", "b"]

    @pytest.mark.parametrize("level", ["info", "error"])
    def test_only_warnings_are_folded(self, monkeypatch, level):
        assert self.lines(monkeypatch, (1000.0, level, "a"), (1000.0, level, "a")) == ["a", "a"]

    def test_what_a_run_tells_is_an_event_each(self, monkeypatch):
        spoken = [(1000.0, "warning", "a")] * 2
        assert self.lines(monkeypatch, *spoken, logger="copytrade.run") == ["a", "a"]

    def test_a_library_s_own_too(self):
        stream = io.StringIO()
        set_up_logging(stream=stream, form="json")
        for number in (1, 1, 2):
            logging.getLogger("library").warning("over there %s", number)
        assert len(stream.getvalue().splitlines()) == 2
