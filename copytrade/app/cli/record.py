"""`copytrade record`: write a tape for `copytrade backtest`, without a key and without trading.

Watch a wallet and the books of its tokens from now on, or fetch its past (`--history`) from the public services.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from copytrade.app.backtest.tape import NOTHING_RUN
from copytrade.app.cli.render import show
from copytrade.app.config import KEYS
from copytrade.app.kinds import ADDRESS
from copytrade.app.reading import Spot
from copytrade.errors import BadInput, Fault


def record(
    target: Annotated[str, typer.Option(help="The wallet to watch.")],
    out: Annotated[Path, typer.Option(help="The new tape; gzipped where its name ends in .gz.")],
    poll: Annotated[float, typer.Option(min=0.01, help="Seconds from one look to the next.")] = 20.0,
    seconds: Annotated[float | None, typer.Option("--for", help="Stop after this many seconds.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Fetch its past instead of watching.")] = False,
    days: Annotated[float, typer.Option(min=0, help="How far back --history goes.")] = 30.0,
    data_api_version: Annotated[int, typer.Option(min=1, max=2, help="Of the Data-API.")] = 2,
    data_api_url: Annotated[str, typer.Option(help="Where the positions feed is.")] = str(KEYS["data_api_url"].default),
    gamma_api_url: Annotated[str, typer.Option(help="Where the market data is.")] = str(KEYS["gamma_api_url"].default),
    clob_url: Annotated[str, typer.Option(help="Where the exchange is.")] = str(KEYS["clob_url"].default),
) -> None:
    """Write what a wallet holds, and the books of it, to a tape, until stopped (Ctrl-C) or for a time.

    Exit codes: 0 done or stopped, 2 wrong usage, 1 a service did not answer.
    """
    wallet = _address(target)
    urls = {"data_api_url": data_api_url, "gamma_api_url": gamma_api_url, "clob_url": clob_url}
    try:
        if history:
            since = Decimal(int(time.time() - days * 86400))
            asyncio.run(_history(wallet, out, urls, data_api_version, since))
        else:
            asyncio.run(_watch(wallet, out, urls, data_api_version, Decimal(str(poll)), seconds))
    except FileExistsError:
        fault = Fault(path="--out", got=str(out), wants="a file that is not there yet: a tape is never written over")
        raise BadInput("--out", [fault], NOTHING_RUN) from None
    except OSError as error:
        raise BadInput("--out", [Fault(path=str(out), got=str(error), wants="a file to write")], NOTHING_RUN) from None


def _address(text: str) -> str:
    faults: list[Fault] = []
    found = Spot(value=text, faults=faults, start="--target").read(ADDRESS)
    if found is None or faults:
        raise BadInput("--target", faults, NOTHING_RUN)
    return found


async def _history(wallet: str, out: Path, urls: dict[str, str], version: int, since: Decimal) -> None:
    from copytrade.wiring import tapes

    async with tapes.tape_services(**urls, version=version) as asked:
        count, differing, notes = await tapes.record_history(asked, wallet, out, since=since)
    lines = [f"{out}: {count:,} records"]
    lines += [f"  {note}" for note in notes]
    lines += [f"  {one.token_key}   replayed {one.replayed}   today {one.today}" for one in differing]
    show("\n".join([*lines, ""]))


async def _watch(
    wallet: str, out: Path, urls: dict[str, str], version: int, poll: Decimal, seconds: float | None
) -> None:
    from copytrade.wiring import tapes

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    last: list[Any] = []

    def watch(seen: Any) -> None:
        last[:] = [seen]
        if sys.stderr.isatty():
            said = f"   {seen.words}" if seen.words else ""
            print(f"{seen.polls} polls   {seen.tokens} tokens   {seen.records} records{said}", file=sys.stderr)

    async def wait(pause: Decimal) -> None:
        try:
            async with asyncio.timeout(float(pause)):
                await stop.wait()
        except TimeoutError:
            pass

    async with tapes.tape_services(**urls, version=version) as asked:
        await tapes.record(asked, wallet, out, interval=poll, stopped=stop.is_set, watch=watch, wait=wait)
    for seen in last:
        show(f"{out}: {seen.polls:,} polls, {seen.missed:,} of them not whole, {seen.records:,} records\n")
