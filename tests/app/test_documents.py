"""Snapshots as documents: what is read, what is left out, what is wrong, and that nothing is lost on the way."""

import json
from contextlib import suppress
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copytrade.app.documents import decode_snapshot, encode_journal_line, encode_plan, encode_snapshot
from copytrade.domain.model import (
    Book,
    Cancel,
    CancelReason,
    Decision,
    Ledger,
    Mode,
    Order,
    Place,
    Plan,
    Position,
    Positions,
    Reason,
    Side,
    Snapshot,
    Today,
)
from copytrade.domain.plan import plan
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput
from tests.strategies import TOKENS, D, snapshots

# DESIGN 8, with its numbers; the addresses are shortened there as well.
EXAMPLE = """
{
  "version": 1,
  "now": 1766000000,
  "config": {"target_address": "0x…", "my_address": "0x…", "follow_ratio": 0.2, "deadband_shares": 3},
  "target": {"ok": true, "incomplete": false, "positions": [
    {"token_key": "0xc1:0", "condition_id": "0xc1", "outcome_index": 0, "size": 500, "avg_price": 0.62,
     "token_id": "111"}]},
  "mine": {"ok": true, "incomplete": false, "positions": []},
  "token_map": {"0xc1:0": "111"},
  "books": {"111": {"best_bid": 0.61, "best_ask": 0.63, "tick_size": 0.01, "min_order_size": 5}},
  "open_orders": {"111": [{"order_id": "0xaa", "side": "BUY", "price": 0.61, "size": 10, "matched": 0,
                           "ts": 1765999900}]},
  "cash": 1000,
  "ledgers": {"0xc1:0": {"base": 0, "bought": 10, "sold": 0, "moved_at": 1765999950, "seen": 0}},
  "witnesses": {"0xc1:0": 10},
  "in_doubt": {"111": [{"order_id": "0xbb", "side": "BUY", "price": 0.61, "size": 10, "matched": 0,
                        "ts": 1765999990}]},
  "foreign_orders": {"111": [{"order_id": "0xcc", "side": "SELL", "price": 0.7, "size": 5, "matched": 0,
                              "ts": 1765990000}]},
  "target_history": [{"0xc1:0": 480, "0xc2:0": 200}],
  "holds": {"0xc3:1": 1766000060}
}
"""
ORDER: dict[str, Any] = {"order_id": "0x1", "side": "BUY", "price": "0.5", "size": 10, "ts": 1765999990}


def document(**parts: Any) -> dict[str, Any]:
    """A small good document, with these parts put in its place; None takes one out."""
    whole = {
        "now": 1766000000,
        "target": {"positions": [{"token_key": "0xc1:0", "size": 500, "token_id": "111"}]},
        "mine": {"positions": []},
    } | parts
    return {name: part for name, part in whole.items() if part is not None}


def decoded(whole: object, **more: Any) -> Snapshot:
    return decode_snapshot(json.dumps(whole).encode(), **more)


def said(whole: object) -> list[str]:
    """The faults of a document, a line each."""
    with pytest.raises(BadInput) as caught:
        decoded(whole)
    return [str(fault) for fault in caught.value.faults]


def read(**parts: Any) -> Snapshot:
    return decoded(document(**parts))


def rows(*positions: dict[str, Any]) -> dict[str, Any]:
    return {"positions": list(positions)}


