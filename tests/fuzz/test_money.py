"""One thing wrong in a good answer never becomes other money: it is refused, or told as incomplete, or exactly read.

A row is damaged where its money stands: its size, its price, its id, its side. What is asked is not only that the
damaged row does not count, but that no decision could be made as if it had not been there, and that no other row is
any different.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.adapters.clob import decoding
from copytrade.adapters.data_api import _V1, _V2, Names, Page, parse_row
from copytrade.adapters.http import decode
from copytrade.adapters.resolver import judge, parse_gamma
from copytrade.adapters.tapes import history
from copytrade.adapters.token_ids import ctf_token_id
from copytrade.app.state import StateBroken
from copytrade.domain.model import Position
from copytrade.errors import BadAnswer
from tests.adapters.clob.samples import CTF, ELSE, LEG, ME, OTHER_LEG, TRADE
from tests.fuzz.decoders import OF_ANSWERS, OF_FILES, positions_of
from tests.fuzz.test_decoders import samples

D = Decimal
# Nobody writes numbers so. Some readers refuse them, msgspec takes them for what they say.
ODDLY_SPELT = ("\u0661", "1_0")
# What no size, price or balance can be, whoever writes it.
IMPOSSIBLE: list[object] = [
    None, True, False, -1, "-1", -0.01, "NaN", "Infinity", "-Infinity", "", " ", "1,5", "0x10", "much", *ODDLY_SPELT,
    [], {}, ["1"], "1e999999999",
]  # fmt: skip
impossible = st.sampled_from(IMPOSSIBLE)


def raw(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.fixture(params=["positions, version 2", "positions, version 1"], scope="module")
def feed(request):
    """(the rows of each sample, how a list of rows is read, the names of its fields)"""
    version = 2 if request.param.endswith("2") else 1
    documents = samples(OF_ANSWERS[request.param])
    lists = [one["data"] if isinstance(one, dict) else one for one in documents]
    return lists, lambda rows: positions_of([Page(rows=tuple(rows))], version=version), _V2 if version == 2 else _V1


def can_be_read(row: object, names: Names) -> bool:
    try:
        parse_row(row, names)
    except BadAnswer:
        return False
    return True


class TestPositions:
    """Size decides what is wanted and held: an answer with one that cannot be is incomplete, which is safe mode."""

    def rows_of(self, lists: list[list[dict[str, Any]]], names: Names, data: st.DataObject) -> list[dict[str, Any]]:
        """The good rows of one of the samples, as the wire would have them: with exact numbers."""
        rows: list[dict[str, Any]] = decode(raw(data.draw(st.sampled_from(lists))))
        return [row for row in rows if can_be_read(row, names)]

    @given(data=st.data())
    def test_a_size_that_cannot_be(self, feed, data):
        lists, read, names = feed
        rows = self.rows_of(lists, names, data)
        at = data.draw(st.integers(0, len(rows) - 1))
        damaged = [*rows[:at], {**rows[at], names.size: data.draw(impossible)}, *rows[at + 1 :]]
        answer, good = read(damaged), read(rows)
        assert not answer.complete
        lost = parse_row(rows[at], names).token_key
        assert answer.positions == tuple(one for one in good.positions if one.token_key != lost)

    @given(data=st.data())
    def test_a_row_that_comes_twice(self, feed, data):
        """The list moved while it was read: which of the two is true, nobody can tell."""
        lists, read, names = feed
        rows = self.rows_of(lists, names, data)
        again = {**data.draw(st.sampled_from(rows)), names.size: data.draw(st.sampled_from([0, 1, D("3.5")]))}
        assert not read([*rows, again]).complete

    @given(data=st.data())
    def test_a_row_whose_id_or_index_was_exchanged(self, feed, data):
        """Never another token's shares: it is left out and told, or under its own token as before, or without any."""
        lists, read, names = feed
        rows = self.rows_of(lists, names, data)
        at = data.draw(st.integers(0, len(rows) - 1))
        field = data.draw(st.sampled_from([names.condition_id, names.outcome_index, names.token_id]))
        odd = data.draw(st.sampled_from([None, 999, -1, 0, 1, 7, "", "0", "0x1", "1" * 78, [], {}, True]))
        answer = read([*rows[:at], {**rows[at], field: odd}, *rows[at + 1 :]])
        sizes = {(one.token_key, one.size) for one in read(rows).positions}
        for one in answer.positions:
            # What says that it is another market's is without an id until a market is found that has it (resolver).
            assert (one.token_key, one.size) in sizes or one.token_id is None
        assert len(answer.positions) == len(sizes) or not answer.complete


