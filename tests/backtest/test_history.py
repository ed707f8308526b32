"""The past of a wallet: its activity replayed, and held against what it holds today."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from copytrade.adapters.clob import ClobHttp, ClobMarketData
from copytrade.adapters.data_api import DataApi
from copytrade.adapters.http import Http
from copytrade.adapters.resolver import MarketResolver
from copytrade.adapters.tapes import open_tape
from copytrade.adapters.tapes.history import (
    Deed,
    differences,
    parse_prices,
    parse_v1,
    parse_v2,
    read_activity,
    replay,
)
from copytrade.adapters.tapes.recording import Services, record_history
from copytrade.adapters.token_ids import ctf_candidates
from copytrade.app.backtest.engine import backtest
from copytrade.app.backtest.tape import LeaderHeld, Resolved
from copytrade.domain.model import Position, Positions
from copytrade.errors import BadAnswer
from tests.adapters.loopback import Answer, Loopback

D = Decimal
MARKET = "0x" + "c1" * 32
IDS = {f"{MARKET}:{index}": ctf_candidates(MARKET, index)[0] for index in (0, 1)}
WALLET = "0x" + "a1" * 20


def deed(at, kind, size, *, index=None, side="", price="0", money="0"):
    return Deed(
        at=D(at),
        kind=kind,
        condition_id=MARKET,
        outcome_index=index,
        token_id=IDS.get(f"{MARKET}:{index}"),
        side=side,
        size=D(size),
        money=D(money),
        price=D(price),
        title="",
    )


def replayed(*deeds):
    return replay(deeds, {}, Positions(), IDS)


class TestReplay:
    """Trades, splits, merges, redemptions and conversions become positions over time."""

    @pytest.mark.parametrize(
        ("deeds", "yes", "no"),
        [
            ([deed(1, "TRADE", 10, index=0, side="BUY", price="0.4")], 10, 0),
            (
                [
                    deed(1, "TRADE", 10, index=0, side="BUY", price="0.4"),
                    deed(2, "TRADE", 4, index=0, side="SELL", price="0.6"),
                ],
                6,
                0,
            ),
            ([deed(1, "SPLIT", 10)], 10, 10),
            ([deed(1, "SPLIT", 10), deed(2, "MERGE", 3)], 7, 7),
            ([deed(1, "SPLIT", 10), deed(2, "REDEEM", 10, money="10")], 0, 0),
            ([deed(1, "SPLIT", 10), deed(2, "CONVERSION", 4)], 10, 6),
            ([deed(1, "SPLIT", 10), deed(2, "REWARD", 4)], 10, 10),
        ],
    )
    def test_what_is_held_in_the_end(self, deeds, yes, no):
        found = replayed(*deeds)
        assert [found.held.get(f"{MARKET}:{index}", 0) for index in (0, 1)] == [yes, no]
        assert found.oversold == 0

    def test_the_winner_is_the_outcome_that_the_money_fits(self):
        found = replayed(
            deed(1, "TRADE", 10, index=0, side="BUY", price="0.4"),
            deed(2, "TRADE", 7, index=1, side="BUY", price="0.5"),
            deed(3, "REDEEM", 7, money="7"),
        )
        assert {event.token_key[-1]: event.payout for event in found.events if isinstance(event, Resolved)} == {
            "0": 0,
            "1": 1,
        }

    def test_averages_follow_the_buys(self):
        found = replayed(
            deed(1, "TRADE", 10, index=0, side="BUY", price="0.4"),
            deed(2, "TRADE", 10, index=0, side="BUY", price="0.6"),
        )
        assert [event.avg_price for event in found.events if isinstance(event, LeaderHeld)] == [D("0.4"), D("0.5")]

    def test_a_sale_of_what_was_never_bought_is_counted(self):
        assert replayed(deed(1, "TRADE", 10, index=0, side="SELL", price="0.4")).oversold == 1

    def test_the_difference_from_today_is_reported(self):
        today = Positions(
            positions=(Position(token_key=f"{MARKET}:0", condition_id=MARKET, outcome_index=0, size=D("8.005")),)
        )
        assert differences({f"{MARKET}:0": D(8)}, today) == ()
        (one,) = differences({f"{MARKET}:1": D(3), f"{MARKET}:0": D(8)}, today)
        assert (one.token_key, one.replayed, one.today) == (f"{MARKET}:1", D(3), D(0))


class TestRealAnswers:
    def test_version_1(self, shared):
        deeds = parse_v1(shared("real/nexiumito-polycopy/activity_sample.json").read_bytes())
        assert len(deeds) == 100
        found = replay(sorted(deeds, key=lambda one: one.at), {}, Positions(), {})
        assert found.held
        assert not found.unknown
        assert sum(isinstance(event, LeaderHeld) for event in found.events) == 100

    def test_version_2_knows_the_outcome_where_the_index_is_999(self, shared):
        deeds, cursor = parse_v2(shared("real/polyoxide-data-v2/activity.json").read_bytes())
        assert [one.outcome_index for one in deeds] == [0, 1]
        assert cursor is not None

    def test_prices(self, shared):
        raw = shared("real/polyoxide-data-v2/prices_history.json").read_bytes()
        assert parse_prices(raw) == [(D(1789295100), D("0.34")), (D(1789295160), D("0.34"))]
        assert parse_prices(b'{"history": [{"t": 2, "p": 0.5}, {"t": 1, "p": 0.25}]}')[0] == (D(1), D("0.25"))
        for odd in (b'"NaN", "p": 0.5', b'1, "p": "NaN"', b'"Infinity", "p": 0.5'):
            with pytest.raises(BadAnswer, match="not finite"):
                parse_prices(b'{"history": [{"t": 1, "p": 0.5}, {"t": ' + odd + b"}]}")

    @pytest.mark.parametrize("raw", [b"[]", b'{"data": 1}', b"no", b'{"data": [], "pagination": {}}'])
    def test_another_shape_is_a_bad_answer(self, raw):
        with pytest.raises(BadAnswer):
            parse_v2(raw)


def row(at, size, price, side="BUY", *, v2=True):
    names = ("condition_id", "outcome_index", "token_id", "usdc_size")
    condition, index, token, money = names if v2 else ("conditionId", "outcomeIndex", "asset", "usdcSize")
    return {
        "timestamp": at, condition: MARKET, index: 0, token: IDS[f"{MARKET}:0"], "type": "TRADE", "side": side,
        "size": size, money: size * price, "price": price, "title": "Will it?",
    }  # fmt: skip


class TestOverHttp:
    """Both versions of the Data-API on loopback, to their end; and from there to a tape that runs."""

    def test_version_2_follows_the_cursor(self):
        def page(request):
            first = request.one("cursor") is None
            rows = [row(2000, 5, 0.5)] if first else [row(1000, 10, 0.4)]
            return Answer(json={"data": rows, "pagination": {"has_more": first, "next_cursor": "x" if first else None}})

        async def talk(url):
            async with Http(url, name="data_api_url") as http:
                return await read_activity(http, WALLET)

        with Loopback() as server:
            server.on("GET /v2/activity", page)
            assert [one.at for one in asyncio.run(talk(server.url))] == [1000, 2000]

    @pytest.mark.parametrize("version", [1, 2])
    def test_from_a_wallet_to_a_tape_that_runs(self, tmp_path, version):
        rows = [row(1_766_000_000 + 60 * number, 100, 0.4, v2=version == 2) for number in range(5)]
        now = {"size": 480, "avgPrice": 0.4, "conditionId": MARKET, "outcomeIndex": 0, "asset": IDS[f"{MARKET}:0"]}
        now_v2 = {
            "current_size": 480, "avg_price": 0.4, "condition_id": MARKET, "outcome_index": 0,
            "token_id": IDS[f"{MARKET}:0"], "status": "OPEN",
        }  # fmt: skip
        over = {"has_more": False, "next_cursor": None}
        prices = {"history": [{"t": 1_766_000_000 + 60 * n, "p": 0.4 - 0.01 * n} for n in range(30)]}

        async def talk(url):
            async with Http(url, name="data_api_url") as data, ClobHttp(url, name="clob_url") as clob:
                asked = Services(
                    data=data,
                    feed=DataApi(data, version=version),
                    market=ClobMarketData(clob),
                    resolver=MarketResolver(data, clob),
                    clob=clob,
                    clock=Stopped(),
                    version=version,
                )
                return await record_history(asked, WALLET, tmp_path / "tape.jsonl.gz", since=D(0))

        with Loopback() as server:
            server.on("GET /v2/activity", Answer(json={"data": rows, "pagination": over}))
            server.on("GET /activity", Answer(json=rows))
            server.on("GET /v2/positions", Answer(json={"data": [now_v2], "pagination": over}))
            server.on("GET /positions", Answer(json=[now]))
            server.on("GET /prices-history", Answer(json=prices))
            count, differing, notes = asyncio.run(talk(server.url))
        assert [(one.replayed, one.today) for one in differing] == [(500, 480)]
        assert any("differently" in note for note in notes)
        tape = open_tape(tmp_path / "tape.jsonl.gz")
        assert tape.notes == tuple(notes)
        assert len(list(tape.events())) == count
        assert backtest(tape, fills="optimistic").summary.fills > 0


class Stopped:
    """A clock that stands."""

    def now(self):
        return D(1_766_002_000)

    async def sleep(self, seconds):
        raise AssertionError("nothing here waits")
