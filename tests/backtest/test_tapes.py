"""Tapes from outside: what is written is read again exactly, and what is wrong has one clear error with its place."""

from __future__ import annotations

import gzip
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from copytrade.adapters.tapes import open_tape, write_tape
from copytrade.app.backtest.engine import backtest
from copytrade.app.backtest.tape import Beat, BookSeen, LeaderHeld, PriceSeen, Resolved, Tape, TokenListed, Traded
from copytrade.errors import BadInput
from tests.backtest.histories import history

D = Decimal
HEADER = b'{"copytrade_tape": 1}\n'
TOKEN = b'{"type": "token", "at": 10, "token_key": "0xc1:0", "token_id": "111"}\n'


class TestTheFormat:
    """docs/backtest.md: one record a line, exact numbers, streamed, with a version."""

    @given(seed=st.integers(0, 10**6), packed=st.booleans())
    def test_what_is_written_is_read_again(self, tmp_path_factory, seed, packed):
        path = tmp_path_factory.mktemp("tapes") / ("tape.jsonl.gz" if packed else "tape.jsonl")
        tape = history(seed)
        count = write_tape(tape, path)
        again = open_tape(path)
        assert list(again.events()) == list(tape.events())
        assert count == len(list(tape.events()))
        assert (again.has_trades, again.name) == (tape.has_trades, tape.name)

    def test_a_tape_is_never_written_over(self, tmp_path):
        write_tape(history(1), tmp_path / "tape.jsonl")
        with pytest.raises(FileExistsError):
            write_tape(history(2), tmp_path / "tape.jsonl")

    def test_it_can_be_read_twice(self, tmp_path):
        write_tape(history(1), tmp_path / "tape.jsonl.gz")
        tape = open_tape(tmp_path / "tape.jsonl.gz")
        assert list(tape.events()) == list(tape.events())


def line(text: str) -> bytes:
    return text.encode() + b"\n"


BAD_LINES = [
    (line('{"type": "leader", "at": 9, "token_key": "0xc1:0", "size": 1}'), "line 3: time", "never go back"),
    (line('{"type": "beat", "at": 99999}'), "line 3: time", "no gap above 60 s"),
    (line('{"type": "leader", "at": 11, "token_key": "0xc9:0", "size": 1}'), "line 3: token_key", "listed before"),
    (line('{"type": "leader", "at": 11, "token_key": "0xc1:0", "size": -1}'), "line 3: size", "not negative"),
    (
        line('{"type": "book", "at": 11, "token_key": "0xc1:0", "bids": [[0.5, -3]], "asks": []}'),
        "line 3: bids size",
        "not negative",
    ),
    (
        line('{"type": "book", "at": 11, "token_key": "0xc1:0", "bids": [[0.4, 1], [0.5, 1]], "asks": []}'),
        "line 3: bids",
        "best level first",
    ),
    (
        line('{"type": "book", "at": 11, "token_key": "0xc1:0", "bids": [[1.5, 1]], "asks": []}'),
        "line 3: bids price",
        "inside",
    ),
    (line('{"type": "price", "at": 11, "token_key": "0xc1:0", "price": 1.01}'), "line 3: price", "from 0 to 1"),
    (line('{"type": "trade", "at": 11, "token_key": "0xc1:0", "price": 0.5, "size": -1}'), "line 3: size", "negative"),
    (line('{"type": "resolved", "at": 11, "token_key": "0xc1:0", "payout": 2}'), "line 3: payout", "from 0 to 1"),
    (line('{"type": "leader", "at": 11, "token_key": "0xc1:0"}'), "line 3", "size"),
    (line('{"type": "moon", "at": 11}'), "line 3", "moon"),
    (line('{"type": "beat", "at": 11, "speed": 3}'), "line 3", "speed"),
    (line('{"type": "token", "at": 11, "token_key": "0xc2:0", "token_id": "111"}'), "line 3: token_id", "0xc1:0"),
    (b'{"type": "beat", "at"', "line 3", "cut short"),
    (b'{"type": "beat", "at": 11}', "line 3", "cut short"),
]


