"""`copytrade record` against the embedded exchange: what was watched can be run."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from attrs import asdict

from copytrade.adapters.simulated.scenario import LEADER, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.adapters.tapes import open_tape
from copytrade.app import cli
from copytrade.app.backtest.assumptions import Assumptions
from copytrade.app.backtest.engine import backtest
from copytrade.app.backtest.tape import Beat, BookSeen, LeaderHeld, TokenListed
from copytrade.wiring.tapes import record, tape_services
from tests.e2e.driving import busy, world_of


@pytest.fixture(scope="module")
def tape_path(tmp_path_factory):
    """A leader watched for twelve polls; he sells one token at the sixth and buys more of another."""
    path = tmp_path_factory.mktemp("recorded") / "leader.jsonl.gz"
    world = world_of(tokens=3, leader_holds="300", manners=busy())
    polls = []

    async def talk():
        async with serve(world) as urls:
            asked_urls = asdict(urls)
            del asked_urls["geoblock_url"]  # nothing is traded

            def watch(seen):
                polls.append(seen)
                if seen.polls == 6:
                    world.exchange.hold(LEADER, yes_of(world, 0), Decimal(0))
                    world.exchange.hold(LEADER, yes_of(world, 1), Decimal(700))

            async with tape_services(**asked_urls) as asked:
                await record(
                    asked, LEADER, path, interval=Decimal("0.2"), stopped=lambda: len(polls) >= 12, watch=watch
                )

    asyncio.run(talk())
    assert polls[-1].missed == 0
    return path


def test_a_recording_has_tokens_books_and_the_leader(tape_path):
    tape = open_tape(tape_path)
    events = list(tape.events())
    assert sum(isinstance(event, Beat) for event in events) == 12
    assert sum(isinstance(event, TokenListed) for event in events) == 3
    assert sum(isinstance(event, BookSeen) for event in events) >= 3
    assert {event.size for event in events if isinstance(event, LeaderHeld)} == {300, 0, 700}
    assert tape.max_gap_sec == Decimal("0.6")


def test_a_recording_runs(tape_path):
    quick = Assumptions(poll_interval_sec=Decimal("0.2"), feed_lag_sec=Decimal(0), latency_sec=Decimal(0))
    found = backtest(open_tape(tape_path), fills="optimistic", assumptions=quick)
    assert found.summary.orders >= 3


def test_the_command_says_where_it_wrote_and_never_writes_over(tape_path, capsys):
    args = ["record", "--target", "0x" + "a1" * 20, "--out", str(tape_path), "--for", "0.1"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*args, "--data-api-url", "http://127.0.0.1:9"])
    assert ended.value.code == 2
    assert "never written over" in capsys.readouterr().err


def test_a_wrong_address_is_told(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        cli.main(["record", "--target", "somebody", "--out", str(tmp_path / "tape.jsonl")])
    assert ended.value.code == 2
    assert "--target" in capsys.readouterr().err
