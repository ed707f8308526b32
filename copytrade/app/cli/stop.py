"""`copytrade stop`: the switch that stops everything, and `copytrade stop --lift`.

It makes a file beside the state, and a run on that state sees it within a second: it takes down every order of ours and
places none, now and after every restart, until the file is gone. It works with a configuration that is broken, since
only `state_path` is read of it, and without any run: the next one that starts obeys it.

Where a run is there, the command waits until the state says that nothing of ours may rest any more.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade.app.cli._settings import DEFAULT_CONFIG
from copytrade.app.config import paths_in
from copytrade.errors import BadInput, CopytradeError, Fault

if TYPE_CHECKING:
    from copytrade.domain.memory import OwnOrder
    from copytrade.wiring.looking import Stop

NOTHING_STOPPED = "NOTHING WAS STOPPED"
LIFT = '"copytrade stop --lift"'
WAIT_SEC = Decimal(20)  # for the run to have done it
LOOK_SEC = Decimal("0.2")


def stop(
    config: Annotated[
        str | None, typer.Option(help=f"The configuration file ({DEFAULT_CONFIG} where there is one).")
    ] = None,
    state: Annotated[str | None, typer.Option(help="The state file, where it is not the configuration's.")] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Lift the stop: the run goes on, with its next cycle.")] = False,
) -> None:
    """Stop everything: take down every order of ours, and place none until it is lifted.

    The run itself goes on, looks, and decides; every token has the reason STOPPED. To end the run as well, stop its
    process (Ctrl-C or SIGTERM). Exit codes: 0 done, 2 wrong usage, 1 not (yet) confirmed.
    """
    from copytrade.wiring import looking

    found = looking.stop_of(_state_path(config, state))
    if lift:
        _lift(found)
        return
    if not found.was_used:
        fault = Fault(path="the state", got=f"none at {found.state.path}", wants="one that a run has used")
        raise BadInput("the command line", [fault], f"{NOTHING_STOPPED}; name it with --config or --state")
    asyncio.run(_stop(found))


def _state_path(config: str | None, state: str | None) -> Path:
    if state is not None:
        return Path(state)
    path = Path(config or DEFAULT_CONFIG)
    if config is None and not path.exists():
        return Path("state.json")
    consequence = f"{NOTHING_STOPPED}; name the state file with --state"
    try:
        raw = path.read_bytes()
    except OSError as error:
        fault = Fault(path="--config", got=error.strerror or "nothing", wants="a file that can be read")
        raise BadInput(str(path), [fault], consequence) from None
    return paths_in(raw, source=str(path), consequence=consequence).get("state_path", path.parent / "state.json")


def _lift(found: Stop) -> None:
    try:
        lifted = found.switch.lift()
    except OSError as error:
        raise CopytradeError(f"{found.switch.path}: {error.strerror}. Everything is stopped still") from None
    if not lifted:
        print(f"nothing was stopped: there is no {found.switch.path}")
    elif found.in_use:
        print("lifted: the run goes on with its next cycle")
    else:
        print("lifted: the next run trades")


async def _stop(found: Stop) -> None:
    now = found.clock.now()
    try:
        new = found.switch.throw(
            f'stopped at {_time(now)} by "copytrade stop"; lifted by {LIFT}, or by removing this file'
        )
    except OSError as error:
        raise CopytradeError(
            f"{found.switch.path} could not be made ({error.strerror or error}): {NOTHING_STOPPED}.\n"
            "Stop the run itself: Ctrl-C at its terminal, or SIGTERM to its process. It takes its orders down"
        ) from None
    print(f"stopped{'' if new else ' already'}: {found.switch.path} is there", flush=True)
    if not found.in_use:
        print(f"no run uses this state now; the next one places nothing until {LIFT}")
        orders = _seen(found)[1]
        if orders:
            print(f"{_resting(orders)}; the next run takes them down at its start")
        return
    left = await _confirmed(found, found.switch.thrown_at() or now)
    if left is None:
        print(f"the run has taken everything down: nothing of ours rests, and nothing is placed until {LIFT}")
        return
    rests = f"{_resting(left)}. " if left else ""
    print(
        f"the run has not confirmed it within {WAIT_SEC} s. {rests}It tries again every few seconds; look at what it "
        "prints, and at your open orders at the exchange",
        file=sys.stderr,
    )
    raise typer.Exit(1)


async def _confirmed(found: Stop, since: Decimal) -> tuple[OwnOrder, ...] | None:
    """None once a cycle since then has left nothing that may rest; else what may when the time is up."""
    begun = found.clock.now()
    while True:
        synced, orders = _seen(found)
        if synced >= since and not orders:
            return None
        if found.clock.now() - begun > WAIT_SEC:
            return orders
        await found.clock.sleep(LOOK_SEC)


def _seen(found: Stop) -> tuple[Decimal, tuple[OwnOrder, ...]]:
    """When the last cycle was, and which of our orders may rest, as far as the state tells it."""
    from copytrade.app.state import StateBroken, may_rest
    from copytrade.errors import RefusedToStart

    try:
        raw = found.state.load()
        return (Decimal(0), ()) if raw is None else may_rest(raw)
    except (OSError, StateBroken, RefusedToStart):
        return Decimal(0), ()


def _resting(orders: Iterable[OwnOrder]) -> str:
    """What may rest, and until when at most: each order expires at the exchange by itself."""
    orders = tuple(orders)
    until = max(order.expiration for order in orders)
    many = "1 order of ours" if len(orders) == 1 else f"{len(orders)} orders of ours"
    return f"{many} may rest, until {_time(until)} at most"


def _time(seconds: Decimal) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
