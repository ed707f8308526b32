"""Order books and the exchange's clock over real HTTP, against answers that are scripted."""

import asyncio
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from copytrade.adapters.clob import ClobHttp, ClobMarketData
from copytrade.errors import BadAnswer, Unreachable
from tests.adapters.clob.talking import arrived
from tests.adapters.loopback import Answer, Drop, Hang, Loopback

D = Decimal
COMBO = str((3 << 248) | (7 << 120))
BOOK = {
    "market": "0xc1",
    "asset_id": "111",
    "bids": [{"price": "0.60", "size": "5"}, {"price": "0.61", "size": "7.25"}],
    "asks": [],
    "tick_size": "0.01",
    "min_order_size": "5",
    "neg_risk": False,
}


@pytest.fixture
def server():
    with Loopback() as server:
        yield server


def ask(server, question, **how):
    async def talk():
        async with ClobHttp(server.url, **{"timeout_sec": 2, "attempts": 1, **how}) as http:
            return await question(ClobMarketData(http))

    return asyncio.run(talk())


def books(server, token_ids, **how):
    return ask(server, lambda market_data: market_data.books(token_ids), **how)


def each_asked_for(request):
    return Answer(json=[{**BOOK, "asset_id": one["token_id"]} for one in request.json()])


class TestBooks:
    """Prices exact, an odd book left out and no more, many tokens in few requests."""

    def test_one_odd_book_spoils_no_other_and_is_told(self, server):
        odd = {**BOOK, "asset_id": "222", "bids": [{"price": "NaN", "size": "5"}]}
        server.on("POST /books", Answer(json=[BOOK, odd]))
        with capture_logs() as log:
            found = books(server, ["111", "222", "333"])
        assert set(found) == {"111"}
        assert {(level.price, level.size) for level in found["111"].bids} == {(D("0.60"), D(5)), (D("0.61"), D("7.25"))}
        assert (found["111"].asks, found["111"].tick_size, found["111"].min_order_size) == ((), D("0.01"), D(5))
        [line] = log
        assert (line["log_level"], line["count"]) == ("warning", 1)
        assert "222" in line["why"][0]

    def test_a_token_without_a_book_is_absent_and_no_matter(self, server):
        server.on("POST /books", Answer(json=[BOOK]))
        with capture_logs() as log:
            assert set(books(server, ["111", "333"])) == {"111"}
        assert log == []

    @pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (500, [500]), (501, [1, 500]), (1001, [1, 500, 500])])
    def test_at_most_500_in_a_request(self, server, count, sizes):
        server.on("POST /books", each_asked_for)
        asked = [str(number + 1) for number in range(count)]
        assert set(books(server, asked)) == set(asked)
        assert sorted(len(request.json()) for request in server.requests) == sizes

    def test_batches_are_under_way_together(self, server):
        """None is answered, and all of them are asked: one after another, only the first would have been."""
        server.on("POST /books", Hang())

        async def question(market_data):
            asking = asyncio.create_task(market_data.books([str(number + 1) for number in range(1001)]))
            await arrived(server, "POST /books", 3)
            asking.cancel()
            return await asyncio.gather(asking, return_exceptions=True)

        ask(server, question, timeout_sec=60, retry_total_sec=60)
        assert len(server.requests) == 3

    def test_each_token_is_asked_for_once_and_what_can_have_no_book_is_not(self, server):
        server.on("POST /books", each_asked_for)
        assert set(books(server, ["111", "222", "111", COMBO, "0x6f", "0111", " 1", ""])) == {"111", "222"}
        assert [request.json() for request in server.requests] == [[{"token_id": "111"}, {"token_id": "222"}]]

    @pytest.mark.parametrize("token_ids", [[], [COMBO, "0x6f"]])
    def test_nothing_to_ask_for_is_not_asked(self, server, token_ids):
        assert books(server, token_ids) == {}
        assert server.requests == []

    def test_a_read_is_tried_again(self, server):
        server.on("POST /books", Drop(), Answer(status=503), Answer(json=[BOOK]))
        assert set(books(server, ["111"], attempts=3, wait_initial_sec=0.001)) == {"111"}

    def test_nobody_having_one_is_no_fault(self, server):
        server.on("POST /books", Answer(status=404, json={"error": "No orderbook exists for the requested token id"}))
        assert books(server, ["111"]) == {}

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (Answer(status=400, json={"error": "Payload exceeds the limit"}), Unreachable),
            (Answer(status=404, body=b"<html>"), Unreachable),
            (Answer(status=500), Unreachable),
            (Drop(), Unreachable),
            (Answer(body=b"<html>"), BadAnswer),
            (Answer(json={"error": "odd"}), BadAnswer),
        ],
    )
    def test_a_batch_that_gave_nothing_is_a_fault_even_among_good_ones(self, server, answer, error):
        server.on("POST /books", lambda request: each_asked_for(request) if len(request.json()) == 500 else answer)
        with pytest.raises(error):
            books(server, [str(number + 1) for number in range(501)])


class TestTheClock:
    def test_is_the_exchanges(self, server):
        server.on("GET /time", Answer(body=b"1766000000"))
        assert ask(server, lambda market_data: market_data.server_time()) == 1766000000

    @pytest.mark.parametrize(("answer", "error"), [(Answer(status=500), Unreachable), (Answer(body=b"?"), BadAnswer)])
    def test_or_none(self, server, answer, error):
        server.on("GET /time", answer)
        with pytest.raises(error):
            ask(server, lambda market_data: market_data.server_time())
