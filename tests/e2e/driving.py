"""The real program, driven against the embedded exchange: in this process, or as `copytrade run` in one of its own.

What is watched is watched in the exchange, at the moment that it happens: `Watch` sees every order before it is
accepted. Waiting is for a state of the world, with a generous bound; nothing here sleeps and hopes.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from copytrade.adapters.journal_file import read_lines
from copytrade.adapters.signing import OrderSigner
from copytrade.adapters.simulated.records import Hits, Manners, NewOrder
from copytrade.adapters.simulated.rules import Exchange
from copytrade.adapters.simulated.scenario import LEADER, small_world
from copytrade.adapters.simulated.server import Urls
from copytrade.adapters.simulated.world import World
from copytrade.adapters.system_clock import SystemClock
from copytrade.app.config import Config, read_config
from copytrade.app.cycle import Approve
from copytrade.app.documents import decode_snapshot, plan_object
from copytrade.app.loop import Ending, follow
from copytrade.app.outcomes import Cycle
from copytrade.app.writing import to_json
from copytrade.domain.model import Side
from copytrade.domain.plan import plan
from copytrade.wiring import running

D = Decimal
ROOT = Path(__file__).parents[2]
KEY = "0x" + "5a" * 32  # signs for play money only
BOUND_SEC = 30.0  # no wait takes nearly as long, unless the program is wrong
QUICK = {
    "poll_interval_sec": D("0.1"),
    "order_ttl_sec": D(2),
    "settle_timeout_sec": D(62),
    "fill_grace_sec": D(1),
    "polls_to_shrink": 2,
}
BUSY = Hits(mean_sec=0.08, least=D(3), most=D(30))  # an outside world that takes much, and often a part


def signer() -> OrderSigner:
    return OrderSigner(KEY, funder=ME, signature_type=0)


ME = OrderSigner(KEY, funder="0x" + "00" * 19 + "01", signature_type=1).address


def world_of(**settings: object) -> World:
    """A small world in our time, with our wallet in it."""
    return small_world(SystemClock().now, me=ME, signer=ME, **settings)  # type: ignore[arg-type]  # handed on as it is


def busy() -> Manners:
    return Manners(hits=BUSY, mined_after=D("0.2"), confirmed_after=D("0.5"))


def settings_of(urls: Urls, folder: Path, **settings: object) -> dict[str, object]:
    """Every setting of a quick run, by the names of the configuration."""
    return {
        "target_address": LEADER,
        "my_address": ME,
        "signature_type": 0,
        "state_path": folder / "state.json",
        "journal_dir": folder / "journal",
        "data_api_url": urls.data_api_url,
        "gamma_api_url": urls.gamma_api_url,
        "clob_url": urls.clob_url,
        "geoblock_url": urls.geoblock_url,
        **QUICK,
        **settings,
    }


def config_of(urls: Urls, folder: Path, *, live: bool = True, **settings: object) -> Config:
    return read_config(None, settings_of(urls, folder, **settings), source="the test", live=live)


# -- in this process --------------------------------------------------------------------------------------------------


@define(kw_only=True)
class Story:
    """What a run did."""

    cycles: list[Cycle] = field(factory=list)
    requests: list[int] = field(factory=list)  # of each cycle
    ending: Ending | None = None


async def run_until(
    config: Config,
    enough: Callable[[Story], bool],
    *,
    approve: Approve | None = None,
    once: bool = False,
    dry: bool = False,
) -> Story:
    """Follow until `enough`, looked at after each cycle, says so; then stop as a signal would."""
    story, stop = Story(), asyncio.Event()
    async with (
        asyncio.timeout(BOUND_SEC),
        running.opened(config, None if dry else signer(), approve=approve) as ready,
    ):
        before = 0

        def watch(cycle: Cycle) -> None:
            nonlocal before
            story.cycles.append(cycle)
            story.requests.append(ready.requests() - before)
            before = ready.requests()
            if enough(story):
                stop.set()

        story.ending = await follow(
            ready.trader,
            clock=ready.clock,
            stop=stop,
            poll_interval_sec=config.poll_interval_sec,
            watch=watch,
            jitter=lambda: D(0),
            once=once,
        )
    return story


@define(kw_only=True)
class Watch:
    """Every order that reaches the exchange, and what is wrong with it at that moment."""

    posted: list[NewOrder] = field(factory=list)
    wrongs: list[str] = field(factory=list)

    def look(self, exchange: Exchange, new: NewOrder, *, slice_max: Decimal) -> None:
        self.posted.append(new)
        words = f"{new.side} {new.size} @ {new.price} of {new.token_id[:8]}"
        if resting := [order.order_id[:8] for order in exchange.resting(new.token_id) if order.wallet == new.wallet]:
            self.wrongs.append(f"{words}: {resting} rest there already")
        if not new.post_only:
            self.wrongs.append(f"{words}: not post-only")
        held = exchange.wallets[new.wallet].shares.get(new.token_id, D(0))
        market = exchange.market_of(new.token_id)
        assert market is not None, new.token_id
        if (
            new.size > slice_max
            and new.size != market[0].min_order_size
            and not (new.side is Side.SELL and new.size == held)
        ):
            self.wrongs.append(f"{words}: over slice_max {slice_max}, and neither the minimum nor all of {held}")


def gaps(world: World) -> dict[str, Decimal]:
    """The true gap of each token that the leader or we hold, in shares, where we follow a fifth of him."""
    leader, mine = world.exchange.wallets[LEADER].shares, world.exchange.wallets[ME.lower()].shares
    return {
        token_id: (leader.get(token_id, D(0)) * D("0.2")).quantize(D("0.01")) - mine.get(token_id, D(0))
        for token_id in leader.keys() | mine.keys()
    }


def ours(world: World) -> list[str]:
    """Ids of our resting orders."""
    return list(world.exchange.wallets[ME.lower()].live)


def journal_of(folder: Path) -> list[bytes]:
    return [line for path in sorted((folder / "journal").glob("*.jsonl")) for line in read_lines(path, report=print)]


def assert_replays(folder: Path, at_least: int) -> None:
    """Every line of the journal, decided again, gives the very same plan; and its actions are those that were done."""
    lines = journal_of(folder)
    assert len(lines) >= at_least
    for line in lines:
        written = json.loads(line)
        again = to_json(plan_object(plan(decode_snapshot(line))))
        assert json.loads(again)["actions"] == written["plan"]["actions"]
        assert b'"plan":' + again in line
        assert len(written["results"]) == len(written["plan"]["actions"])


# -- as a process of its own ------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Ended:
    """How a process ended, what it said, and how long that took once it was asked to stop."""

    code: int
    out: str
    err: str
    seconds: float = 0.0


def write_config(urls: Urls, folder: Path, **settings: object) -> Path:
    """A configuration file in `folder`; state and journal are beside it, as by default."""
    made = settings_of(urls, folder, **settings)
    made = {name: value for name, value in made.items() if name not in ("state_path", "journal_dir")}
    path = folder / "copytrade_config.json"
    path.write_text(json.dumps({name: float(v) if isinstance(v, Decimal) else v for name, v in made.items()}))
    return path


@asynccontextmanager
async def started(
    folder: Path,
    *args: str,
    key: str | None = KEY,
    command: str = "run",
    hook: str = "",
    environ: Mapping[str, str] | None = None,
    **how: Any,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`copytrade COMMAND ARGS` in `folder`, without a terminal. Killed if the block ends before it does.

    `hook` is Python that runs in it before anything of ours does: it makes the system calls of this one process odd.
    `how` goes to the process's making, as it is (`user`, `stdout` …).
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("COPYTRADE_")}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **(environ or {})}
    if key is not None:
        env["COPYTRADE_PRIVATE_KEY"] = key
    with tempfile.TemporaryDirectory() as hooks:
        if hook:
            Path(hooks, "sitecustomize.py").write_text(hook)  # noqa: ASYNC240  # a line or ten
            env["PYTHONPATH"] = f"{hooks}{os.pathsep}{ROOT}"
        pipes = dict.fromkeys(("stdout", "stderr"), asyncio.subprocess.PIPE)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "copytrade", command, *args,
            cwd=folder, env=env, stdin=asyncio.subprocess.DEVNULL, **{**pipes, **how},
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def ended(process: asyncio.subprocess.Process, *, within: float = BOUND_SEC) -> Ended:
    """Wait until it has ended by itself."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(within):
        out, err = await process.communicate()
    assert process.returncode is not None
    said, wrong = ((each or b"").decode() for each in (out, err))
    return Ended(code=process.returncode, out=said, err=wrong, seconds=loop.time() - begun)


async def run(folder: Path, *args: str, key: str | None = KEY, **how: Any) -> Ended:
    async with started(folder, *args, key=key, **how) as process:
        return await ended(process)


async def until(reached: Callable[[], bool]) -> None:
    """Wait for the world to get there."""
    async with asyncio.timeout(BOUND_SEC):
        while not reached():  # noqa: ASYNC110  # the world is a plain object, and tells nobody when it changes
            await asyncio.sleep(0.01)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what is in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