class TestBooks:
    """A level that cannot be spoils the book, not the price: no book is no order."""

    @given(data=st.data())
    def test_a_level_that_cannot_be(self, data):
        (row,) = data.draw(st.sampled_from(samples(OF_ANSWERS["books"])))
        row = {**row, "asset_id": CTF, "neg_risk": row.get("neg_risk", False)}
        side = data.draw(st.sampled_from([side for side in ("bids", "asks") if row[side]]))
        at = data.draw(st.integers(0, len(row[side]) - 1))
        field = data.draw(st.sampled_from(["price", "size"]))
        level = {**row[side][at], field: data.draw(impossible.filter(lambda odd: odd not in ODDLY_SPELT))}
        damaged = {**row, side: [*row[side][:at], level, *row[side][at + 1 :]]}
        found, odd = decoding.books(raw([damaged, {**row, "asset_id": "5"}]), [CTF, "5"])
        whole, _ = decoding.books(raw([row, {**row, "asset_id": "5"}]), [CTF, "5"])
        assert found == {"5": whole["5"]}
        assert len(odd) == 1

    @given(data=st.data(), field=st.sampled_from(["bids", "asks", "neg_risk", "asset_id"]))
    def test_a_book_without_what_it_needs(self, data, field):
        (row,) = data.draw(st.sampled_from(samples(OF_ANSWERS["books"])))
        row = {**row, "asset_id": CTF, "neg_risk": False}
        found, odd = decoding.books(raw([{key: value for key, value in row.items() if key != field}]), [CTF])
        assert not found
        assert odd


class TestOpenOrders:
    """One row that cannot be read makes the listing unreadable: an order of ours must not seem to be gone."""

    @given(data=st.data())
    def test_a_field_that_cannot_be(self, data):
        page = data.draw(st.sampled_from(samples(OF_ANSWERS["open orders"])))
        field = data.draw(st.sampled_from(["id", "asset_id", "side", "price", "original_size", "size_matched"]))
        odd = data.draw(impossible if field not in ("id", "asset_id") else st.sampled_from([None, True, 7, "", [], {}]))
        at = data.draw(st.integers(0, len(page["data"]) - 1))
        rows = [{**row, field: odd} if place == at else row for place, row in enumerate(page["data"])]
        with pytest.raises(BadAnswer):
            OF_ANSWERS["open orders"].read(raw({**page, "data": rows}))

    @given(data=st.data())
    def test_a_field_that_is_not_there(self, data):
        page = data.draw(st.sampled_from(samples(OF_ANSWERS["open orders"])))
        field = data.draw(st.sampled_from(["id", "asset_id", "side", "price", "original_size", "size_matched"]))
        rows = [{key: value for key, value in row.items() if key != field} for row in page["data"]]
        with pytest.raises(BadAnswer):
            OF_ANSWERS["open orders"].read(raw({**page, "data": rows}))


class TestTrades:
    """Our leg is read exactly or the answer is refused; what others did in the same trade changes nothing of it."""

    @given(field=st.sampled_from(["matched_amount", "price", "order_id", "asset_id", "side"]), odd=impossible)
    def test_our_leg_with_a_field_that_cannot_be(self, field, odd):
        if field == "side" and not odd:
            return  # then the taker's side tells it
        if field in ("order_id", "asset_id") and isinstance(odd, str) and odd:
            return  # a text is a text
        trade = {**TRADE, "maker_orders": [OTHER_LEG, {**LEG, field: odd}]}
        with pytest.raises(BadAnswer):
            decoding.fills(decode(raw(trade)), ME)

    @given(
        others=st.lists(
            st.fixed_dictionaries(
                {"maker_address": st.just(ELSE), "owner": st.sampled_from(["their-key", None, ""])},
                optional=dict.fromkeys(("order_id", "matched_amount", "price", "side", "asset_id"), impossible),
            ),
            max_size=4,
        ),
        at=st.integers(0, 4),
    )
    def test_whatever_stands_in_the_legs_of_others(self, others, at):
        legs = [*others[:at], LEG, *others[at:]]
        alone = decoding.fills(decode(raw({**TRADE, "maker_orders": [LEG]})), ME)
        assert decoding.fills(decode(raw({**TRADE, "maker_orders": legs})), ME) == alone

    @given(field=st.sampled_from(["status", "match_time", "id", "maker_orders"]), odd=impossible)
    def test_a_trade_with_a_field_that_cannot_be(self, field, odd):
        if field in ("id", "status") and isinstance(odd, str) and odd:
            return
        if (field, odd) == ("maker_orders", []):
            return  # none of ours in it: nothing of ours is told, and the account logs that
        try:
            fills = decoding.fills(decode(raw({**TRADE, field: odd})), ME)
        except BadAnswer:
            return
        assert field == "match_time", (field, odd)
        assert [(fill.size, fill.price) for fill in fills] == [(D("8.29"), D("0.61"))]