class TestTheExample:
    def test_is_read_to_the_letter(self):
        assert decode_snapshot(EXAMPLE.encode()) == Snapshot(
            now=D(1766000000),
            policy=Policy(follow_ratio=D("0.2"), deadband_shares=D(3)),
            target=Positions(
                positions=(
                    Position(
                        token_key="0xc1:0",
                        condition_id="0xc1",
                        outcome_index=0,
                        size=D(500),
                        avg_price=D("0.62"),
                        token_id="111",
                    ),
                )
            ),
            token_map={"0xc1:0": "111"},
            books={"111": Book(best_bid=D("0.61"), best_ask=D("0.63"), tick_size=D("0.01"), min_order_size=D(5))},
            open_orders={
                "111": (Order(order_id="0xaa", side=Side.BUY, price=D("0.61"), size=D(10), ts=D(1765999900)),)
            },
            cash=D(1000),
            ledgers={"0xc1:0": Ledger(base=D(0), bought=D(10), moved_at=D(1765999950), seen=D(0))},
            witnesses={"0xc1:0": D(10)},
            in_doubt={"111": (Order(order_id="0xbb", side=Side.BUY, price=D("0.61"), size=D(10), ts=D(1765999990)),)},
            foreign_orders={
                "111": (Order(order_id="0xcc", side=Side.SELL, price=D("0.7"), size=D(5), ts=D(1765990000)),)
            },
            target_history=({"0xc1:0": D(480), "0xc2:0": D(200)},),
            holds={"0xc3:1": D(1766000060)},
        )

    def test_numbers_may_be_texts(self):
        def texts(value: object) -> object:
            if isinstance(value, dict):
                return {name: texts(item) for name, item in value.items()}
            if isinstance(value, list):
                return [texts(item) for item in value]
            return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value

        as_texts = json.dumps(texts(json.loads(EXAMPLE, parse_float=Decimal)))
        assert '"0.62"' in as_texts
        assert decode_snapshot(as_texts.encode()) == decode_snapshot(EXAMPLE.encode())

    def test_a_whole_journal_line_is_a_snapshot_too(self):
        line = {"version": 1, "plan": {}, "results": [], "whatever": 1, "snapshot": json.loads(EXAMPLE)}
        assert decoded(line) == decode_snapshot(EXAMPLE.encode())


class TestWhatIsLeftOut:
    """DESIGN 8: left out has a meaning, and null is left out."""

    def test_everything_optional(self):
        assert read() == Snapshot(
            now=D(1766000000),
            target=Positions(
                positions=(
                    Position(token_key="0xc1:0", condition_id="0xc1", outcome_index=0, size=D(500), token_id="111"),
                )
            ),
            token_map={"0xc1:0": "111"},
        )

    def test_of_the_day(self):
        assert read(today={}).today == Today()
        assert read(today={"result": "-4.5"}).today == Today(result=D("-4.5"))

    def test_null_is_left_out_everywhere(self):
        nothing = dict.fromkeys(
            [
                "version", "config", "token_map", "books", "orders_ok", "open_orders", "in_doubt", "foreign_orders",
                "cash", "ledgers", "witnesses", "target_history", "holds", "today", "stopped",
            ]
        )  # fmt: skip
        row: dict[str, Any] = dict.fromkeys(
            ["condition_id", "outcome_index", "avg_price", "current_price", "redeemable", "slug", "title", "end_date"]
        )
        row |= {"token_key": "0xc1:0", "size": 500, "token_id": "111"}
        target = {"ok": None, "incomplete": None, "positions": [row]}
        assert decoded({**document(), **nothing, "target": target}) == read()
        assert decoded({**document(), "config": {"slice_min": None}}) == read()

    def test_null_entries_of_a_mapping_are_left_out(self):
        maps = ("token_map", "ledgers", "witnesses", "holds")
        assert read(**{name: {"0xc9:0": None} for name in maps}) == read()
        assert read(books={"111": None}, open_orders={"111": None}, in_doubt={"111": None}) == read()
        assert read(target_history=[{"0xc9:0": None}]).target_history == ({},)

    def test_now_is_the_clock(self):
        assert decoded(document(now=None), now=D("5.25")).now == D("5.25")
        assert decoded(document(), now=D("5.25")).now == 1766000000
        assert said(document(now=None)) == ["now   got nothing   wants a number, at least 0"]

    def test_positions_are_never_guessed(self):
        """A target that was forgotten would read as "he sold everything", a follower as "we hold nothing"."""
        assert said({"now": 1, "target": {}}) == [
            "target.positions   got nothing   wants a list of positions",
            "mine   got nothing   wants an object",
        ]

    @pytest.mark.parametrize("broken", [{"ok": False}, {"incomplete": True}])
    def test_but_a_broken_answer_needs_none(self, broken):
        assert not read(mine=broken).mine.complete

    def test_members_of_orders_ledgers_and_books(self):
        snapshot = read(
            open_orders={"111": [ORDER]},
            in_doubt={"111": [ORDER | {"order_id": "0x2"}]},
            foreign_orders={"111": [{name: ORDER[name] for name in ("side", "price", "size")} | {"order_id": "0x3"}]},
            ledgers={"0xc1:0": {"base": 4}},
            books={"111": {}},
        )
        order = Order(order_id="0x1", side=Side.BUY, price=D("0.5"), size=D(10), ts=D(1765999990))
        assert snapshot.open_orders == {"111": (order,)}
        assert snapshot.in_doubt == {"111": (evolve(order, order_id="0x2"),)}
        assert snapshot.foreign_orders == {"111": (evolve(order, order_id="0x3", ts=D(0)),)}
        assert snapshot.ledgers == {"0xc1:0": Ledger(base=D(4))}
        assert snapshot.books == {"111": Book()}