class TestBadTapes:
    """Issue 6, It must show: one clear error with the place, exit code 2."""

    @pytest.mark.parametrize(("bad", "place", "words"), BAD_LINES)
    def test_the_line_is_named(self, tmp_path, bad, place, words):
        path = tmp_path / "tape.jsonl"
        path.write_bytes(b'{"copytrade_tape": 1, "max_gap_sec": 60}\n' + TOKEN + bad)
        with pytest.raises(BadInput) as raised:
            list(open_tape(path).events())
        assert len(raised.value.faults) == 1
        assert place in str(raised.value)
        assert words in str(raised.value)

    def test_a_truncated_gzip_file(self, tmp_path):
        path = tmp_path / "tape.jsonl.gz"
        whole = gzip.compress(HEADER + TOKEN + line('{"type": "beat", "at": 11}') * 10_000)
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(BadInput, match=r"line \d+.*cut short"):
            list(open_tape(path).events())

    def test_a_tape_in_memory_is_looked_at_when_it_is_made(self):
        listed = TokenListed(at=D(10), token_key="0xc1:0", token_id="111")
        with pytest.raises(BadInput, match="record 2: time"):
            Tape.of([listed, LeaderHeld(at=D(9), token_key="0xc1:0", size=D(1))])
        with pytest.raises(BadInput, match="no record"):
            Tape.of([])
        assert list(Tape.of([listed]).events()) == [listed]

    def test_and_not_again_when_it_is_run(self, monkeypatch):
        made = Tape.of([TokenListed(at=D(10), token_key="0xc1:0", token_id="111")])
        monkeypatch.setattr("copytrade.app.backtest.tape.checked", lambda _: pytest.fail("looked at again"))
        assert len(list(made.events())) == 1

    def test_a_tape_that_is_evolved_is_looked_at_again(self):
        tape = Tape.of([TokenListed(at=D(10), token_key="0xc1:0", token_id="111"), Beat(at=D(1000))])
        with pytest.raises(BadInput, match="no gap above 60 s"):
            list(evolve(tape, max_gap_sec=D(60)).events())
        assert repr(tape) == repr(evolve(tape))
        assert tape == evolve(tape)

    def test_another_version_is_refused(self, tmp_path):
        path = tmp_path / "tape.jsonl"
        path.write_bytes(b'{"copytrade_tape": 2}\n' + TOKEN)
        with pytest.raises(BadInput, match="version 2"):
            open_tape(path)

    def test_an_empty_tape(self, tmp_path):
        path = tmp_path / "tape.jsonl"
        path.write_bytes(HEADER)
        with pytest.raises(BadInput, match="no record"):
            list(open_tape(path).events())

    @pytest.mark.parametrize("content", [b"", b"hello\n", b"[1, 2]\n", b"[" * 10**5])
    def test_what_is_no_tape_at_all(self, tmp_path, content):
        path = tmp_path / "tape.jsonl"
        path.write_bytes(content)
        with pytest.raises(BadInput, match="copytrade_tape"):
            open_tape(path)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(BadInput, match="that is there"):
            open_tape(tmp_path / "none.jsonl")
        with pytest.raises(BadInput, match="no file"):
            open_tape(tmp_path)


POSITIONS = "recorded_at,asset_id,market,outcome,size,average_price\n"


