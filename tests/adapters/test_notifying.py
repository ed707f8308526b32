"""Sending messages: to a real webhook on loopback, in bursts, to servers that are dead or hang, and without a leak."""

import contextlib
import io
import logging
import os
import sys
import threading
import time
from decimal import Decimal

import pytest
import structlog

from copytrade.adapters import notifying, redaction
from copytrade.adapters.logs import set_up_logging
from copytrade.adapters.notifying import (
    MOST_LINES,
    MOST_WAITING,
    VARIABLE,
    AlertSender,
    AlertSenders,
    Pace,
    apprise_to,
    composed,
    load_urls,
    sending,
)
from copytrade.adapters.redaction import redact
from copytrade.app.alerts import Alert, Kind, Weight
from copytrade.errors import RefusedToStart
from tests.adapters.loopback import Answer, Hang, Loopback

AT = Decimal(1_766_000_000)  # 19:33:20 UTC
AT_ONCE = Pace(gather=0.0, every=0.0, urgent=0.0, again=(0.0,))
BOUND_SEC = 20


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """What is hidden, and where the log goes, belongs to the whole process: leave both as they were."""
    monkeypatch.setattr(redaction, "_forms", set())
    monkeypatch.setattr(redaction, "_pattern", None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def alert(words: str, weight: Weight = Weight.INFO, kind: Kind = Kind.FILL) -> Alert:
    return Alert(at=AT, kind=kind, words=words, weight=weight)


def until(reached) -> None:
    """Wait for another thread to get there."""
    end = time.monotonic() + BOUND_SEC
    while not reached():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


class Server:
    """What messages go to; it can be told to fail, or to hold each until it is let go."""

    def __init__(self, *, fails: int = 0, holds: bool = False) -> None:
        self.got: list[tuple[str, str, Weight]] = []
        self.tried = 0
        self.let_go = threading.Event()
        self._fails = fails
        if not holds:
            self.let_go.set()

    def notify(self, title: str, body: str, weight: Weight) -> bool:
        self.tried += 1
        self.let_go.wait(BOUND_SEC)
        if self.tried <= self._fails:
            return False
        self.got.append((title, body, weight))
        return True


@contextlib.contextmanager
def sender_to(server: Server, pace: Pace = AT_ONCE):
    sender = AlertSender(server.notify, name="0x1234…abcd", pace=pace)
    sender.open()
    yield sender
    server.let_go.set()
    sender.end()
    assert sender.join(BOUND_SEC)


class TestAWebhook:
    """The whole way: apprise, HTTP, a server on loopback."""

    def test_gets_the_message(self):
        with Loopback() as server:
            server.on("POST /hook", Answer())
            url = server.url.replace("http://", "json://") + "/hook"
            with sending([url], name="0x1234…abcd") as sender:
                sender.send(alert("bought 10.00 @ 0.5: Will it rain?"))
                sender.send(alert("the run has ended: the account is banned", Weight.FAILURE, Kind.ACCOUNT))
            (request,) = server.asked("POST /hook")
            assert sender.series()["copytrade_alerts_total", ("sent",)] == 2
        told = request.json()
        assert told["title"] == "copytrade 0x1234…abcd: account and 1 more"
        assert told["message"].splitlines() == [
            "19:33:20Z  bought 10.00 @ 0.5: Will it rain?",
            "19:33:20Z  the run has ended: the account is banned",
        ]
        assert told["type"] == "failure"

    @pytest.mark.parametrize("said", [Answer(status=500), Hang()])
    def test_that_does_not_take_it_costs_a_run_nothing_but_the_last_moment(self, said):
        with Loopback() as server:
            server.on("POST /hook", said)
            url = server.url.replace("http://", "json://") + "/hook"
            with sending([url], name="me", close_sec=0.05) as sender:
                sender.send(alert("one"))
                until(lambda: server.asked("POST /hook"))
                begun = time.monotonic()
                for number in range(1000):
                    sender.send(alert(f"{number}"))
                took = time.monotonic() - begun
            print(f"1000 lines were handed over in {took * 1000:.1f} ms while the server said {said}")
            counts = sender.series()
            assert counts["copytrade_alerts_total", ("sent",)] == 0
            assert counts["copytrade_alerts_total", ("dropped",)] >= 1000 - MOST_WAITING

    def test_of_several_one_that_hangs_or_fails_neither_delays_nor_doubles_the_others(self):
        with Loopback() as server:
            server.on("POST /hangs", Hang())
            server.on("POST /fails", Answer(status=500))
            server.on("POST /good", Answer())
            base = server.url.replace("http://", "json://")
            with sending(
                [f"{base}/{path}" for path in ("hangs", "fails", "good")], name="me", close_sec=0.05
            ) as sender:
                sender.send(alert("one"))
                until(lambda: server.asked("POST /good") and server.asked("POST /fails"))
            (request,) = server.asked("POST /good")
        assert request.json()["message"].endswith("one")


class TestTheThread:
    def test_what_comes_together_is_one_message(self):
        server = Server(holds=True)
        with sender_to(server) as sender:
            sender.send(alert("first"))
            until(lambda: server.tried == 1)
            for number in range(5):
                sender.send(alert(f"line {number}"))
            server.let_go.set()
            until(lambda: len(server.got) == 2)
        assert [len(body.splitlines()) for _, body, _ in server.got] == [1, 5]
        assert server.got[1][0] == "copytrade 0x1234…abcd: fill and 4 more"

    def test_messages_follow_each_other_no_faster_than_their_pace_but_urgent_ones(self):
        server = Server()
        with sender_to(server, Pace(gather=0.0, every=3600.0, urgent=0.0)) as sender:
            sender.send(alert("first"))
            until(lambda: len(server.got) == 1)
            sender.send(alert("second"))
            sender.send(alert("third", Weight.FAILURE))
            until(lambda: len(server.got) == 2)
            assert [len(body.splitlines()) for _, body, _ in server.got] == [1, 2]
            sender.send(alert("last"))
        assert server.got[2][1].endswith("last"), "the end waits for no pace"

    def test_what_could_not_be_sent_is_sent_again_with_what_came_since(self):
        server = Server(fails=2)
        with sender_to(server) as sender:
            sender.send(alert("first"))
            until(lambda: len(server.got) == 1)
            assert sender.counts.failed == 2
        assert server.got[0][1].splitlines()[0].endswith("first")

    def test_what_a_service_raises_ends_nothing(self):
        calls = []

        def notify(title: str, body: str, weight: Weight) -> bool:
            calls.append(body)
            if len(calls) == 1:
                raise ValueError("tgram://secret")
            return True

        sender = AlertSender(notify, name="me", pace=AT_ONCE)
        sender.open()
        sender.send(alert("first"))
        until(lambda: sender.counts.sent == 1)
        sender.end()
        assert sender.join(BOUND_SEC)
        assert len(calls) == 2

    def test_the_queue_is_bounded_and_says_what_it_dropped(self):
        server = Server(holds=True)
        with sender_to(server) as sender:
            sender.send(alert("first"))
            until(lambda: server.tried == 1)
            sender.send(alert("this matters", Weight.WARNING))
            for number in range(MOST_WAITING + 49):
                sender.send(alert(f"line {number}"))
            assert sender.counts.dropped == 50
            server.let_go.set()
            until(lambda: len(server.got) == 2)
        lines = server.got[1][1].splitlines()
        assert lines[0].endswith("this matters")
        assert lines[-2:] == [
            f"… and {MOST_WAITING - MOST_LINES} more",
            "… and 50 before that were dropped: they were too many",
        ]

    def test_the_end_waits_for_a_hanging_server_no_longer_than_it_was_told(self):
        server = Server(holds=True)
        sender = AlertSender(server.notify, name="me", pace=AT_ONCE)
        sender.open()
        sender.send(alert("first"))
        until(lambda: server.tried == 1)
        AlertSenders([sender]).close(0.05)  # it comes back, which is what is shown
        assert server.got == []
        server.let_go.set()


class TestComposed:
    def test_of_many_lines_the_most_important_are_shown_in_their_order(self):
        batch = [alert(f"fill {number}") for number in range(MOST_LINES + 5)] + [
            alert("trouble", Weight.WARNING, Kind.LIMIT)
        ]
        title, body, weight = composed(batch, 0, name="me")
        lines = body.splitlines()
        assert title == f"copytrade me: limit and {MOST_LINES + 5} more"
        assert weight is Weight.WARNING
        assert lines[-2].endswith("trouble")
        assert lines[-1] == "… and 6 more"
        assert [line.split()[-1] for line in lines[:-2]] == [str(number) for number in range(MOST_LINES - 1)]

    def test_is_no_longer_than_any_service_takes(self):
        batch = [alert("long " * 50) for _ in range(MOST_LINES)] + [alert("the end", Weight.FAILURE, Kind.STOP)]
        title, body, _ = composed(batch, 7, name="0x1234…abcd")
        assert len(title) + len(body) < 2000
        assert "the end" in body
        shown = sum("long" in line for line in body.splitlines())
        assert f"… and {MOST_LINES - shown} more" in body

    def test_a_title_from_outside_forges_no_line_and_has_an_end(self):
        _, body, _ = composed([alert("Will\nit\x1b[2J rain" + "?" * 1000)], 0, name="me")
        assert len(body.splitlines()) == 1
        assert "\x1b" not in body
        assert len(body) < 400


class TestAddresses:
    TOKEN = "AAHk7Z0lOqZbXhQ9"

    @pytest.mark.parametrize(
        "url",
        [
            f"tgram://123456789:{TOKEN}/987654321",
            f"discord://1122334455667788/{TOKEN}",
            f"json://me:{TOKEN}@hooks.example.com/path",
            f"jsons://hooks.example.com/{TOKEN}?to=x",
            f"mailto://me:{TOKEN}@example.com",
            f"slack://{TOKEN}/T1JJ3T3L2/B1",
        ],
    )
    def test_are_hidden_with_every_part_that_may_be_a_token(self, url):
        assert load_urls(None, {VARIABLE: url}) == (url,)
        assert url not in redact(f"failed: {url}")
        assert self.TOKEN not in redact(f"POST https://api.example.com/bot123456789:{self.TOKEN}/sendMessage")

    def test_a_host_stays_readable(self):
        load_urls(None, {VARIABLE: "json://127.0.0.1:8080/a-token-of-mine jsons://readable.example.com/another-token"})
        said = "http://127.0.0.1:8080 and readable.example.com"
        assert redact(said) == said

    def test_are_taken_out_of_the_environment(self):
        environ = {VARIABLE: "json://a.example.com/one json://b.example.com/two\njson://a.example.com/one"}
        assert load_urls(None, environ) == ("json://a.example.com/one", "json://b.example.com/two")
        assert environ == {}

    def test_none_are_none(self):
        assert load_urls(None, {}) == ()
        assert load_urls(None, {VARIABLE: " \n"}) == ()

    def test_a_file_that_only_we_can_read(self, tmp_path):
        path = tmp_path / "urls"
        path.write_text("# telegram\njson://a.example.com/three\n\njson://b.example.com/four\n")
        path.chmod(0o600)
        assert load_urls(path, {}) == ("json://a.example.com/three", "json://b.example.com/four")
        path.chmod(0o640)
        with pytest.raises(RefusedToStart, match=r"others can read the alert URLs.*chmod 600"):
            load_urls(path, {})

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(RefusedToStart, match="the alert URLs can't be read"):
            load_urls(tmp_path / "none", {})

    def test_one_that_no_service_has_is_told_by_its_number_alone(self):
        with pytest.raises(RefusedToStart) as caught:
            apprise_to(["json://127.0.0.1/fine", f"nonsense://{self.TOKEN}"])
        assert str(caught.value).startswith("alert URL 2 of 2 is none that apprise knows")
        assert self.TOKEN not in str(caught.value)

    def test_no_log_line_has_one(self):
        """apprise says a lot at every level, and quotes addresses in it."""
        log = io.StringIO()
        set_up_logging(level="debug", stream=log)
        with Loopback() as server:
            server.on("POST /*", Answer(status=403, body=self.TOKEN.encode()))
            url = f"{server.url.replace('http://', 'json://')}/{self.TOKEN}"
            urls = load_urls(None, {VARIABLE: url})
            (notify,) = apprise_to(urls)
            assert notify("title", "body", Weight.INFO) is False
        structlog.get_logger("x").warning("a careless line", url=url)
        assert "a careless line" in log.getvalue()
        assert self.TOKEN not in log.getvalue()

    def test_the_extra_that_is_missing_is_told(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "apprise", None)
        with pytest.raises(RefusedToStart, match=r'pip install "copytrade\[alerts\]"'):
            apprise_to(["json://127.0.0.1/x"])


def test_nothing_of_it_is_left_in_our_own_environment():
    assert VARIABLE not in os.environ
    assert notifying.now() > AT