class TestWhichTokenItIs:
    @pytest.mark.parametrize(
        "row",
        [
            {"token_key": "0xAB:1"},
            {"condition_id": "0xAB", "outcome_index": 1},
            {"condition_id": "0xaB", "outcome_index": "1"},
            {"token_key": "0xab:1", "condition_id": "0xAB", "outcome_index": 1},
            {"token_key": "0xab:1", "outcome_index": 1},
        ],
    )
    def test_token_key_or_condition_and_outcome_suffice_in_any_case(self, row):
        [found] = read(target=rows({"size": 1, **row})).target.positions
        assert (found.token_key, found.condition_id, found.outcome_index) == ("0xab:1", "0xab", 1)

    def test_token_map_and_the_rows_ids_each_suffice_and_are_joined(self):
        snapshot = read(
            target=rows({"token_key": "0xC1:0", "size": 1, "token_id": "111"}),
            mine=rows({"token_key": "0xc2:0", "size": 1}),
            token_map={"0xC2:0": "221"},
        )
        assert snapshot.token_map == {"0xc1:0": "111", "0xc2:0": "221"}
        assert snapshot.mine.positions[0].token_id is None

    def test_every_key_is_compared_in_lower_case(self):
        snapshot = read(
            config={"blacklist_token_keys": ["0xC1:0"], "target_address": "0xAB", "my_address": "0xCD"},
            ledgers={"0xC1:0": {"base": 1}},
            witnesses={"0xC1:0": 1},
            holds={"0xC1:0": 1},
            target_history=[{"0xC1:0": 1}],
        )
        assert snapshot.policy.blacklist_token_keys == {"0xc1:0"}
        assert (snapshot.policy.target_address, snapshot.policy.my_address) == ("0xab", "0xcd")
        for mapping in (snapshot.ledgers, snapshot.witnesses, snapshot.holds, *snapshot.target_history):
            assert list(mapping) == ["0xc1:0"]


class TestAnOrderThatIsListedAndInDoubt:
    """DESIGN 8: it counts as listed unless gone."""

    def test_counts_as_listed(self):
        snapshot = read(open_orders={"111": [ORDER]}, in_doubt={"111": [ORDER | {"matched": 3}]})
        assert [order.matched for order in snapshot.open_orders["111"]] == [0]
        assert snapshot.in_doubt == {"111": ()}

    def test_unless_gone(self):
        snapshot = read(open_orders={"111": [ORDER]}, in_doubt={"111": [ORDER | {"gone": True}]})
        assert snapshot.open_orders == {"111": ()}
        assert [order.gone for order in snapshot.in_doubt["111"]] == [True]


class TestConfig:
    def test_takes_the_keys_that_decide_with_their_defaults(self):
        assert read(config={"slice_max": "30", "maker_only": False}).policy == Policy(slice_max=D(30), maker_only=False)

    def test_accepts_and_ignores_the_others_but_checks_them(self):
        others = {
            "poll_interval_sec": 5, "size_threshold": 1, "on_stop": "keep", "state_path": "s.json", "journal_dir": "j",
            "data_api_version": 1, "data_api_url": "https://example.org", "gamma_api_url": "http://localhost:1",
            "clob_url": "https://example.org/", "chain_id": 137, "signature_type": 2,
        }  # fmt: skip
        assert read(config=others) == read()
        assert said(document(config={"signature_type": 9, "on_stop": "sell"})) == [
            'config.on_stop   got "sell"   wants "cancel" or "keep"',
            "config.signature_type   got 9   wants a whole number from 0 to 3",
        ]

    def test_keeps_the_rules_of_the_policy(self):
        assert said(document(config={"slice_min": 9, "slice_max": 8, "follow_ratio": 0})) == [
            "config.follow_ratio   got 0   wants a finite number above 0",
            "config.slice_min   got 9   wants at most slice_max, which is 8",
            "config.slice_min   got 9   wants at most 6 (2 x deadband_shares), or one fill jumps over the band and we "
            "trade back and forth",
        ]

    def test_whoever_follows_himself_is_told(self):
        config = {"target_address": "0xAB", "my_address": "0xab"}
        assert said(document(config=config))[0].startswith("config.target_address   got ")

    def test_a_secret_is_refused_without_showing_it(self):
        secret = "5e" * 32
        for config in ({"private_key": "hush"}, {"note": secret}, {"state_path": secret}):
            text = "\n".join(said(document(config=config)))
            assert "(not shown)" in text
            assert "5e5e" not in text
            assert "hush" not in text


