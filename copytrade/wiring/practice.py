"""Embedded exchanges on loopback: the demo's, and one to practice with. Their throwaway keys sign for nothing else."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from copytrade.adapters.system_clock import SystemClock
from copytrade.app.config import Config, read_config
from copytrade.errors import BadInput, Fault

if TYPE_CHECKING:
    from copytrade.adapters.signing import OrderSigner


@frozen(kw_only=True)
class Demo:
    """An embedded exchange that is being served, and a run's settings and signer that fit it."""

    config: Config
    signer: OrderSigner
    seconds: int  # how long its story takes
    told: Callable[[], tuple[str, ...]]  # what has happened there so far, in words


@contextlib.asynccontextmanager
async def demonstration(folder: Path) -> AsyncIterator[Demo]:
    """Serve the demo's world on loopback, with a throwaway key that signs for nothing else. Files go to `folder`."""
    from eth_account import Account

    from copytrade.adapters.signing import OrderSigner
    from copytrade.adapters.simulated.demo import DEMO_SEC, SETTINGS, demo_world
    from copytrade.adapters.simulated.scenario import LEADER
    from copytrade.adapters.simulated.server import serve

    key = "0x" + secrets.token_hex(32)
    address = str(Account.from_key(key).address)
    world = demo_world(SystemClock().now, me=address, signer=address, signature_type=0)
    async with serve(world) as urls:
        flags = {
            **SETTINGS,
            "target_address": LEADER,
            "my_address": address,
            "signature_type": 0,
            "state_path": folder / "state.json",
            "journal_dir": folder / "journal",
            "data_api_url": urls.data_api_url,
            "gamma_api_url": urls.gamma_api_url,
            "clob_url": urls.clob_url,
            "geoblock_url": urls.geoblock_url,
        }
        yield Demo(
            config=read_config(None, flags, source="the demo", live=True),
            signer=OrderSigner(key, funder=address, signature_type=0),
            seconds=DEMO_SEC,
            told=lambda: tuple(event.words for event in world.told if event.words),
        )


@frozen(kw_only=True)
class Practice:
    """An embedded exchange to point `init`, `doctor` and `run` at."""

    flags: tuple[tuple[str, str], ...]  # of `init`
    told: Callable[[], tuple[str, ...]]  # what has happened there so far, in words; asking lets its time go on


@contextlib.asynccontextmanager
async def practice(folder: Path, *, port: int) -> AsyncIterator[Practice]:
    """Serve a world that goes on until the block ends; the throwaway key of its wallet is left in `folder`.

    Raises BadInput where the ports are taken.
    """
    from eth_account import Account

    from copytrade.adapters.files import write_new
    from copytrade.adapters.simulated.demo import practice_world
    from copytrade.adapters.simulated.scenario import LEADER
    from copytrade.adapters.simulated.server import serve

    key = "0x" + secrets.token_hex(32)
    address = str(Account.from_key(key).address)
    world = practice_world(SystemClock().now, me=address, signer=address)
    key_file = folder / "throwaway_key"
    write_new(key_file, key.encode() + b"\n")
    async with contextlib.AsyncExitStack() as stack:
        try:
            urls = await stack.enter_async_context(serve(world, port=port))
        except (OSError, OverflowError) as error:
            got = f"{port} ({getattr(error, 'strerror', None) or error})"
            fault = Fault(path="--port", got=got, wants="the first of four free ports in a row, or 0 for any")
            raise BadInput("the command line", [fault], "nothing was started") from None

        def told() -> tuple[str, ...]:
            world.now()
            return tuple(event.words for event in world.told if event.words)

        flags = {
            "--target": LEADER,
            "--my-address": address,
            "--signature-type": "0",
            "--poll": "5",
            "--data-api-url": urls.data_api_url,
            "--gamma-api-url": urls.gamma_api_url,
            "--clob-url": urls.clob_url,
            "--geoblock-url": urls.geoblock_url,
            "--key-in": "keystore",
            "--key-file": str(key_file),
        }
        yield Practice(flags=tuple(flags.items()), told=told)
