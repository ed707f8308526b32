"""What is measured: a table of cases. Each makes, for a size, a function; one call of it is what is timed.

A case may be run against an older revision of the program, so it leans on little: what an older one does not have is an
ImportError or AttributeError, and its column stays empty.

Not here: how often and against what (bench.py), in which process (worker.py), the facts themselves (facts.py).
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks import facts

Call = Callable[[], Any]
TOKENS = (10, 100, 1000, 5000)


@frozen(kw_only=True)
class Case:
    """One line of the table. `prepare(size)` may be slow; what it gives is called and timed.

    `clock`: "cpu" is the processor time of this process (a busy neighbour does not count), "wall" the time on the wall,
    "own": the call gives its figure itself, in `unit`, and a note.
    """

    name: str
    sizes: tuple[int, ...]
    of: str  # what the size counts
    prepare: Callable[[int], Call]
    clock: str = "cpu"
    unit: str = "s"
    per: int = 1  # what is timed is so many of it
    wanted: str = ""  # what was asked for, in words
    rounds: int = 9
    growth: bool = True  # is it drawn against its size?


# -- decisions and documents ------------------------------------------------------------------------------------------


def _plan(tokens: int) -> Call:
    from copytrade.domain.plan import plan

    snapshot = facts.snapshot(tokens)
    return lambda: plan(snapshot)


def _tokens_to_quote(tokens: int) -> Call:
    from copytrade.domain.plan import tokens_to_quote

    snapshot = facts.snapshot(tokens)
    return lambda: tokens_to_quote(snapshot)


def _encode_snapshot(tokens: int) -> Call:
    from copytrade.app.documents import encode_snapshot

    snapshot = facts.snapshot(tokens)
    return lambda: encode_snapshot(snapshot)


def _decode_snapshot(tokens: int) -> Call:
    from copytrade.app.documents import decode_snapshot, encode_snapshot

    raw = encode_snapshot(facts.snapshot(tokens))
    return lambda: decode_snapshot(raw)


def _journal_line(tokens: int) -> Call:
    from copytrade.adapters.journal_file import JournalFolder
    from copytrade.app.documents import encode_journal_line
    from copytrade.domain.plan import plan

    snapshot, folder = facts.snapshot(tokens), _scratch()
    decided, journal = plan(snapshot), JournalFolder(folder)

    def write() -> None:
        journal.append(facts.NOW, encode_journal_line(snapshot, decided, []))
        (folder / "2025-12-17.jsonl").unlink()  # or a benchmark fills the disk

    return write


def _state(tokens: int) -> Call:
    from copytrade.adapters.state_file import DiskStateFile
    from copytrade.app.state import encode_state
    from copytrade.domain.policy import Policy

    memory, file = facts.memory(tokens), DiskStateFile(_scratch() / "state.json")
    policy = Policy(target_address=facts.LEADER, my_address=facts.ME)
    return lambda: file.save(encode_state(memory, policy))


def _decode_state(tokens: int) -> Call:
    from copytrade.app.state import decode_state, encode_state, memory_of
    from copytrade.domain.policy import Policy

    raw = encode_state(facts.memory(tokens), Policy())
    return lambda: memory_of(decode_state(raw))


# -- answers of services ----------------------------------------------------------------------------------------------


class _Answers:
    """An `Http` that has the answer already."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    async def read(self, *_: object, **__: object) -> bytes:
        return self.raw


def _positions(rows: int) -> Call:
    from copytrade.adapters.data_api import DataApi

    feed = DataApi(_Answers(facts.positions_page(rows)))  # type: ignore[arg-type]  # the one method that it needs
    loop = asyncio.new_event_loop()
    _at_the_end.append(loop.close)
    return lambda: loop.run_until_complete(feed.positions(facts.LEADER))


def _books(books: int) -> Call:
    from copytrade.adapters.clob import decoding

    raw, asked = facts.books_answer(books), [facts.token_id(number) for number in range(books)]
    return lambda: decoding.books(raw, asked)


def _orders(rows: int) -> Call:
    from copytrade.adapters.clob import decoding

    raw = facts.orders_page(rows)
    return lambda: [decoding.open_order(row) for row in decoding.page(raw).rows]


# -- signing ----------------------------------------------------------------------------------------------------------


def _sign(orders: int, signature_type: int = 2) -> Call:
    from copytrade.adapters.signing import OrderSigner, random_salt
    from copytrade.app.ports import ToSign
    from copytrade.domain.model import Side

    signer = OrderSigner(facts.KEY, funder=facts.ME, signature_type=signature_type)
    batch = [
        ToSign(
            token_id=facts.token_id(number),
            side=Side.SELL if number % 4 == 0 else Side.BUY,
            price=Decimal(number % 98 + 1) / 100,
            size=Decimal(500 + number) / 100,
            tick_size=Decimal("0.01"),
            neg_risk=number % 3 == 1,
            expiration=1_766_000_190,
            post_only=True,
        )
        for number in range(orders)
    ]
    return lambda: [signer.sign_order(one, salt=random_salt(), timestamp_ms=1_766_000_000_123) for one in batch]


