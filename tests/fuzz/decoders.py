"""Everything that reads what came from outside, each with an answer of its own making and real ones to change.

The real ones lie beside the repository (shared/polymarket, see its READMEs); where they are missing the made-up ones
are all that is changed, and the tests say so.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import frozen

from copytrade.adapters.clob import decoding
from copytrade.adapters.clob.posting import cancelled, posted
from copytrade.adapters.data_api import _V1, _V2, Page, _Walk, parse_status, parse_v1_page, parse_v2_page
from copytrade.adapters.resolver import parse_clob_market, parse_gamma
from copytrade.adapters.tapes import history, open_journal, open_tape
from copytrade.adapters.tapes.lines import write_tape
from copytrade.app.config import read_config
from copytrade.app.documents import decode_snapshot, encode_journal_line, encode_snapshot
from copytrade.app.ports import SignedOrder
from copytrade.app.state import StateBroken, decode_state, encode_state, memory_of
from copytrade.domain.memory import Base, Hold, Memory, OwnOrder, Recovery, Standing, ledgers
from copytrade.domain.model import Book, Ledger, Order, Position, Positions, Side, Snapshot
from copytrade.domain.plan import plan
from copytrade.domain.policy import Policy
from copytrade.errors import BadAnswer, BadInput, RefusedToStart
from tests.adapters.clob.samples import BOOK, CREDENTIALS, CTF, ID, ME, ORDER, TRADE
from tests.adapters.test_data_api import row, row_v1
from tests.adapters.test_resolver import clob_market, market
from tests.backtest.histories import history as made_up_history

D = Decimal
NOW = D(1_766_000_000)
SEVERAL = 4  # rows of a real answer that are changed: more of them say nothing new


@frozen(kw_only=True)
class Decoder:
    """How a kind of answer is read, what may be said of a bad one, and good ones to begin with."""

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...] = (BadAnswer,)
    own: Any  # a document of JSON, or bytes
    real: tuple[tuple[str, Callable[[Any], Any]], ...] = ()  # (file, what is taken of it)


def several(rows: Any) -> Any:
    return rows[:SEVERAL]


def enveloped(rows: Any) -> Any:
    return {"data": rows[:SEVERAL], "pagination": {"has_more": False, "next_cursor": None}}


def whole(document: Any) -> Any:
    return document


def thinned(document: Any) -> Any:
    return {**document, "data": document["data"][:SEVERAL]}


def in_a_list(document: Any) -> Any:
    return [document]


# -- the Data-API -----------------------------------------------------------------------------------------------------


def positions_of(pages: Iterable[Page], *, version: int) -> Positions:
    """What an answer of these pages amounts to."""
    walk = _Walk()
    for page in pages:
        walk.take(page, _V2 if version == 2 else _V1)
    return walk.answer()


def read_v2(raw: bytes) -> Positions:
    return positions_of([parse_v2_page(raw)], version=2)


def read_v1(raw: bytes) -> Positions:
    return positions_of([parse_v1_page(raw)], version=1)


DEED = {
    "proxy_wallet": "0x" + "ab" * 20,
    "timestamp": 1_766_000_000,
    "condition_id": row(1)["condition_id"],
    "type": "TRADE",
    "size": 22.84,
    "usdc_size": 12.16,
    "price": 0.53,
    "token_id": row(1)["token_id"],
    "side": "BUY",
    "outcome_index": 0,
    "title": "A market",
}
V1_DEED = {"condition_id": "conditionId", "usdc_size": "usdcSize", "token_id": "asset", "outcome_index": "outcomeIndex"}

# -- the CLOB ---------------------------------------------------------------------------------------------------------

BATCH = [
    SignedOrder(
        order_id="0x" + letter * 64,
        token_id="111",
        side=Side.BUY,
        price=D("0.61"),
        size=D(10),
        expiration=1,
        payload={},
    )
    for letter in "abc"
]
A, B, C = (order.order_id for order in BATCH)
LEGS = [
    {"success": True, "orderID": A, "errorMsg": "", "status": "live"},
    {"success": True, "orderID": "", "errorMsg": "invalid expiration", "status": ""},
    {"success": True, "orderID": C, "errorMsg": "", "status": "matched", "makingAmount": "6.1", "takingAmount": "10"},
]

# -- our own files ----------------------------------------------------------------------------------------------------

POLICY = Policy(target_address="0x" + "01" * 20, my_address="0x" + "02" * 20)
ORDER_OF_OURS = OwnOrder(
    order_id="0xaa", token_key="0xc1:0", token_id="111", side=Side.BUY, price=D("0.49"), size=D(20), ts=NOW - 30,
    expiration=NOW + 160, standing=Standing.OPEN, matched=D(3), confirmed=D(3), seen_at=NOW,
)  # fmt: skip
MEMORY = Memory(
    token_map={"0xc1:0": "111"},
    orders={"0xaa": ORDER_OF_OURS},
    bases={"0xc1:0": Base(base=D(10), moved_at=NOW - 20, seen=D(10), avg_price=D("0.5"))},
    polls=({"0xc1:0": D(100)}, {"0xc1:0": D("90.5")}),
    holds={"0xc2:0": Hold(until=NOW + 60)},
    recovery=Recovery(
        started_at=NOW - 50,
        strangers={"112": NOW - 20},
        restored=frozenset({"0xc1:0"}),
        told={"0xc2:0": Ledger(base=D(40), avg_price=D("0.6"), final=False, ours=False)},
    ),
    last_sync_ts=NOW,
)
POSITION = Position(
    token_key="0xc1:0", condition_id="0xc1", outcome_index=0, size=D(500), avg_price=D("0.62"), token_id="111"
)
SNAPSHOT = Snapshot(
    now=NOW,
    policy=POLICY,
    target=Positions(positions=(POSITION,)),
    mine=Positions(),
    token_map={"0xc1:0": "111"},
    books={"111": Book(best_bid=D("0.61"), best_ask=D("0.63"), tick_size=D("0.01"), min_order_size=D(5))},
    open_orders={"111": (Order(order_id="0xaa", side=Side.BUY, price=D("0.61"), size=D(10), ts=NOW - 50),)},
    cash=D(1000),
    ledgers={"0xc1:0": Ledger(base=D(0), bought=D(10), moved_at=NOW - 40, seen=D(0))},
    witnesses={"0xc1:0": D(10)},
    target_history=({"0xc1:0": D(480)},),
    holds={"0xc3:1": NOW + 60},
)
CONFIG = {
    "target_address": "0x" + "01" * 20,
    "my_address": "0x" + "02" * 20,
    "follow_ratio": 0.2,
    "deadband_shares": 3,
    "slice_min": 5,
    "blacklist_token_keys": ["0xc9:0"],
    "signature_type": 2,
    "poll_interval_sec": 20,
    "clob_url": "http://127.0.0.1:1",
}
TABLE = b"""recorded_at,asset_id,market,outcome,size,average_price
2025-12-24T12:23:00+00:00,71321,btc-updown-15m-1766577600,Up,10.5,0.51
2025-12-24T12:24:00+00:00,71322,btc-updown-15m-1766577600,Down,4,0.48
2025-12-24T12:25:00+00:00,71321,btc-updown-15m-1766577600,Up,12,0.52
"""


def decided(raw: bytes) -> object:
    """A snapshot is read to be decided upon: the plan is part of the answer."""
    snapshot = decode_snapshot(raw, now=NOW)
    return snapshot, plan(snapshot)


def remembered(raw: bytes) -> object:
    """A state is read to go on from: its ledgers are part of the answer, and it can be written again."""
    memory = memory_of(decode_state(raw))
    assert memory_of(decode_state(encode_state(memory, POLICY))) == memory
    return memory, ledgers(memory)


def a_file(ending: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """What reads a file, as what reads its bytes."""

    def reader(raw: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"made-up{ending}"
            path.write_bytes(raw)
            return read(path)

    return reader


def _tape() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_tape(made_up_history(3), Path(folder) / "tape.jsonl")
        return b"".join((Path(folder) / "tape.jsonl").read_bytes().splitlines(keepends=True)[:12])


def the_tape(path: Path) -> object:
    return list(open_tape(path).events())


JOURNAL_LINE = encode_journal_line(SNAPSHOT, plan(SNAPSHOT), [], {"cycle": 7}) + b"\n"

OF_ANSWERS = {
    "positions, version 2": Decoder(
        read=read_v2,
        own=enveloped([row(1), row(2, 1), row(3)]),
        real=(
            ("real/polyoxide-data-v2/positions.json", thinned),
            ("real/polymarket-py-sdk-data-v2/positions.json", enveloped),
        ),
    ),
    "positions, version 1": Decoder(
        read=read_v1,
        own=[row_v1(1), row_v1(2, 1), row_v1(3)],
        real=(
            ("real/nexiumito-polycopy/data_api_positions_sample.json", several),
            ("recorded/data_api_positions_response.json", several),
        ),
    ),
    "status of the Data-API": Decoder(
        read=parse_status,
        own={"data": {"serving": {"lag_seconds": 4}}},
        real=(("real/polyoxide-data-v2/status.json", whole),),
    ),
    "activity, version 2": Decoder(
        read=history.parse_v2,
        own=enveloped([DEED, {**DEED, "type": "REDEEM", "token_id": None}]),
        real=(
            ("real/polyoxide-data-v2/activity.json", thinned),
            ("real/polymarket-py-sdk-data-v2/activity.json", enveloped),
        ),
    ),
    "activity, version 1": Decoder(
        read=history.parse_v1,
        own=[{V1_DEED.get(key, key): value for key, value in DEED.items()}],
        real=(("real/nexiumito-polycopy/activity_sample.json", several),),
    ),
    "prices": Decoder(
        read=history.parse_prices,
        own={"history": [{"t": 1766000000, "p": 0.5}, {"t": 1766000060, "p": 0.51}]},
        real=(("real/polyoxide-data-v2/prices_history.json", whole),),
    ),
    "Gamma": Decoder(
        read=parse_gamma,
        own=[market(1), market(2, negRisk=True)],
        real=(
            ("real/nexiumito-polycopy/gamma_markets_categories_sample.json", several),
            ("recorded/gamma_market.json", in_a_list),
        ),
    ),
    "a market of the CLOB": Decoder(
        read=parse_clob_market,
        own=clob_market(1),
        real=(("recorded/clob_market_closed_binary_accepting_false.json", whole),),
    ),
    "books": Decoder(
        read=lambda raw: decoding.books(raw, [CTF]),
        own=[BOOK],
        real=(
            ("real/nexiumito-polycopy/clob_orderbook_sample.json", in_a_list),
            ("recorded/clob_book_response.json", in_a_list),
        ),
    ),
    "open orders": Decoder(
        read=lambda raw: [decoding.open_order(each) for each in decoding.page(raw).rows],
        own={"data": [ORDER, {**ORDER, "id": "0x02"}], "next_cursor": "LTE="},
        real=(("recorded/http_open_orders_page.json", whole),),
    ),
    "one order": Decoder(
        read=lambda raw: decoding.look_up(ID, raw), own=ORDER, real=(("recorded/http_open_order.json", whole),)
    ),
    "trades": Decoder(
        read=lambda raw: [decoding.fills(each, ME) for each in decoding.page(raw).rows],
        own={"data": [TRADE], "next_cursor": "LTE="},
        real=(("recorded/http_trades_page.json", whole),),
    ),
    "balance": Decoder(
        read=decoding.balance,
        own={"balance": "12345678", "allowances": {"0xE1": "5"}},
        real=(("recorded/http_balance_allowance_collateral.json", whole),),
    ),
    "time": Decoder(read=decoding.server_time, own={"time": 1766000000}),
    "credentials": Decoder(read=decoding.credentials, own=CREDENTIALS),
    "answers to posts": Decoder(
        read=lambda raw: posted(BATCH, 200, raw),
        refuses=(),
        own=LEGS,
        real=(
            ("recorded/http_order_response_ok.json", in_a_list),
            ("recorded/http_order_response_failed.json", in_a_list),
        ),
    ),
    "answers to cancels": Decoder(
        read=lambda raw: cancelled([A, B, C], 200, raw),
        refuses=(),
        own={"canceled": [A], "not_canceled": {B: "already canceled or matched"}},
        real=(("recorded/http_batch_cancel_response.json", whole),),
    ),
}
OF_FILES = {
    "state": Decoder(
        read=remembered, refuses=(StateBroken, RefusedToStart), own=json.loads(encode_state(MEMORY, POLICY))
    ),
    "snapshot": Decoder(read=decided, refuses=(BadInput,), own=json.loads(encode_snapshot(SNAPSHOT))),
    "a line of the journal": Decoder(read=decided, refuses=(BadInput,), own=json.loads(JOURNAL_LINE)),
    "configuration": Decoder(
        read=lambda raw: read_config(raw, {}, source="copytrade_config.json", live=True),
        refuses=(BadInput,),
        own=CONFIG,
    ),
    "a tape": Decoder(read=a_file(".jsonl", the_tape), refuses=(BadInput,), own=_tape()),
    "a tape of journals": Decoder(read=a_file(".jsonl", the_tape), refuses=(BadInput,), own=JOURNAL_LINE * 2),
    "a journal, lived through again": Decoder(
        read=a_file(".jsonl", lambda path: list(open_journal(path))), refuses=(BadInput,), own=JOURNAL_LINE * 2
    ),
    "a tape of tables": Decoder(
        read=a_file(".csv", the_tape),
        refuses=(BadInput,),
        own=TABLE,
        real=(
            ("real/denniswu28-polycopy/1d83321-target_positions.csv", whole),
            ("real/denniswu28-polycopy/1d83321-target_trades.csv", whole),
        ),
    ),
}