# where -> what is put there, and the lines that are said.
MALFORMED: list[tuple[Any, list[str]]] = [
    ([], ["document   got a list   wants an object"]),
    (5, ["document   got 5   wants an object"]),
    (None, ["document   got null   wants an object"]),
    ({"snapshot": None}, ["snapshot   got null   wants an object"]),
    ({"version": 2, "snapshot": document()}, ["version   got 2   wants 1: no other version is known"]),
    ({"snapshot": document(cash=-1)}, ["snapshot.cash   got -1   wants a number, at least 0"]),
    (document(version=2), ["version   got 2   wants 1: no other version is known"]),
    (document(version=True), ["version   got true   wants 1: no other version is known"]),
    (document(now=-1), ["now   got -1   wants a number, at least 0"]),
    (document(csah=5), ["csah   unknown key; did you mean cash?"]),
    (document(cash=float("nan")), ["cash   got NaN   wants a number, at least 0"]),
    (document(cash="Infinity"), ['cash   got "Infinity"   wants a number, at least 0']),
    (document(cash="1e400"), ['cash   got "1e400"   wants a number below 10^15 with at most 60 decimals']),
    (document(stopped=1), ["stopped   got 1   wants true or false"]),
    (document(today=[]), ["today   got a list   wants an object"]),
    (document(today={"spent": -1}), ["today.spent   got -1   wants a number, at least 0"]),
    (document(today={"result": "NaN", "lost": 1}), [
        "today.lost   unknown key",
        'today.result   got "NaN"   wants a number',
    ]),
    (document(orders_ok="yes"), ['orders_ok   got "yes"   wants true or false']),
    (document(target={"ok": 1, "positions": []}), ["target.ok   got 1   wants true or false"]),
    (document(mine={"positions": {}}), ["mine.positions   got an object   wants a list"]),
    (document(mine={"positions": [[]]}), ["mine.positions[0]   got a list   wants an object"]),
    (document(mine={"position": []}), ["mine.position   unknown key; did you mean positions?"]),
    # -- positions
    (
        document(mine=rows({"token_key": "0xc1:0", "size": "-0.01"}, {"token_key": "0xc2:0", "size": True})),
        [
            'mine.positions[0].size   got "-0.01"   wants a number, at least 0',
            "mine.positions[1].size   got true   wants a number, at least 0",
        ],
    ),
    (document(mine=rows({"token_key": "0xc1:0"})), ["mine.positions[0].size   got nothing   wants a number"]),
    (
        document(mine=rows({"token_key": "0xc1:0", "size": 1, "avg_price": -1, "current_price": 1.5})),
        [
            "mine.positions[0].avg_price   got -1   wants a number, at least 0",
            "mine.positions[0].current_price   got 1.5   wants a number from 0 to 1",
        ],
    ),
    (
        document(mine=rows({"token_key": "0xc1:0", "size": 1, "redeemable": "no", "title": 5, "sizes": 1})),
        [
            "mine.positions[0].sizes   unknown key; did you mean size?",
            'mine.positions[0].redeemable   got "no"   wants true or false',
            "mine.positions[0].title   got 5   wants a text",
        ],
    ),
    (
        document(mine=rows({"size": 1, "condition_id": "0xc1"})),
        [
            'mine.positions[0].token_key   got nothing   wants a token key, "{condition_id}:{outcome_index}", or a '
            "condition_id and an outcome_index beside"
        ],
    ),
    *(
        (
            document(mine=rows({"size": 1, "token_key": token_key})),
            [f'mine.positions[0].token_key   got "{token_key}"   wants a token key, "{{condition_id}}:{{outcome_ind'],
        )
        for token_key in ("0xc1", "0xc1:", ":0", "0xc1:00", "0xc1:-1", "0xc1:x", "0x c1:0", "")
    ),
    (
        document(mine=rows({"size": 1, "token_key": "0xc1:0", "condition_id": "0xc2", "outcome_index": 1})),
        [
            'mine.positions[0].condition_id   got "0xc2"   wants 0xc1, as in token_key',
            "mine.positions[0].outcome_index   got 1   wants 0, as in token_key",
        ],
    ),
    (
        document(mine=rows({"size": 1, "token_key": "0xc2:0"}, {"size": 2, "token_key": "0xC2:0"})),
        ["mine.positions[1].token_key   got 0xc2:0   wants each token key once; it stands at mine.positions[0]"],
    ),
    # -- token ids
    *(
        (
            document(mine=rows({"size": 1, "token_key": "0xc1:1", "token_id": token_id})),
            [
                f"mine.positions[0].token_id   got {json.dumps(token_id)[:59]}"
            ],
        )
        for token_id in ("0123", "0x1f", "-1", "1.0", "", " 1", 112)
    ),
    (
        document(mine=rows({"size": 1, "token_key": "0xc1:0", "token_id": "112"})),
        [
            'mine.positions[0].token_id   got "112"   wants 111, which is the token id of 0xc1:0 elsewhere in this '
            "document"
        ],
    ),
    (
        document(token_map={"0xc1:1": "111"}),
        ['target.positions[0].token_id   got "111"   wants another token id: this is the one of 0xc1:1'],
    ),
    (document(token_map={"0xc9:0": "1", "0xC9:0": "1"}), ['token_map.0xC9:0   got the same key as "0xc9:0"']),
    (document(token_map={"c9": "1"}), ['token_map.c9   got "c9"   wants a token key']),
    # -- books
    (
        document(books={"111": {"best_bid": 0, "best_ask": 1, "tick_size": "-0.01", "min_order_size": -5}}),
        [
            "books.111.best_bid   got 0   wants a number above 0 and below 1",
            "books.111.best_ask   got 1   wants a number above 0 and below 1",
            'books.111.tick_size   got "-0.01"   wants a number above 0 and below 1',
            "books.111.min_order_size   got -5   wants a number, at least 0",
        ],
    ),
    (
        document(books={"111": {"last_trade_price": 2}}),
        ["books.111.last_trade_price   got 2   wants a number from 0 to 1"],
    ),
    (document(books={"0x1": {}}), ['books.0x1   got "0x1"   wants a token id']),
    (document(books=[]), ["books   got a list   wants an object"]),
    # -- orders
    (
        document(open_orders={"111": [{**ORDER, "side": "buy", "price": 1, "size": 0, "matched": -1}]}),
        [
            'open_orders.111[0].side   got "buy"   wants "BUY" or "SELL"',
            "open_orders.111[0].price   got 1   wants a number above 0 and below 1",
            "open_orders.111[0].size   got 0   wants a number above 0",
            "open_orders.111[0].matched   got -1   wants a number, at least 0",
        ],
    ),
    (
        document(open_orders={"111": [{**ORDER, "price": 0, "matched": "10.01"}]}),
        [
            "open_orders.111[0].price   got 0   wants a number above 0 and below 1",
            'open_orders.111[0].matched   got "10.01"   wants at most the order\'s size, 10',
        ],
    ),
    (
        document(in_doubt={"111": [{}]}),
        [
            "in_doubt.111[0].order_id   got nothing   wants an order id",
            'in_doubt.111[0].side   got nothing   wants "BUY" or "SELL"',
            "in_doubt.111[0].price   got nothing   wants a number above 0 and below 1",
            "in_doubt.111[0].size   got nothing   wants a number above 0",
            "in_doubt.111[0].ts   got nothing   wants a number, at least 0",
        ],
    ),
    (document(open_orders={"111": [{**ORDER, "gone": True}]}), ["open_orders.111[0].gone   unknown key"]),
    (document(in_doubt={"111": [{**ORDER, "gone": "no"}]}), ['in_doubt.111[0].gone   got "no"   wants true or false']),
    (document(open_orders={"111": {}}), ["open_orders.111   got an object   wants a list"]),
    (
        document(open_orders={"111": [ORDER, ORDER]}),
        [
            'open_orders.111[1].order_id   got "0x1"   wants each order once; this one stands at open_orders.111[0]',
        ],
    ),
    (
        document(in_doubt={"111": [ORDER], "112": [ORDER]}),
        ['in_doubt.112[0].order_id   got "0x1"   wants each order once; this one stands at in_doubt.111[0]'],
    ),
    (
        document(open_orders={"111": [ORDER]}, in_doubt={"112": [ORDER]}),
        ['in_doubt.112[0].order_id   got "0x1"   wants each order once; this one stands at open_orders.111[0]'],
    ),
    (
        document(open_orders={"111": [ORDER]}, in_doubt={"111": [ORDER, ORDER]}),
        ['in_doubt.111[1].order_id   got "0x1"   wants each order once; this one stands at open_orders.111[0]'],
    ),
    (
        document(open_orders={"111": [ORDER]}, foreign_orders={"111": [ORDER]}),
        ['foreign_orders.111[0].order_id   got "0x1"   wants each order once; this one stands at open_orders.111[0]'],
    ),
    # -- what is remembered
    (
        document(ledgers={"0xc1:0": {"bought": -1, "final": 1, "boughts": 1}}),
        [
            "ledgers.0xc1:0.boughts   unknown key; did you mean bought?",
            "ledgers.0xc1:0.base   got nothing   wants a number, at least 0",
            "ledgers.0xc1:0.bought   got -1   wants a number, at least 0",
            "ledgers.0xc1:0.final   got 1   wants true or false",
        ],
    ),
    (document(witnesses={"0xc1:0": -1}), ["witnesses.0xc1:0   got -1   wants a number, at least 0"]),
    (document(witnesses={"0xc1:0": 1, "0xC1:0": 1}), ['witnesses.0xC1:0   got the same key as "0xc1:0"']),
    (document(holds={"0xc1:0": "soon"}), ['holds.0xc1:0   got "soon"   wants a number, at least 0']),
    (document(target_history={}), ["target_history   got an object   wants a list"]),
    (document(target_history=[None]), ["target_history[0]   got null   wants an object"]),
    (document(target_history=[{}, {"0xc1:0": -5}]), ["target_history[1].0xc1:0   got -5   wants a number, at least 0"]),
    # -- config
    (document(config=[]), ["config   got a list   wants an object"]),
    (document(config={"slize_max": 3}), ["config.slize_max   unknown key; did you mean slice_max?"]),
    (
        document(config={"blacklist_token_keys": ["0xc1:0", "0xC1:0", "0xc1", 5]}),
        [
            'config.blacklist_token_keys[1]   got "0xC1:0"   wants each token key once; it stands at '
            "config.blacklist_token_keys[0]",
            'config.blacklist_token_keys[2]   got "0xc1"   wants a token key',
            "config.blacklist_token_keys[3]   got 5   wants a token key",
        ],
    ),
    (document(config={"manage_holdings": "none"}), ['config.manage_holdings   got "none"   wants "all" or "copied"']),
    (document(config={"polls_to_grow": 1.5}), ["config.polls_to_grow   got 1.5   wants a whole number from 1 to 1000"]),
]  # fmt: skip


