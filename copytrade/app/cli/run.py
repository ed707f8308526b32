"""`copytrade run`: follow a wallet, live or dry, until it is stopped.

Every key of the configuration is a flag too, made from the table in app/config.py; flags win. A live run needs a
signing key and a signature type; a dry run reads public data only, sends nothing and writes nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from copytrade.app.checks import notes_of, refuse
from copytrade.app.cli._lines import sale_lines
from copytrade.app.cli._screen import Screen, Wanted, screen_of
from copytrade.app.cli._settings import DEFAULT_CONFIG, read_settings, with_flags
from copytrade.app.config import CANCEL, Config
from copytrade.app.cycle import Approve
from copytrade.app.loop import follow, unless
from copytrade.app.outcomes import Cycle, NotApproved
from copytrade.app.watching import Seen, Started, Stopped, Watcher, Watchers
from copytrade.domain.model import Decision, Snapshot

if TYPE_CHECKING:
    from copytrade.wiring.running import Run

JITTER_SHARE = 20  # a cycle starts late by up to a twentieth of the poll interval


def run(
    config: Annotated[
        str | None, typer.Option(help=f"The configuration file ({DEFAULT_CONFIG} where there is one).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and show; send and write nothing.")] = False,
    once: Annotated[bool, typer.Option("--once", help="One cycle, then stop; resting orders stay.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="A live start may sell what the wallet holds.")] = False,
    keystore: Annotated[str | None, typer.Option(help="An encrypted keystore file with the signing key.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="On a terminal: lines instead of the live view.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours (NO_COLOR=1 does the same).")] = False,
    log_format: Annotated[
        str | None, typer.Option(help="Log lines as text or json; text where there is no terminal.")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error: the least that the log tells.")
    ] = None,
    **flags: Any,
) -> None:
    """Follow a wallet by position targeting, until it is stopped (Ctrl-C or SIGTERM).

    A live run takes its signing key from COPYTRADE_PRIVATE_KEY, from an encrypted keystore file, or from the system
    keyring. Exit codes: 0 done or stopped on request, 2 wrong usage or configuration, 3 refused to start or to go on,
    1 anything unexpected.
    """
    wanted = Wanted(once=once, plain=plain, no_color=no_color, log_format=log_format, log_level=log_level)
    settings = read_settings(config, flags, live=not dry_run)
    asyncio.run(_run(settings, dry_run, yes, Path(keystore) if keystore else None, wanted))


with_flags(run)


async def _run(config: Config, dry: bool, yes: bool, keystore: Path | None, wanted: Wanted) -> None:
    from copytrade.wiring import keys, running, telling

    screen = screen_of(wanted)
    telling.set_up_logging(level=screen.log_level, form=screen.log_form, stream=screen.log_stream)
    try:
        with telling.listeners(config) as others:
            signer = None if dry else keys.signer_for(config, keystore)
            approve = None if dry else _asking(yes, screen)
            async with running.opened(config, signer, approve=approve) as ready:
                await _follow(ready, config, dry=dry, screen=screen, others=others)
    finally:
        screen.close()
        # What is said from here on, a fault of ours that ends the run, would be lost there.
        telling.set_up_logging(level="error", form=screen.log_form)


async def _follow(ready: Run, config: Config, *, dry: bool, screen: Screen, others: tuple[Watcher, ...]) -> None:
    from copytrade.wiring import running

    stop = asyncio.Event()
    _listen_to_signals(stop, screen)
    checks = () if dry else await unless(ready.preflight(), stop) or ()
    notes = (*ready.notes, *notes_of(checks))
    told = Watchers([screen.watcher, *others], complain=_complain)
    told.on_start(Started(at=ready.clock.now(), config=config, dry=dry, once=screen.once, notes=notes))
    asked_before = ready.requests()

    def watch(cycle: Cycle) -> None:
        nonlocal asked_before
        asked, asked_before = ready.requests() - asked_before, ready.requests()
        told.on_cycle(Seen(cycle=cycle, requests=asked))

    try:
        refuse(checks)
        ending = await follow(
            ready.trader,
            clock=ready.clock,
            stop=stop,
            poll_interval_sec=config.poll_interval_sec,
            watch=watch,
            jitter=running.jitter(config.poll_interval_sec / JITTER_SHARE),
            once=screen.once,
            cancel_on_stop=config.on_stop == CANCEL,
        )
    except BaseException as error:
        told.on_stop(Stopped(at=ready.clock.now(), error=error))
        raise
    told.on_stop(Stopped(at=ready.clock.now(), ending=ending))


def _complain(name: str, error: Exception) -> None:
    """A watcher has failed: say so, and go on."""
    import structlog

    structlog.get_logger(__name__).warning("watching failed, the run goes on", watcher=name, exc_info=error)


def _listen_to_signals(stop: asyncio.Event, screen: Screen) -> None:
    """Ctrl-C and SIGTERM stop the run, and so does a terminal that is closed: nobody is to trade unseen by mistake.

    Who means it says so as with any program: under `nohup` SIGHUP is ignored already, and stays so.
    """
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, stop.set)
    loop.add_signal_handler(signal.SIGTSTP, _rest, screen)


def _rest(screen: Screen) -> None:
    """Ctrl-Z: give the terminal back before the process is put to sleep."""
    with screen.aside():
        os.kill(os.getpid(), signal.SIGSTOP)


def _asking(yes: bool, screen: Screen) -> Approve:
    """Ask before a live start sells or reduces what the wallet holds; without a terminal only `--yes` answers."""

    async def approve(due: Collection[Decision], snapshot: Snapshot) -> bool:
        titles = {row.token_key: row.title for row in (*snapshot.target.positions, *snapshot.mine.positions)}
        head = f"This start would sell or reduce {len(due)} of the positions that the wallet holds:"
        with screen.aside():
            for line in (head, *sale_lines(due, titles)):
                screen.say(line)
            if yes:
                screen.say("going on: --yes was given")
                return True
            if sys.stdin is None or not sys.stdin.isatty():
                raise NotApproved(
                    "this start would sell or reduce what the wallet holds, and there is no terminal to ask at: look at"
                    ' the list above, then add --yes, or set manage_holdings to "copied" to keep what copytrade did not'
                    " buy"
                )
            return await _answer("Go on? [y/N] ") in ("y", "yes")

    return approve


async def _answer(question: str) -> str:
    """A line from the terminal, read by a thread that a stop need not wait for."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def give(text: str) -> None:
        if not answer.done():
            answer.set_result(text)

    def read() -> None:
        print(question, end="", flush=True)
        loop.call_soon_threadsafe(give, sys.stdin.readline().strip().lower())

    threading.Thread(target=read, daemon=True).start()
    return await answer
