"""`copytrade demo`: the real program against an embedded exchange, with a throwaway key and play money.

What runs is what `copytrade run` runs: real HTTP (on loopback), real signatures, the real loop. Only the exchange is
ours, and it checks what the real one checks. At the end every line of the journal is decided again, and compared.
"""

from __future__ import annotations

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from attrs import define

from copytrade.app.cli import _practice
from copytrade.app.cli._lines import cycle_lines
from copytrade.app.cli.render import shown
from copytrade.app.documents import decode_snapshot, plan_object
from copytrade.app.loop import follow
from copytrade.app.outcomes import Cycle
from copytrade.app.writing import to_json
from copytrade.domain.model import LEFT_ALONE, CancelReason
from copytrade.domain.plan import plan


@define(kw_only=True)
class _Tally:
    """What the summary counts."""

    cycles: int = 0
    requests: int = 0
    orders: int = 0
    requoted: int = 0
    fills: int = 0
    shares: Decimal = Decimal(0)
    gap: Decimal = Decimal(0)
    tokens: int = 0
    in_band: int = 0

    def take(self, cycle: Cycle) -> None:
        self.cycles += 1
        self.orders += sum(1 for one in cycle.results if one.outcome == "accepted")
        self.requoted += sum(1 for one in cycle.plan.cancels if one.reason is CancelReason.EXPIRED)
        self.fills += len(cycle.fills)
        self.shares += sum((abs(one.shares) for one in cycle.fills), Decimal(0))
        gaps = [abs(one.delta) for one in cycle.plan.decisions if one.reason not in LEFT_ALONE]
        self.gap, self.tokens = sum(gaps, Decimal(0)), len(gaps)
        self.in_band = sum(1 for gap in gaps if gap <= cycle.snapshot.policy.deadband_shares)


def demo(
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the exchange running, for init, doctor, run and all the others.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="With --serve: the first of its four ports; any, if not given.")
    ] = None,
) -> None:
    """Watch it copy a wallet on a simulated exchange: no key, no money, no network. Takes under a minute.

    With --serve the exchange keeps running, and what to type to use it is printed.
    """
    if serve:
        asyncio.run(_practice.serve(port or 0))
        return
    if port is not None:
        raise typer.BadParameter("it goes with --serve only: the demo itself chooses its ports", param_hint="--port")
    asyncio.run(_demo(Path(tempfile.mkdtemp(prefix="copytrade-demo-"))))


async def _demo(folder: Path) -> None:
    from copytrade.wiring import looking, practice, running, telling

    telling.set_up_logging(level="warning")
    tally, stop = _Tally(), asyncio.Event()
    async with practice.demonstration(folder) as demo, running.opened(demo.config, demo.signer) as ready:
        policy = demo.config.policy
        print(f"An exchange of our own on {demo.config.clob_url}, a leader, and a wallet with 400 pUSD of play money.")
        print(f"We want {policy.follow_ratio} of each of the leader's positions. Files: {folder}\n", flush=True)
        told = 0

        def watch(cycle: Cycle) -> None:
            nonlocal told
            for words in demo.told()[told:]:
                print(f"*** {words}")
                told += 1
            asked = ready.requests() - tally.requests
            tally.requests += asked
            tally.take(cycle)
            for line in cycle_lines(cycle, requests=asked, every_token=cycle.number == 1):
                print(line, flush=True)

        asyncio.get_running_loop().call_later(demo.seconds, stop.set)
        ending = await follow(
            ready.trader,
            clock=ready.clock,
            stop=stop,
            poll_interval_sec=demo.config.poll_interval_sec,
            watch=watch,
            jitter=lambda: Decimal(0),
        )
    lines = list(looking.journal_lines(demo.config.journal_dir))
    _summarise(tally, len(ending.may_rest), lines, folder)


def _summarise(tally: _Tally, may_rest: int, lines: list[bytes], folder: Path) -> None:
    same = sum(1 for line in lines if _replays(line))
    print(
        f"\n{tally.cycles} cycles   {tally.orders} orders   {tally.requoted} taken down after their ttl   "
        f"{tally.fills} fills of {shown(tally.shares)} shares   "
        f"{tally.requests / max(tally.cycles, 1):.1f} requests a cycle"
    )
    print(
        f"{tally.in_band} of {tally.tokens} tokens that can be traded are in the band, "
        f"{shown(tally.gap)} shares of gap left"
    )
    print(f"{may_rest} orders resting after the stop")
    print(f"{same} of {len(lines)} journal lines decided again: the same actions")
    print(f"Look at one yourself: head -n 1 {folder}/journal/*.jsonl | copytrade plan --snapshot -")
    if may_rest or same != len(lines):
        raise SystemExit(1)


def _replays(line: bytes) -> bool:
    """Does deciding again on what the line holds give what it says was decided?"""
    return b'"plan":' + to_json(plan_object(plan(decode_snapshot(line)))) in line