class TestMalformed:
    """DESIGN 8: the paths in the document that are wrong, and what each wants, one a line."""

    @pytest.mark.parametrize(("whole", "lines"), MALFORMED)
    def test_is_told_where_and_what_is_wanted(self, whole, lines):
        found = said(whole)
        assert len(found) == len(lines), found
        for line, wanted in zip(found, lines, strict=True):
            assert line.startswith(wanted)

    def test_a_key_that_stands_twice(self):
        raw = b'{"now": 1, "target": {"positions": []}, "mine": {"positions": []}, "cash": 1, "cash": 2}'
        with pytest.raises(BadInput, match="cash   got this key more than once   wants each key once"):
            decode_snapshot(raw)
        twice = b'{"now": 1, "target": {"positions": []}, "mine": {"positions": []}, "books": {"1": {}, "1": {}}}'
        with pytest.raises(BadInput, match=r"books\.1   got this key more than once"):
            decode_snapshot(twice)

    def test_faults_of_all_parts_come_at_once(self):
        whole = document(now="soon", cash=-1, books={"x": {"best_bid": 2}}, mine={"positions": [{"size": -1}]})
        assert [line.split("   ")[0] for line in said(whole)] == [
            "now", "mine.positions[0].token_key", "mine.positions[0].size", "books.x", "books.x.best_bid", "cash",
        ]  # fmt: skip

    def test_the_error_names_the_document(self):
        with pytest.raises(BadInput, match=r"^facts.json: 1 fault, nothing was decided\n  cash "):
            decode_snapshot(json.dumps(document(cash=-1)).encode(), source="facts.json")


