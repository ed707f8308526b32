"""What the HTTP layer promises: reads are tried again where that can help, sends never, and nothing else gets out."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.adapters.http import Bucket, Http, RequestCount, StatusError, Warm, checked_url, decode
from copytrade.errors import BadAnswer, BadInput, FateUnknown, Unreachable
from tests.adapters.loopback import Answer, Cut, Drop, Hang, Loopback, Said

GOOD = Answer(body=b'{"ok": true}')


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


def http(server: Loopback, **options) -> Http:
    return Http(server.url, **{"wait_initial_sec": 0.001, "wait_max_sec": 0.005, "retry_total_sec": 30.0, **options})


def read(server: Loopback, method="GET", path="/it", *, json=None, params=(), **options) -> bytes:
    async def once() -> bytes:
        async with http(server, **options) as it:
            return await it.read(method, path, params=params, json=json)

    return asyncio.run(once())


def send(server: Loopback, **options) -> tuple[int, bytes]:
    async def once() -> tuple[int, bytes]:
        async with http(server, **options) as it:
            return await it.send("POST", "/it", b'{"order":1}', {"POLY_ADDRESS": "0xme"})

    return asyncio.run(once())


class TestReads:
    """A read is tried again where that can help, and only there."""

    @pytest.mark.parametrize(
        "fault",
        [
            Drop(),
            Cut(),
            *(Answer(status=status) for status in (408, 425, 429, 500, 502, 503, 504, 520)),
            Answer(status=429, headers={"Retry-After": "0"}),
            Answer(status=200, headers={"Content-Encoding": "gzip"}, body=b"this is no gzip"),
        ],
        ids=repr,
    )
    def test_what_may_pass_is_asked_again(self, server, fault: Said):
        server.on("GET /it", fault, fault, GOOD)
        assert read(server) == GOOD.body
        assert len(server.requests) == 3

    def test_a_try_that_hangs_is_given_up_and_asked_again(self, server):
        server.on("GET /it", Hang(), GOOD)
        assert read(server, timeout_sec=0.2) == GOOD.body

    def test_a_body_that_drips_for_ever_is_a_try_that_hangs(self, server):
        server.on("GET /it", Hang(drip_sec=0.01), GOOD)
        assert read(server, timeout_sec=0.3) == GOOD.body

    @pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 422, 501])
    def test_any_other_status_is_the_answer_at_once(self, server, status):
        server.on("GET /it", Answer(status=status, body=b'{"error": "no such thing"}'), GOOD)
        with pytest.raises(StatusError, match="no such thing") as caught:
            read(server)
        assert (caught.value.status, caught.value.body) == (status, b'{"error": "no such thing"}')
        assert isinstance(caught.value, Unreachable)
        assert len(server.requests) == 1

    def test_faults_that_stay_end_with_the_total_limit(self, server):
        server.on("GET /it", Answer(status=503, body=b"down"))
        with pytest.raises(StatusError, match="status 503: down"):
            read(server, retry_total_sec=0.2)
        assert len(server.requests) >= 2

    def test_the_total_limit_ends_a_try_that_hangs_too(self, server):
        server.on("GET /it", Answer(status=500, body=b"first"), Hang())
        with pytest.raises(StatusError, match="first"):  # the latest thing that is known
            read(server, retry_total_sec=0.3, timeout_sec=60)
        server.on("GET /it", Hang())
        with pytest.raises(Unreachable, match=r"no answer in 0\.2 s"):
            read(server, retry_total_sec=0.2, timeout_sec=60)

    def test_nobody_there_is_unreachable(self):
        with Loopback() as gone:
            pass
        with pytest.raises(Unreachable, match="ConnectError"):
            read(gone, retry_total_sec=0.1)

    def test_an_idempotent_post_is_a_read_like_any_other(self, server):
        server.on("POST /books", Drop(), GOOD)
        assert read(server, "POST", "/books", json=[{"token_id": "1"}]) == GOOD.body
        assert [request.json() for request in server.requests] == [[{"token_id": "1"}]] * 2
        assert server.requests[0].headers["content-type"] == "application/json"

    def test_parameters_keep_their_order_and_repeat(self, server):
        server.on("GET /it", GOOD)
        read(server, params=[("a", "x y&="), ("b", "1"), ("a", "ä")])
        assert server.requests[0].query == (("a", "x y&="), ("b", "1"), ("a", "ä"))

    def test_an_answer_without_end_is_not_read_to_it(self, server):
        server.on("GET /it", Answer(body=b"x" * 1001))
        with pytest.raises(BadAnswer, match="more than 1000 bytes"):
            read(server, max_bytes=1000)
        server.on("GET /it", Answer(body=gzip.compress(b"x" * 100_000), headers={"Content-Encoding": "gzip"}))
        with pytest.raises(BadAnswer, match="more than 1000 bytes"):
            read(server, max_bytes=1000)


class TestRetryAfter:
    """429 and 503 say when to come back; that is obeyed, unless it is later than we can wait."""

    def test_the_wait_that_was_asked_for_is_kept(self, server):
        server.on("GET /it", Answer(status=429, headers={"Retry-After": "0.2"}), GOOD)

        async def timed() -> float:
            loop = asyncio.get_running_loop()
            async with http(server) as it:
                began = loop.time()
                await it.read("GET", "/it")
                return loop.time() - began

        assert asyncio.run(timed()) >= 0.2

    @pytest.mark.parametrize(
        "later", ["3600", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)], ids=["seconds", "date"]
    )
    def test_later_than_we_can_wait_is_the_end(self, server, later):
        server.on("GET /it", Answer(status=429, headers={"Retry-After": later}), GOOD)
        with pytest.raises(StatusError, match="429"):
            read(server)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("odd", ["", "soon", "-5", "nan", "1e999", "Thu, 99 Foo 2026"])
    def test_one_that_makes_no_sense_is_as_none(self, server, odd):
        server.on("GET /it", Answer(status=429, headers={"Retry-After": odd}), GOOD)
        assert read(server) == GOOD.body


class TestSends:
    """A send goes out once. What is not one complete answer has an unknown fate."""

    @pytest.mark.parametrize("status", [200, 400, 404, 425, 429, 500, 503])
    def test_any_complete_answer_is_handed_back(self, server, status):
        server.on("POST /it", Answer(status=status, body=b"words"), GOOD)
        assert send(server) == (status, b"words")
        assert len(server.requests) == 1
        assert server.requests[0].body == b'{"order":1}'
        assert server.requests[0].headers["poly_address"] == "0xme"

    @pytest.mark.parametrize("fault", [Drop(), Cut(), Hang(), Hang(drip_sec=0.01)], ids=repr)
    def test_anything_else_leaves_its_fate_unknown_and_is_not_sent_again(self, server, fault):
        server.on("POST /it", fault, GOOD)
        with pytest.raises(FateUnknown):
            send(server, timeout_sec=0.3)
        assert len(server.requests) == 1

    def test_a_connection_that_went_stale_does_not_send_twice(self, server):
        server.on("GET /it", GOOD)
        server.on("POST /it", Drop(), GOOD)

        async def both() -> None:
            async with http(server) as it:
                await it.read("GET", "/it")
                with pytest.raises(FateUnknown):
                    await it.send("POST", "/it", b"{}")

        asyncio.run(both())
        assert len(server.asked("POST /it")) == 1

    def test_an_answer_that_is_too_large_and_nobody_there_too(self, server):
        server.on("POST /it", Answer(body=b"x" * 1001))
        with pytest.raises(FateUnknown, match="more than 1000 bytes"):
            send(server, max_bytes=1000)
        with Loopback() as gone:
            pass
        with pytest.raises(FateUnknown, match="ConnectError"):
            send(gone)


class TestConnectionsAndCounts:
    def test_connections_are_kept(self, server):
        server.on("GET /it", GOOD)

        async def many() -> None:
            async with http(server) as it:
                for _ in range(20):
                    await it.read("GET", "/it")

        asyncio.run(many())
        assert (len(server.requests), server.connections) == (20, 1)

    def test_every_try_is_counted_by_service_by_host_and_in_all(self, server):
        server.on("GET /it", Drop(), GOOD)
        server.on("POST /it", GOOD)
        count = RequestCount()

        async def both() -> tuple[int, int]:
            async with http(server, count=count) as one, http(server, count=count) as other:
                await one.read("GET", "/it")
                await other.send("POST", "/it", b"{}")
                return one.requests, other.requests

        assert asyncio.run(both()) == (2, 1)
        assert count.total == 3
        assert count.by_host == {server.url.removeprefix("http://"): 3}

    def test_a_proxy_of_the_environment_is_not_asked_for_loopback(self, server, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        server.on("GET /it", GOOD)
        assert read(server) == GOOD.body

    def test_a_secret_header_is_in_no_error(self, server):
        server.on("POST /it", Drop())
        server.on("GET /it", Answer(status=403))

        async def both() -> list[str]:
            texts = []
            async with http(server) as it:
                for call in (
                    it.send("POST", "/it", b"hush-body", {"POLY_SECRET": "hush"}),
                    it.read("GET", "/it", headers={"POLY_SECRET": "hush"}),
                ):
                    with pytest.raises((FateUnknown, Unreachable)) as caught:
                        await call
                    texts.append(f"{caught.value!r} {caught.value} {caught.value.__cause__!r}")
            return texts

        assert "hush" not in "".join(asyncio.run(both()))


class TestBuckets:
    """Limits of the service are kept by waiting, not by bouncing off them."""

    def test_a_window_holds_wherever_it_is_laid(self):
        bucket = Bucket.window("GET", "/positions", requests=150, seconds=10)
        assert bucket.burst + bucket.per_sec * 10 == 150

    def test_requests_beyond_the_burst_wait(self, server):
        server.on("GET /it", GOOD)
        server.on("GET /other", GOOD)
        # The third request waits for a token: half a second for one that has none left. The other path has its own.
        bucket = Bucket(method="GET", paths=("/it",), burst=2, per_sec=2)

        async def timed(path: str) -> float:
            loop = asyncio.get_running_loop()
            async with http(server, buckets=[bucket]) as it:
                began = loop.time()
                await asyncio.gather(*(it.read("GET", path) for _ in range(3)))
                return loop.time() - began

        assert asyncio.run(timed("/it")) >= 0.49
        assert len(server.asked("GET /it")) == 3
        assert not bucket.holds("GET", "/other")
        assert not bucket.holds("POST", "/it")

    def test_a_send_takes_what_it_costs(self, server):
        server.on("POST /it", GOOD)
        bucket = Bucket(method="POST", paths=("/it",), burst=15, per_sec=50)

        async def timed() -> float:
            loop = asyncio.get_running_loop()
            async with http(server, buckets=[bucket]) as it:
                began = loop.time()
                for _ in range(2):
                    await it.send("POST", "/it", b"{}", cost=15)
                return loop.time() - began

        assert asyncio.run(timed()) >= 0.29


class TestAddresses:
    """Plain http is for loopback only, and a password is never repeated."""

    @pytest.mark.parametrize(
        "url",
        [
            "https://clob.polymarket.com",
            "https://x.test:8443/base",
            "http://127.0.0.1:80",
            "http://localhost:1",
            "http://[::1]:1",
        ],
    )
    def test_these_are_good(self, url):
        assert checked_url(url + "/", name="it") == url

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "clob",
            "ftp://x.test",
            "http://x.test",
            "http://127.0.0.1.x.test",
            "http://10.0.0.1",
            "https://",
            "https://x.test:port",
            "https://x.test?a=b",
            "https://[x",
        ],
    )
    def test_these_are_not(self, url):
        with pytest.raises(BadInput, match=r"it.*wants https"):
            checked_url(url, name="it")

    def test_a_password_is_refused_without_showing_it(self):
        with pytest.raises(BadInput) as caught:
            checked_url("https://user:hunter2@x.test", name="it")
        assert "hunter2" not in str(caught.value)


class TestDecode:
    """JSON is read exactly, and whatever is not JSON is a BadAnswer."""

    def test_no_digit_is_lost(self):
        assert decode(b'[0.10, 463557.7452, 1e-7, 3, 123456789012345678901234567890]') == [
            Decimal("0.10"), Decimal("463557.7452"), Decimal("1E-7"), 3, 123456789012345678901234567890,
        ]  # fmt: skip
        assert str(decode(b"0.10")) == "0.10"

    @pytest.mark.parametrize(
        "raw", [b"", b"<html>", b"[NaN]", b"[1", b"\xff", b'["\xff"]', b"[" * 100_000, b"1e999999999999999999999", b"-"]
    )
    def test_what_is_not_json_is_a_bad_answer(self, raw):
        with pytest.raises(BadAnswer):
            decode(raw)

    @given(st.binary())
    def test_nothing_else_gets_out(self, raw):
        with contextlib.suppress(BadAnswer):
            decode(raw)


class TestWarmConnections:
    """Connections that are not needed at present are kept open, and nobody waits for that or hears of its faults."""

    def asked(self, server: Loopback, warm: Warm, times: int) -> list[str]:
        server.on("GET /it", GOOD)

        async def talk() -> None:
            async with http(server, warm=warm) as it:
                for _ in range(times):
                    await it.read("GET", "/it")
                while it._warming:
                    await asyncio.wait(it._warming)

        asyncio.run(talk())
        return [request.path for request in server.requests]

    def test_with_the_first_request_and_not_with_the_next(self, server):
        server.on("GET /time", Answer(body=b"1766000000"))
        paths = self.asked(server, Warm(path="/time", connections=3), times=5)
        assert sorted(paths) == ["/it"] * 5 + ["/time"] * 3

    def test_again_when_it_is_time(self, server):
        server.on("GET /time", Answer(body=b"1766000000"))
        paths = self.asked(server, Warm(path="/time", connections=1, every_sec=0.0), times=3)
        assert sorted(paths) == ["/it"] * 3 + ["/time"] * 3

    @pytest.mark.parametrize("fault", [Drop(), Cut(), Answer(status=500), Answer(status=429)])
    def test_whatever_is_answered(self, server, fault):
        server.on("GET /time", fault)
        paths = self.asked(server, Warm(path="/time", connections=2), times=1)
        assert sorted(paths) == ["/it", "/time", "/time"]

    def test_an_answer_that_never_comes_does_not_keep_it_from_closing(self, server):
        server.on("GET /time", Hang())
        server.on("GET /it", GOOD)

        async def talk() -> None:
            async with http(server, warm=Warm(path="/time", connections=2)) as it:
                await it.read("GET", "/it")
                assert it._warming
            assert not it._warming

        asyncio.run(talk())