def _sign_wallet(orders: int) -> Call:
    return _sign(orders, signature_type=3)


def _sign_with_the_vendor(orders: int) -> Call:
    """The vendor's own builder, one order: what ours is compared with."""
    from py_clob_client_v2.clob_types import CreateOrderOptions, OrderArgsV2
    from py_clob_client_v2.order_builder.builder import OrderBuilder
    from py_clob_client_v2.order_utils import SignatureTypeV2
    from py_clob_client_v2.signer import Signer

    client = OrderBuilder(Signer(facts.KEY, 137), SignatureTypeV2(2), facts.ME)
    args = OrderArgsV2(token_id=facts.token_id(0), price=0.43, size=12.5, side="BUY", expiration=1_766_000_190)
    options = CreateOrderOptions("0.01", False)
    return lambda: [client.build_order(args, options) for _ in range(orders)]


# -- whole cycles -----------------------------------------------------------------------------------------------------


def _cycle(tokens: int) -> Call:
    """Five on the simulated exchange in process, state and journal on the disk; in one of them orders are old."""
    from benchmarks.stage import InProcess

    stage = InProcess(tokens, _scratch())
    _at_the_end.append(stage.close)
    for _ in range(6):
        stage.cycle()
    return lambda: [stage.cycle() for _ in range(5)]


def _cycle_over_http(tokens: int) -> Call:
    """One steady cycle: everything is in the band, so nothing is posted."""
    from benchmarks.follower import Follower

    follower = Follower(tokens, _scratch())
    _at_the_end.append(follower.close)
    for _ in range(3):
        follower.cycle()
    return follower.cycle


def _answer(tokens: int) -> Call:
    """The leader takes so many outcomes at once; how long until our last order is at the exchange."""
    from benchmarks.follower import Follower

    def answer() -> tuple[float, str]:
        follower = Follower(tokens, _scratch())  # a fresh one each time: its buckets are full, nothing rests
        try:
            for _ in range(2):
                follower.cycle()
            return follower.answer_to(tokens, "200")
        finally:
            follower.close()

    return answer


def _backtest(tokens: int, every: int) -> Call:
    """A whole backtest with resting orders, fills and accounting, whose leader changes a holding in so many polls."""
    from benchmarks.backtest_tape import market_tape
    from copytrade.app.backtest.assumptions import Assumptions
    from copytrade.app.backtest.engine import backtest

    tape = market_tape(tokens=tokens, polls=_POLLS, changes=1 / tokens / every)
    world = Assumptions(start_cash=Decimal(5000))
    return lambda: backtest(tape, fills="optimistic", assumptions=world, keep=False)


_POLLS = 2000


# -- start-up ---------------------------------------------------------------------------------------------------------


def _command(*args: str, given: bytes = b"") -> Call:
    """The processor time of a command, from its start to its end: what it takes on a machine that nobody else uses."""
    root = str(Path(sys.modules["copytrade"].__file__ or "").parents[1])
    env = {**os.environ, "PYTHONPATH": root}
    where = _scratch()  # not here: `python -m` would find this tree's program first

    def run() -> tuple[float, None]:
        command = [sys.executable, "-m", "copytrade", *args]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, input=given, env=env, check=True, capture_output=True, cwd=where)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, None

    return run


_PEAK = """
import atexit, re, sys
# Not ru_maxrss, which a process inherits from the one that started it.
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1], file=sys.stderr))
from copytrade.app.cli import main
main(sys.argv[1:])
"""


def _peak(*args: str, given: bytes = b"") -> Call:
    """The peak of the memory that a command has in use, in MiB."""
    root, where = str(Path(sys.modules["copytrade"].__file__ or "").parents[1]), _scratch()

    def run() -> tuple[float, None]:
        command = [sys.executable, "-c", _PEAK, *args]
        env = {**os.environ, "PYTHONPATH": root}
        done = subprocess.run(command, input=given, env=env, check=True, capture_output=True, cwd=where)
        return int(done.stderr.split()[-1]) / 1024, None

    return run


def _plan_memory(tokens: int) -> Call:
    from copytrade.app.documents import encode_snapshot

    return _peak("plan", "--snapshot", "-", given=encode_snapshot(facts.snapshot(tokens)))


def _run_memory(tokens: int) -> Call:
    return _peak("run", "--once", "--dry-run", *_against_an_exchange(tokens))


def _help(_: int) -> Call:
    return _command("--help")