class TestOddButNotMalformed:
    @pytest.mark.parametrize(
        "row",
        [
            {"size": 0},
            {"size": 1, "title": ""},
            {"size": 1, "title": None, "slug": None},
            {"size": 1, "avg_price": 0},
            {"size": 1, "avg_price": 1.2},
            {"size": "0.000001", "current_price": 1},
            {"size": 1, "end_date": "whenever", "title": "\u001b[2J"},
        ],
    )
    def test_rows(self, row):
        assert len(read(mine=rows({"token_key": "0xc2:0", **row})).mine.positions) == 1

    def test_a_crossed_book_is_a_fact(self):
        book = read(books={"111": {"best_bid": 0.7, "best_ask": 0.6, "last_trade_price": 0}}).books["111"]
        assert book == Book(best_bid=D("0.7"), best_ask=D("0.6"), last_trade_price=D(0))


class TestRoundTrip:
    """What was decided can be decided again: nothing is lost between a snapshot and its document."""

    @given(snapshot=snapshots())
    def test_decode_gives_what_encode_was_given(self, snapshot):
        assert decode_snapshot(encode_snapshot(snapshot)) == snapshot

    @given(snapshot=snapshots())
    def test_a_journal_line_gives_the_very_same_plan(self, snapshot):
        decided = plan(snapshot)
        line = encode_journal_line(snapshot, decided, [{"took": D("0.10")}], {"cycle": 7})
        assert b"\n" not in line
        again = plan(decode_snapshot(line))
        assert again.actions == decided.actions
        assert encode_plan(again) == encode_plan(decided)
        assert json.loads(line)["plan"] == json.loads(encode_plan(decided))

    @given(snapshot=snapshots())
    def test_no_number_has_an_exponent_or_is_a_text(self, snapshot):
        numbers: list[str] = []
        json.loads(encode_snapshot(snapshot), parse_float=numbers.append, parse_int=numbers.append)
        assert [number for number in numbers if "e" in number.lower()] == []
        assert str(int(snapshot.now)) in numbers

    def test_odd_numbers_keep_every_digit(self):
        policy = Policy(max_notional_total=D("1E+9"), max_price_deviation=D("1E-60"))
        snapshot = Snapshot(now=D("1.766E+9"), policy=policy, cash=D("123456789012345.000000000000000000000000000001"))
        raw = encode_snapshot(snapshot)
        assert b'"now":1766000000,' in raw
        assert b'"cash":123456789012345.000000000000000000000000000001,' in raw
        assert decode_snapshot(raw) == snapshot