class TestBalances:
    @given(odd=st.one_of(impossible, st.sampled_from([1.5, "250.5", "1e6", "+5", "5 "])))
    def test_one_that_cannot_be(self, odd):
        with pytest.raises(BadAnswer):
            decoding.balance(raw({"balance": odd}))

    @given(units=st.integers(0, 10**15), quoted=st.booleans())
    def test_one_that_can(self, units, quoted):
        assert decoding.balance(raw({"balance": str(units) if quoted else units})) == D(units) / 10**6


class TestMarkets:
    """An id is only ever signed where it computes to this very outcome, whatever Gamma says."""

    @given(data=st.data(), index=st.integers(0, 1))
    def test_ids_that_were_exchanged_or_swapped(self, data, index):
        markets = [
            market for market in data.draw(st.sampled_from(samples(OF_ANSWERS["Gamma"]))) if parse_gamma(raw([market]))
        ]
        market, other = data.draw(st.sampled_from(markets)), data.draw(st.sampled_from(markets))
        ids = json.loads(market["clobTokenIds"])
        swapped = data.draw(st.sampled_from([ids[::-1], ids[:1], [*ids, *ids], json.loads(other["clobTokenIds"])]))
        found = parse_gamma(raw([{**market, "clobTokenIds": json.dumps(swapped)}]))
        condition_id = market["conditionId"].lower()
        position = Position(
            token_key=f"{condition_id}:{index}", condition_id=condition_id, outcome_index=index, size=D(1)
        )
        token_id, words = judge(position, found[condition_id]) if condition_id in found else (None, "left out")
        true_ids = {ctf_token_id(condition_id, index, neg_risk=neg_risk) for neg_risk in (True, False)}
        assert token_id in true_ids or (token_id is None and words)


class TestActivity:
    """A leader's past: a row that cannot be read stops the reading, since what follows would be summed up wrongly."""

    @pytest.mark.parametrize("name", ["activity, version 2", "activity, version 1"])
    @given(data=st.data())
    def test_a_field_that_cannot_be(self, name, data):
        document = data.draw(st.sampled_from(samples(OF_ANSWERS[name])))
        rows = document["data"] if isinstance(document, dict) else document
        field = data.draw(st.sampled_from(["size", "price", "timestamp"]))
        odd = data.draw(impossible.filter(lambda value: value is not None))
        at = data.draw(st.integers(0, len(rows) - 1))
        damaged = [{**row, field: odd} if place == at else row for place, row in enumerate(rows)]
        with pytest.raises(BadAnswer):
            OF_ANSWERS[name].read(raw({**document, "data": damaged} if isinstance(document, dict) else damaged))

    @given(odd=impossible, field=st.sampled_from(["t", "p"]))
    def test_a_price_that_cannot_be(self, odd, field):
        """It is refused, or no price: what is out of [0, 1] is left out."""
        row = {"t": 1766000000, "p": 0.5, field: odd}
        try:
            found = history.parse_prices(raw({"history": [row]}))
        except BadAnswer:
            return
        assert all(0 <= price <= 1 and at.is_finite() for at, price in found)


class TestOurOwnState:
    """A state with a number that cannot be is broken: then the backup and the exchange's listing decide (DESIGN 6)."""

    @given(odd=impossible, data=st.data())
    def test_a_number_that_cannot_be(self, odd, data):
        state = json.loads(raw(OF_FILES["state"].own))
        (order,) = state["open_orders"]["111"]
        (base,) = state["ledgers"].values()
        places: list[tuple[dict[str, Any], str]] = [
            *((order, name) for name in ("price", "size", "matched", "ts", "expiration", "confirmed")),
            *((base, name) for name in ("base", "moved_at")),
            (state, "follow_ratio"), (state, "last_sync_ts"), (state["target_polls"][0], "0xc1:0"),
            (state["holds"]["0xc2:0"], "until"), (state["recovery"], "started_at"),
        ]  # fmt: skip
        holder, name = data.draw(st.sampled_from(places))
        holder[name] = odd
        if odd in ODDLY_SPELT:
            return
        with pytest.raises(StateBroken):
            OF_FILES["state"].read(raw(state))

    def test_the_same_order_twice(self):
        state = json.loads(raw(OF_FILES["state"].own))
        state["in_doubt"] = state["open_orders"]
        with pytest.raises(StateBroken, match="two places"):
            OF_FILES["state"].read(raw(state))