class TestTables:
    """A wallet's positions and trades as CSV."""

    def rows(self, tmp_path, *texts, name="positions.csv"):
        (tmp_path / name).write_text(POSITIONS + "".join(text + "\n" for text in texts))
        return open_tape(tmp_path)

    def test_files_are_joined_equal_rows_count_once_and_times_are_sorted(self, tmp_path):
        later = "2025-12-24T12:05:00+00:00,111,btc-updown-15m-1766577600,Up,20,0.5"
        earlier = "2025-12-24T12:01:00+00:00,111,btc-updown-15m-1766577600,Up,10,0.4"
        self.rows(tmp_path, later, earlier)
        tape = self.rows(tmp_path, later, name="more.csv")
        held = [(event.at - 1766577600, event.size) for event in tape.events() if isinstance(event, LeaderHeld)]
        assert held == [(Decimal(60), Decimal(10)), (Decimal(300), Decimal(20))]

    def test_a_position_ends_with_its_market(self, tmp_path):
        tape = self.rows(
            tmp_path,
            "2025-12-24T12:01:00+00:00,111,btc-updown-15m-1766577600,Up,10,0.4",
            "2025-12-24T12:20:00+00:00,222,btc-updown-15m-1766578500,Down,5,0.6",
        )
        ended = [event for event in tape.events() if event.at == 1766577600 + 900]
        assert [type(event) for event in ended] == [LeaderHeld, Resolved]
        assert [event.token_key for event in tape.events() if isinstance(event, TokenListed)] == [
            "btc-updown-15m-1766577600:0",
            "btc-updown-15m-1766578500:1",
        ]

    def test_average_prices_tell_what_a_change_cost(self, tmp_path):
        tape = self.rows(
            tmp_path,
            "2025-12-24T12:01:00+00:00,111,m,Up,10,0.30",
            "2025-12-24T12:02:00+00:00,111,m,Up,30,0.50",
        )
        assert [event.price for event in tape.events() if isinstance(event, PriceSeen)] == [D("0.3"), D("0.6")]

    @pytest.mark.parametrize(
        ("row", "place", "words"),
        [
            ("2025-12-24T12:01:00+00:00,111,m,Up,-1,0.4", "line 2: size", "negative"),
            ("2025-12-24T12:01:00+00:00,111,m,Up,much,0.4", "line 2: size", "a number"),
            ("2025-12-24T12:01:00+00:00,111,m,Up,1e999999999,0.4", "line 2: size", "below 10^15"),
            ("yesterday,111,m,Up,1,0.4", "line 2: recorded_at", "a time"),
            ("2025-12-24T12:01:00+00:00,111,m,Up,1,1.4", "line 2: average_price", "from 0 to 1"),
            ("2025-12-24T12:01:00+00:00,111,m,Up", "line 2: columns", "header"),
            ("2025-12-24T12:01:00+00:00,111,m,Up,1,0.4" + "9" * 200_000, "line 2: columns", "field larger"),
        ],
    )
    def test_a_bad_row_is_named(self, tmp_path, row, place, words):
        with pytest.raises(BadInput) as raised:
            self.rows(tmp_path, row)
        assert place in str(raised.value)
        assert words in str(raised.value)

    def test_the_real_wallet_s_day_loads_and_runs(self, shared):
        tape = open_tape(shared("real/denniswu28-polycopy"))
        events = list(tape.events())
        held = [event for event in events if isinstance(event, LeaderHeld) and event.size]
        assert len({event.token_key for event in events if isinstance(event, TokenListed)}) == 173
        # The files have 3,952 different rows; 231 of them were written when the market was over already.
        assert len(held) == 3952 - 231
        assert events[0].at < D(1766579100)
        found = backtest(tape, keep=False).summary
        assert found.polls > 4000
        assert found.leader_pnl > 0
        assert found.orders > found.fills > 100


class TestParquet:
    """Real books of settled markets, with a stand-in for the leader."""

    def test_the_18_real_markets_load_and_run(self, shared):
        pytest.importorskip("polars")
        tape = open_tape(shared("real/resolvedkit-0.1.0"))
        kinds: dict[type, int] = {}
        for event in tape.events():
            kinds[type(event)] = kinds.get(type(event), 0) + 1
        assert kinds[TokenListed] == kinds[Resolved] == 36
        assert kinds[BookSeen] > 36_000
        ends = [backtest(tape, fills=model, keep=False).summary for model in ("optimistic", "pessimistic")]
        assert all(end.unresolved == 0 and end.holdings == 0 for end in ends)
        assert ends[0].filled_shares > ends[1].filled_shares > 1000

    def test_a_file_that_was_cut_short(self, tmp_path, shared):
        pytest.importorskip("polars")
        whole = shared("real/resolvedkit-0.1.0/books.parquet").read_bytes()
        (tmp_path / "books.parquet").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(BadInput, match="a whole Parquet file"):
            open_tape(tmp_path)


def test_kinds_are_not_mixed(tmp_path):
    write_tape(history(1), tmp_path / "tape.jsonl")
    (tmp_path / "positions.csv").write_text(POSITIONS)
    with pytest.raises(BadInput, match="one tape"):
        open_tape(tmp_path)


def test_a_run_does_not_care_where_its_tape_comes_from(tmp_path):
    tape = history(5, polls=40)
    write_tape(tape, tmp_path / "tape.jsonl.gz")
    assert backtest(open_tape(tmp_path / "tape.jsonl.gz")) == backtest(tape)


def test_trades_say_on_which_side_they_came():
    tape = Tape.of([event for event in history(2, has_trades=True).events() if isinstance(event, TokenListed | Traded)])
    assert {event.taker for event in tape.events() if isinstance(event, Traded)} - {None}