def _plan_command(tokens: int) -> Call:
    from copytrade.app.documents import encode_snapshot

    return _command("plan", "--snapshot", "-", given=encode_snapshot(facts.snapshot(tokens)))


# -- the table --------------------------------------------------------------------------------------------------------


_at_the_end: list[Callable[[], object]] = []


def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="copytrade-bench-"))
    _at_the_end.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder


def clean_up() -> None:
    """Close and remove what the cases have opened and written."""
    while _at_the_end:
        _at_the_end.pop()()


def _against_an_exchange(tokens: int) -> list[str]:
    """The options of a run against an exchange in a process of its own, which ends with the case."""
    from benchmarks.facts import ADDRESS
    from benchmarks.follower import Exchange
    from copytrade.adapters.simulated.scenario import LEADER

    exchange = Exchange(tokens, 0.0)
    _at_the_end.append(exchange.close)
    urls = [f"--{name.replace('_', '-')}={url}" for name, url in exchange.urls.items()]
    return [f"--target={LEADER}", f"--my-address={ADDRESS}", *urls]


def _dry_run(tokens: int) -> Call:
    return _command("run", "--once", "--dry-run", *_against_an_exchange(tokens))


def _table() -> Iterable[Case]:
    yield Case(name="plan()", sizes=TOKENS, of="tokens", prepare=_plan, wanted="150,000/s at 1,000 tokens")
    yield Case(name="tokens_to_quote()", sizes=TOKENS, of="tokens", prepare=_tokens_to_quote)
    yield Case(name="decode a snapshot", sizes=TOKENS, of="tokens", prepare=_decode_snapshot)
    yield Case(name="encode a snapshot", sizes=TOKENS, of="tokens", prepare=_encode_snapshot)
    yield Case(name="write a journal line", sizes=TOKENS, of="tokens", prepare=_journal_line)
    yield Case(name="write the state", sizes=TOKENS, of="tokens", prepare=_state, wanted="20 ms besides the sync")
    yield Case(name="read the state", sizes=TOKENS, of="tokens", prepare=_decode_state)
    yield Case(name="read positions", sizes=(10, 100, 500, 5000), of="rows", prepare=_positions)
    yield Case(name="read books", sizes=(10, 100, 300, 5000), of="books", prepare=_books)
    yield Case(name="read open orders", sizes=(10, 100, 300, 5000), of="orders", prepare=_orders)
    yield Case(name="sign, types 0 to 2", sizes=(1, 300), of="orders", prepare=_sign, wanted="0.12 ms an order")
    yield Case(name="sign, type 3", sizes=(1, 300), of="orders", prepare=_sign_wallet, wanted="0.12 ms an order")
    yield Case(name="sign, by the vendor", sizes=(1,), of="orders", prepare=_sign_with_the_vendor, growth=False)
    yield Case(name="a cycle in process", sizes=TOKENS, of="tokens", prepare=_cycle, per=5, rounds=5)
    yield Case(
        name="a cycle over HTTP, 50 ms a request", sizes=(10, 100, 300), of="tokens", prepare=_cycle_over_http,
        clock="wall", growth=False,
    )  # fmt: skip
    yield Case(
        name="the answer to a leader", sizes=(50, 300), of="outcomes", prepare=_answer, clock="own", rounds=3,
        growth=False, wanted="50 within 5 round trips, 300 within 6.6 s",
    )  # fmt: skip
    yield Case(
        name="a poll of a backtest, a change every 80 s", sizes=(50,), of="tokens", prepare=partial(_backtest, every=4),
        per=_POLLS, growth=False, rounds=5, wanted="100,000/s",
    )  # fmt: skip
    yield Case(
        name="a poll of a backtest, a change every 20 s", sizes=(50,), of="tokens", prepare=partial(_backtest, every=1),
        per=_POLLS, growth=False, rounds=5,
    )  # fmt: skip
    yield Case(
        name="copytrade --help", sizes=(0,), of="", prepare=_help, clock="own", wanted="0.15 s", growth=False, rounds=9
    )
    yield Case(
        name="copytrade plan", sizes=(100,), of="tokens", prepare=_plan_command, clock="own", wanted="0.25 s",
        growth=False, rounds=9,
    )  # fmt: skip
    yield Case(
        name="copytrade run --once --dry-run", sizes=(10,), of="tokens", prepare=_dry_run, clock="own", growth=False
    )
    yield Case(
        name="peak memory of copytrade plan", sizes=(100, 5000), of="tokens", prepare=_plan_memory, clock="own",
        unit="MiB", rounds=3, growth=False,
    )  # fmt: skip
    yield Case(
        name="peak memory of copytrade run --once --dry-run", sizes=(10, 300), of="tokens", prepare=_run_memory,
        clock="own", unit="MiB", rounds=3, growth=False,
    )  # fmt: skip


CASES = {case.name: case for case in _table()}
