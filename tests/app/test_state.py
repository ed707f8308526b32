"""The state document: a round trip loses nothing, and a start makes the right thing of whatever the disk holds."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.app.state import StateBroken, decode_state, encode_state, memory_of, start_from
from copytrade.domain.day import Day
from copytrade.domain.memory import Base, Hold, Memory, OwnOrder, Recovery, Standing
from copytrade.domain.model import Ledger, Side
from copytrade.errors import RefusedToStart
from tests.app.stage import POLICY, START, Disk

shares = st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False, allow_infinity=False)
times = st.decimals(min_value=0, max_value=4 * 10**9, places=3, allow_nan=False, allow_infinity=False)
prices = st.decimals(min_value="0.001", max_value="0.999", places=3)
results = st.builds(lambda size, sign: size * sign, shares, st.sampled_from([1, -1]))
keys = st.builds(lambda number, index: f"0x{number:x}:{index}", st.integers(0, 5), st.integers(0, 1))


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    """Any memory that cycles could have made: every order has a ledger, each id stands once."""
    traded = draw(st.lists(keys, unique=True, max_size=4))
    orders: dict[str, OwnOrder] = {}
    for number in range(draw(st.integers(0, 6)) if traded else 0):
        key = draw(st.sampled_from(traded))
        orders[f"0x{number:02x}"] = OwnOrder(
            order_id=f"0x{number:02x}",
            token_key=key,
            token_id=str(1 + traded.index(key)),
            side=draw(st.sampled_from(Side)),
            price=draw(prices),
            size=draw(shares) + 1,
            ts=draw(times),
            expiration=draw(times),
            standing=draw(st.sampled_from(Standing)),
            matched=draw(shares),
            traded=draw(shares),
            failed=draw(shares),
            confirmed=draw(shares),
            folded=draw(shares),
            seen_at=draw(times),
            gone_at=draw(st.none() | times),
            cancelled=draw(st.booleans()),
        )
    recovery = st.builds(
        Recovery,
        started_at=times,
        strangers=st.dictionaries(st.integers(1, 9).map(str), times, max_size=3),
        restored=st.frozensets(keys, max_size=3),
        told=st.dictionaries(keys, st.builds(Ledger, base=shares, avg_price=prices, final=st.booleans()), max_size=2),
        counted_at=times,
    )
    return Memory(
        token_map=draw(st.dictionaries(keys, st.integers(1, 9).map(str), max_size=4)),
        orders=orders,
        bases={key: Base(base=draw(shares), moved_at=draw(times), seen=draw(st.none() | shares)) for key in traded},
        polls=tuple(draw(st.lists(st.dictionaries(keys, shares, max_size=3), max_size=3))),
        holds=draw(st.dictionaries(keys, st.builds(Hold, until=times, step=times), max_size=3)),
        recovery=draw(st.none() | recovery),
        day=draw(st.builds(Day, start=times, spent=shares, result=results, prices=st.dictionaries(keys, prices))),
        last_sync_ts=draw(times),
    )


@given(memory=memories())
def test_what_is_written_is_read_back_exactly(memory: Memory) -> None:
    assert memory_of(decode_state(encode_state(memory, POLICY))) == memory


def _example() -> Memory:
    order = OwnOrder(
        order_id="0xaa",
        token_key="0xc1:0",
        token_id="111",
        side=Side.BUY,
        price=Decimal("0.49"),
        size=Decimal(20),
        ts=START,
        expiration=START + 190,
    )
    return Memory(
        token_map={"0xc1:0": "111"},
        orders={"0xaa": order},
        bases={"0xc1:0": Base(base=Decimal(0))},
        polls=({"0xc1:0": Decimal(100)},),
        holds={"0xc1:0": Hold(until=START)},
        last_sync_ts=START,
    )


GOOD = encode_state(_example(), POLICY)


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_a_document_that_is_cut_anywhere_is_broken(cut: int) -> None:
    with pytest.raises(StateBroken):
        decode_state(GOOD[:cut])


@given(place=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_a_document_with_a_flipped_byte_is_broken_or_a_document(place: int, byte: int) -> None:
    raw = bytearray(GOOD)
    raw[place] = byte
    try:
        memory_of(decode_state(bytes(raw)))
    except (StateBroken, RefusedToStart):
        return


@given(st.binary(max_size=80))
def test_other_bytes_are_broken(raw: bytes) -> None:
    with pytest.raises(StateBroken):
        decode_state(raw)


def _changed(**changes: object) -> bytes:
    return json.dumps({**json.loads(GOOD), **changes}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"[]",
        b"{}",
        b'{"version": "1"}',
        b'{"version": 1}',
        b"[" * 100_000,
        _changed(last_sync_ts="NaN"),
        _changed(follow_ratio="Infinity"),
        _changed(target_polls=[{"0xc1:0": "-1"}]),
        _changed(target_polls=[{"0xc1:0": "NaN"}]),
        _changed(ledgers={}),
        _changed(ledgers={"0xc1:0": {"base": "NaN"}}),
        _changed(open_orders=json.loads(GOOD)["in_doubt"]),
        _changed(in_doubt={"222": json.loads(GOOD)["in_doubt"]["111"]}),
        _changed(holds={"0xc1:0": {"until": "NaN"}}),
        _changed(holds={"0xc1:0": {"until": "1", "step": "Infinity"}}),
        _changed(recovery={"started_at": "NaN"}),
        _changed(recovery={"started_at": "1", "strangers": {"111": "NaN"}}),
    ],
)
def test_a_document_that_no_run_writes_is_broken(raw: bytes) -> None:
    with pytest.raises(StateBroken):
        decode_state(raw)


# -- the table of a start ---------------------------------------------------------------------------------------------


def disk(good: bytes | None = None, backup: bytes | None = None) -> Disk:
    """A disk that holds these two files."""
    found = Disk()
    found.good, found.backup = good, backup
    return found


@pytest.mark.parametrize(
    ("good", "backup", "journal", "kept", "first", "recovers", "knows"),
    [
        (GOOD, None, True, [], False, False, True),
        (GOOD, b"broken", True, [], False, False, True),
        (None, None, False, [], True, True, False),
        (None, None, True, [], False, True, False),
        (None, GOOD, False, [], False, True, True),
        (b"broken", GOOD, True, ["state"], False, True, True),
        (b"broken", None, False, ["state"], False, True, False),
        (b"broken", b"broken", False, ["state", "backup"], False, True, False),
        (None, b"broken", False, ["backup"], False, True, False),
        (b"", GOOD, False, ["state"], False, True, True),
    ],
)
def test_the_table_of_a_start(
    good: bytes | None, backup: bytes | None, journal: bool, kept: list[str], first: bool, recovers: bool, knows: bool
) -> None:
    found = disk(good, backup)
    start = start_from(found, POLICY, name="state.json", journal_exists=journal, now=START)
    assert found.moved == kept
    assert start.first == first
    assert (start.memory.recovery is not None) == recovers
    assert ("0xaa" in start.memory.orders) == knows
    assert bool(start.notes) == (recovers and not first)  # a person is told why nothing is placed


def test_a_dry_run_moves_nothing_aside() -> None:
    found = disk(b"broken", b"broken")
    start_from(found, POLICY, name="state.json", journal_exists=False, now=START, keep=False)
    assert found.moved == []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (_changed(target="0x" + "11" * 20), "another target"),
        (_changed(my_address="0x" + "11" * 20), "another my_address"),
        (_changed(version=2), "newer copytrade"),
        (b'{"version": 99, "of": ["another", "shape"]}', "newer copytrade"),
    ],
)
@pytest.mark.parametrize("which", ["good", "backup"])
def test_a_state_of_others_is_refused_and_left_as_it_is(raw: bytes, words: str, which: str) -> None:
    found = disk(raw, None) if which == "good" else disk(None, raw)
    with pytest.raises(RefusedToStart, match=words):
        start_from(found, POLICY, name="state.json", journal_exists=False, now=START)
    assert found.moved == []
    assert (found.good, found.backup) == ((raw, None) if which == "good" else (None, raw))


@pytest.mark.parametrize("cut", range(0, len(GOOD), 7))
def test_a_start_on_a_cut_file_goes_on_from_the_backup(cut: int) -> None:
    start = start_from(disk(GOOD[:cut], GOOD), POLICY, name="state.json", journal_exists=True, now=START)
    assert start.memory.recovery == Recovery(started_at=START)
    assert "0xaa" in start.memory.orders