class TestPlanAsJson:
    def test_has_the_settled_form(self):
        decided = Plan(
            mode=Mode.NORMAL,
            actions=(
                Cancel(token_key=None, token_id="999", order_id="0x9", reason=CancelReason.EXPIRED),
                Place(
                    token_key="0xc1:0",
                    token_id="111",
                    side=Side.BUY,
                    price=D("0.610"),
                    size=D("20.00"),
                    tick_size=D("0.01"),
                ),
            ),
            decisions=(
                Decision(
                    token_key=None,
                    token_id="999",
                    want_lo=D(0),
                    want_hi=D("-0.00"),
                    desired=D("1E+2"),
                    lo=D("0.10"),
                    hi=D("1E-7"),
                    delta=D("-12.5"),
                    ref_price=None,
                    reason=Reason.UNRESOLVED,
                    warning="not part of the form",
                ),
            ),
        )
        assert encode_plan(decided).decode() == (
            '{"mode":"normal","actions":['
            '{"type":"cancel","order_id":"0x9","token_id":"999","reason":"EXPIRED"},'
            '{"type":"place","token_id":"111","token_key":"0xc1:0","side":"BUY","price":0.61,"size":20}],'
            '"decisions":[{"token_key":null,"token_id":"999","want_lo":0,"want_hi":0,"desired":100,"lo":0.1,'
            '"hi":0.0000001,"delta":-12.5,"ref_price":null,"reason":"UNRESOLVED"}]}'
        )

    def test_a_journal_line_is_written_whatever_the_exchange_said(self):
        line = encode_journal_line(Snapshot(now=D(1)), plan(Snapshot(now=D(1))), [{"words": "half \ud800 \n\x1b"}])
        assert json.loads(line)["results"] == [{"words": "half ? \n\x1b"}]

    def test_a_float_is_our_own_mistake(self):
        with pytest.raises(TypeError, match="float has no exact form"):
            encode_journal_line(Snapshot(now=D(1)), plan(Snapshot(now=D(1))), [0.1])


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None, True, False, 0, -1, 1, "0.5", 1e308, float("nan"), float("inf"), 10**30, "1e999999999", "", "x", "0xc1:0",
        "111", "\u0000", "\ud800", "\u202e", [], {}, [[]], {"": {}}, [None], {"0xC1:0": 1, "0xc1:0": 1}, "9" * 100,
    ]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """A real document in which some places hold something else, are gone, or stand under another name."""
    whole = json.loads(encode_snapshot(draw(snapshots())))
    for _ in range(draw(st.integers(1, 4))):
        place: Any = whole
        while True:
            if not place or not isinstance(place, dict | list):
                break
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 5)):
                place = place[key]
                continue
            what = draw(st.sampled_from(["replace", "remove", "rename", "copy"]))
            if what == "replace":
                place[key] = draw(JUNK)
            elif what == "remove":
                del place[key]
            elif isinstance(place, list):
                place.append(deepcopy(place[key]))
            elif what == "rename":
                place[draw(st.sampled_from([key.upper(), f"{key}s", "\x1b", *TOKENS]))] = place.pop(key)
            else:
                place[key.upper()] = deepcopy(place[key])
            break
    return whole


