"""What the exchange answers, in every form that it is known in: exact records, or a BadAnswer."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade.adapters.clob import decoding
from copytrade.adapters.http import decode
from copytrade.app.ports import FullBook, Level, LookUp, OrderFate, TradeStatus
from copytrade.domain.model import Side
from copytrade.errors import BadAnswer
from tests.adapters.clob.samples import (
    AS_TAKER,
    BOOK,
    CREDENTIALS,
    CTF,
    ID,
    ME,
    ORDER,
    TRADE,
    V2_BINARY,
    V2_NEG_RISK,
    raw,
    without,
)
from tests.adapters.mutations import mutated_json

D = Decimal
# -- books ------------------------------------------------------------------------------------------------------------

READ = FullBook(
    token_id=CTF,
    bids=(Level(price=D("0.45"), size=D(100)), Level(price=D("0.46"), size=D("8.29"))),
    asks=(Level(price=D("0.52"), size=D("0.01")),),
    tick_size=D("0.01"),
    min_order_size=D(5),
    neg_risk=True,
    last_trade_price=D("0.455"),
)


class TestABook:
    """STYLE: an empty side is a fact about the market, a missing side is no book."""

    def test_is_read_exactly(self):
        assert decoding.books(raw([BOOK]), [CTF]) == ({CTF: READ}, [])

    def test_numbers_may_be_numbers(self):
        text = raw([BOOK]).replace(b'"0.455"', b"0.455").replace(b'"8.29"', b"8.29").replace(b'"5"', b"5")
        assert decoding.books(text, [CTF]) == ({CTF: READ}, [])

    @pytest.mark.parametrize("key", ["tick_size", "min_order_size", "last_trade_price"])
    @pytest.mark.parametrize("left_out", [None, "", "missing"])
    def test_what_only_refines_may_be_missing(self, key, left_out):
        row = without(BOOK, key) if left_out == "missing" else {**BOOK, key: left_out}
        assert getattr(decoding.book(row), key) is None

    @pytest.mark.parametrize("side", ["bids", "asks"])
    @pytest.mark.parametrize("empty", [[], None, [{"price": "0.5", "size": "0"}]])
    def test_a_side_may_be_empty(self, side, empty):
        assert getattr(decoding.book({**BOOK, side: empty}), side) == ()

    @pytest.mark.parametrize(
        "odd",
        [
            {"bids": [{"price": "0", "size": "5"}]},
            {"bids": [{"price": "1", "size": "5"}]},
            {"bids": [{"price": "0.5", "size": "-5"}]},
            {"bids": [{"price": "NaN", "size": "5"}]},
            {"bids": [{"price": "0.5"}]},
            {"bids": [{"price": True, "size": "5"}]},
            {"asks": [{"price": "0.5", "size": "1e999999999"}]},
            {"asks": "none"},
            {"asks": [["0.5", "5"]]},
            {"tick_size": "0"},
            {"tick_size": "1"},
            {"min_order_size": "-1"},
            {"neg_risk": None},
            {"neg_risk": "false"},
            {"asset_id": 5},
        ],
        ids=str,
    )
    def test_an_odd_one_is_left_out_and_spoils_no_other(self, odd):
        other = {**BOOK, "asset_id": V2_BINARY}
        found, why = decoding.books(raw([{**BOOK, **odd}, other]), [CTF, V2_BINARY])
        assert set(found) == {V2_BINARY}
        assert len(why) == 1

    @pytest.mark.parametrize("side", ["bids", "asks", "neg_risk"])
    def test_and_so_is_one_that_lacks(self, side):
        assert decoding.books(raw([without(BOOK, side)]), [CTF])[0] == {}

    def test_a_v2_id_says_by_itself_whether_it_is_neg_risk(self):
        assert not decoding.book({**without(BOOK, "neg_risk"), "asset_id": V2_BINARY}).neg_risk
        assert decoding.book({**without(BOOK, "neg_risk"), "asset_id": V2_NEG_RISK}).neg_risk

    def test_one_that_was_not_asked_for_is_left_out(self):
        found, why = decoding.books(raw([BOOK]), [V2_BINARY])
        assert found == {}
        assert why == ["[0]: a token that was not asked for"]

    @pytest.mark.parametrize("answer", [{}, {"error": "Invalid payload"}, "books", 5])
    def test_an_answer_that_is_no_list_is_no_answer(self, answer):
        with pytest.raises(BadAnswer):
            decoding.books(raw(answer), [CTF])


@pytest.mark.parametrize(
    "answer",
    [b"1703875200", b'"1703875200"', b"1703875200000", b'{"time": 1703875200}', b'{"timestamp": "1703875200"}'],
)
def test_the_exchanges_clock_is_read_in_every_form(answer):
    assert decoding.server_time(answer) == 1703875200


@pytest.mark.parametrize("answer", [b"", b"null", b"{}", b"0", b"-5", b"true", b'"soon"', b"[1703875200]"])
def test_and_anything_else_is_no_time(answer):
    with pytest.raises(BadAnswer):
        decoding.server_time(answer)


# -- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (1766000000, "1766000000"),
        ("1766000000", "1766000000"),
        (1766000000123, "1766000000.123"),
        ("1766000000123", "1766000000.123"),
        (1766000000123456, "1766000000.123456"),
        (D("1766000000.5"), "1766000000.5"),
        ("2025-12-17T19:33:20Z", "1766000000"),
        ("2025-12-17T19:33:20.250Z", "1766000000.25"),
        ("2025-12-17T20:33:20+01:00", "1766000000"),
        ("2025-12-17T19:33:20", "1766000000"),  # without a zone it is UTC
        ("2025-12-17 19:33:20.000001", "1766000000.000001"),
    ],
)
def test_a_time_is_read_in_every_form(written, seconds):
    assert decoding.moment(written, "at") == D(seconds)


@pytest.mark.parametrize(
    "written", [None, "", "soon", True, -1, "-1", "1e99", "NaN", "1969-12-31T23:59:59Z", "2025-13-01", [], {}]
)
def test_and_what_is_none_is_refused(written):
    with pytest.raises(BadAnswer):
        decoding.moment(written, "at")


# -- money and keys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("balance", "wanted"),
    [
        ("0", "0"),
        ("1", "0.000001"),
        ("12345678", "12.345678"),
        (12345678, "12.345678"),
        ("9007199254740993", "9007199254.740993"),  # a float would lose the last digit
        (str(2**256 - 1), f"{2**256 - 1}E-6"),
    ],
)
def test_a_balance_is_exact(balance, wanted):
    assert decoding.balance(raw({"balance": balance, "allowances": {}})) == D(wanted)


@pytest.mark.parametrize("balance", ["", None, "250.500000", "-1", -1, 1.5, True, "1e6", "0x10", " 1", [], "nan"])
def test_and_a_balance_in_any_other_form_is_refused(balance):
    with pytest.raises(BadAnswer):
        decoding.balance(raw({"balance": balance}))


def test_credentials_are_there_or_not():
    found = decoding.credentials(raw(CREDENTIALS))
    assert found is not None
    assert (found.key, found.secret, found.passphrase) == tuple(CREDENTIALS.values())
    for nothing in (b"", b"null", b"{}", b'{"apiKey": ""}', b'{"apiKey": null}'):
        assert decoding.credentials(nothing) is None


@pytest.mark.parametrize("odd", [{"secret": "not base64!"}, {"secret": None}, {"passphrase": 5}, {"apiKey": 5}])
def test_half_of_them_are_refused_and_not_shown(odd):
    with pytest.raises(BadAnswer) as refused:
        decoding.credentials(raw({**CREDENTIALS, **odd}))
    assert not any(value in str(refused.value) for value in CREDENTIALS.values())


# -- what others recorded ---------------------------------------------------------------------------------------------


class TestRecordedAnswers:
    """Hand-made shapes in recorded/, a real answer in real/ (see their READMEs)."""

    def rows(self, shared, name):
        return json.loads(shared(f"recorded/{name}").read_bytes())

    def test_a_real_book(self, shared):
        text = shared("real/nexiumito-polycopy/clob_orderbook_sample.json").read_bytes()
        book = decoding.book(decoding.a_row(decode(text), "the book"))
        assert max(level.price for level in book.bids) == D("0.001")
        assert min(level.price for level in book.asks) == D("0.002")
        assert book.bids[0].size == D("15869947.58")
        assert (book.tick_size, book.min_order_size, book.neg_risk) == (D("0.001"), D(5), True)
        assert book.last_trade_price == D("0.001")

    def test_a_book_without_the_current_fields(self, shared):
        row = self.rows(shared, "clob_book_response.json")
        with pytest.raises(BadAnswer, match="neg_risk is missing"):
            decoding.book(row)
        book = decoding.book({**row, "neg_risk": False})
        assert max(level.price for level in book.bids) == D("0.50")
        assert min(level.price for level in book.asks) == D("0.51")
        assert (book.tick_size, book.min_order_size, book.last_trade_price) == (None, None, None)

    def test_orders(self, shared):
        page = decoding.page(shared("recorded/http_open_orders_page.json").read_bytes())
        orders = [decoding.open_order(row) for row in page.rows]
        assert page.next_cursor is None
        assert [(order.side, order.size, order.matched) for order in orders] == [
            (Side.BUY, D(200), D(0)),
            (Side.SELL, D(150), D(50)),
        ]
        row = self.rows(shared, "http_open_order.json")
        assert decoding.look_up(row["id"], raw(row)) == LookUp(order_id=row["id"], fate=OrderFate.LIVE, matched=D(25))

    def test_trades(self, shared):
        me = decoding.Me(wallet="0xF39FD6E51AAD88F6F4CE6AB8827279CFFFB92266", api_key="-")
        (fill,) = decoding.fills(self.rows(shared, "http_trade_report.json"), me)
        assert (fill.size, fill.price, fill.side, fill.maker) == (D(25), D("0.5"), Side.BUY, False)
        assert (fill.status, fill.ts) == (TradeStatus.CONFIRMED, D(1704067200))
        maker = decoding.Me(wallet="0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc", api_key="-")
        report = {**self.rows(shared, "http_trade_report.json"), "trader_side": "MAKER"}
        (fill,) = decoding.fills(report, maker)
        assert (fill.size, fill.side, fill.maker) == (D(5), Side.SELL, True)
        page = decoding.page(shared("recorded/http_trades_page.json").read_bytes())
        (fill,) = decoding.fills(page.rows[0], me)
        assert (fill.status, fill.size) == (TradeStatus.PENDING, D(10))

    def test_balances(self, shared):
        assert decoding.balance(shared("recorded/http_balance_allowance_collateral.json").read_bytes()) == 1000
        with pytest.raises(BadAnswer):  # either 250.5 or a millionth of it
            decoding.balance(shared("recorded/http_balance_allowance_no_allowance.json").read_bytes())


# -- anything at all --------------------------------------------------------------------------------------------------

READERS = {
    "books": ([BOOK, BOOK], lambda text: decoding.books(text, [CTF])),
    "time": ({"time": 1766000000}, decoding.server_time),
    "page": (
        {"data": [ORDER], "next_cursor": "LTE="},
        lambda text: [decoding.open_order(row) for row in decoding.page(text).rows],
    ),
    "order": (ORDER, lambda text: decoding.look_up(ID, text)),
    "trades": (
        {"data": [TRADE, {**TRADE, **AS_TAKER}], "next_cursor": "Mg=="},
        lambda text: [decoding.fills(row, ME) for row in decoding.page(text).rows],
    ),
    "balance": ({"balance": "12345678", "allowances": {"0xE1": "5"}}, decoding.balance),
    "credentials": (CREDENTIALS, decoding.credentials),
}


class TestWhateverIsAnswered:
    """Ports: a reader gives its record or raises BadAnswer and nothing else, and quotes nothing of the account."""

    @pytest.mark.parametrize("reader", READERS)
    @given(data=st.data())
    def test_answers_that_have_gone_wrong(self, reader, data):
        document, read = READERS[reader]
        text = data.draw(mutated_json(document))
        said = ""
        try:
            read(text)
        except BadAnswer as error:
            said = str(error)
        assert "our-key" not in said
        assert CREDENTIALS["secret"] not in said

    @pytest.mark.parametrize("reader", READERS)
    @pytest.mark.parametrize(
        "text",
        [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"[NaN]", b"-", b"<html>", b"1e99999999999999999999"],
        ids=lambda text: text[:8].decode("latin-1"),
    )
    def test_texts_that_are_no_answers(self, reader, text):
        with pytest.raises(BadAnswer):
            READERS[reader][1](text)


class TestTheQuickWayOfReadingBooks:
    """Straight into records, where the whole answer fits; whatever it gives, the plain way gives the same."""

    def told(self, reads):
        found = []
        for read in reads:
            try:
                found.append(read())
            except BadAnswer as error:
                found.append(str(error).partition(": a level of")[0])
        return found

    def test_is_taken_for_a_good_answer(self):
        assert [read() for read in decoding._typed(raw([BOOK]))] == [READ]

    @given(mutated_json([BOOK, {**BOOK, "asset_id": V2_BINARY}, without(BOOK, "neg_risk")]))
    @settings(max_examples=300)
    def test_gives_what_the_plain_way_gives(self, answer):
        try:
            quick = decoding._typed(answer)
        except (ValueError, RecursionError, ArithmeticError):
            return  # then the plain way is taken
        assert self.told(quick) == self.told(decoding._plain(answer))

    @pytest.mark.parametrize(
        ("level", "good"),
        [
            ({"price": "0.45", "size": "0"}, True),
            ({"price": "1E-40", "size": "1E-40"}, True),
            ({"price": "0.45", "size": "9E+40"}, True),
            ({"price": "9E-41", "size": "1"}, False),
            ({"price": "0", "size": "1"}, False),
            ({"price": "1", "size": "1"}, False),
            ({"price": "-0.1", "size": "1"}, False),
            ({"price": "0.45", "size": "-1"}, False),
            ({"price": "0.45", "size": "1E+41"}, False),
            ({"price": "0.45", "size": "9E-41"}, False),
            ({"price": "NaN", "size": "1"}, False),
            ({"price": "0.45", "size": "NaN"}, False),
            ({"price": "0.45", "size": "Infinity"}, False),
        ],
        ids=str,
    )
    def test_a_level_makes_sense_or_spoils_its_book_alone(self, level, good):
        answer = raw([{**BOOK, "bids": [level]}, {**BOOK, "asset_id": V2_BINARY}])
        found, odd = decoding.books(answer, [CTF, V2_BINARY])
        assert (CTF in found, V2_BINARY in found, len(odd)) == (good, True, 0 if good else 1)