def check_faults(refusal: BadInput) -> None:
    lines = str(refusal).split("\n")
    assert len(lines) == 1 + len(refusal.faults) >= 2
    assert all(line.isprintable() for line in lines)


class TestAnyDocument:
    """Whatever stands in it, the answer is a plan or a list of faults, soon."""

    @given(whole=mutated())
    def test_is_decided_or_refused_with_paths(self, whole):
        try:
            snapshot = decoded(whole, now=D(1766000000))
        except BadInput as refusal:
            check_faults(refusal)
        else:
            assert decode_snapshot(encode_snapshot(snapshot)) == snapshot
            encode_plan(plan(snapshot))

    @given(whole=st.recursive(JUNK, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(
        ["target", "mine", "positions", "config", "snapshot", "books", "0xc1:0", "111", "in_doubt", "token_map"]), inner
    ), max_leaves=20))  # fmt: skip
    def test_however_wild(self, whole):
        with suppress(BadInput):
            encode_plan(plan(decoded(whole, now=D(1))))

    @pytest.mark.parametrize("open_bracket", [b"[", b'{"target":', b'{"mine":{"positions":['])
    def test_however_deep(self, open_bracket):
        for depth in (10, 400, 900, 50_000):
            with pytest.raises(BadInput):
                decode_snapshot(open_bracket * depth)
            close = {b"[": b"]", b'{"target":': b"}"}.get(open_bracket, b"]}}")
            with pytest.raises(BadInput):
                decode_snapshot(open_bracket * depth + b"1" + close * depth)

    def test_however_big_its_numbers(self):
        big = "999999999999999"
        snapshot = read(
            config={"follow_ratio": big, "max_notional_total": big, "max_notional_per_token": big, "slice_max": big},
            target=rows({"token_key": "0xc1:0", "size": big, "token_id": "111", "avg_price": big}),
            books={"111": {"best_bid": "0." + "0" * 59 + "1", "best_ask": "0." + "9" * 60}},
            cash=big,
        )
        assert b"E" not in encode_plan(plan(snapshot)).split(b'"reason"')[0].replace(b"BUY", b"")
