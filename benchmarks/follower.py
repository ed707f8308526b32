"""A run of the real program over HTTP against an exchange in another process: connections, signatures, files."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.facts import ADDRESS as ME
from benchmarks.facts import KEY
from benchmarks.revisions import running
from copytrade.adapters.signing import OrderSigner
from copytrade.adapters.simulated.scenario import LEADER
from copytrade.app.config import Config, read_config
from copytrade.app.outcomes import Cycle

T = TypeVar("T")
_SCRIPT = Path(__file__).with_name("exchange.py")


class Exchange:
    """The other process."""

    def __init__(self, tokens: int, latency_sec: float) -> None:
        args = [sys.executable, str(_SCRIPT), str(tokens), str(latency_sec)]
        self._process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.urls = self._heard()

    def ask(self, **asked: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


class Follower:
    """An exchange, and a run against it that is ready to go around."""

    def __init__(self, tokens: int, folder: Path, *, latency_sec: float = 0.05) -> None:
        self.exchange = Exchange(tokens, latency_sec)
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        flags = {
            **self.exchange.urls,
            "target_address": LEADER,
            "my_address": ME,
            "signature_type": 0,
            "max_notional_total": 1_000_000,
            "state_path": folder / "state.json",
            "journal_dir": folder / "journal",
        }
        self.config: Config = read_config(None, flags, source="the benchmark", live=True)
        signer = OrderSigner(KEY, funder=ME, signature_type=0)
        self._run = self._do(self._stack.enter_async_context(running().opened(self.config, signer)))

    def cycle(self) -> Cycle:
        """Go around once."""
        done: Cycle = self._do(self._run.trader.cycle())
        return done

    def requests(self) -> int:
        """How many requests have left so far."""
        sent: int = self._run.requests()
        return sent

    def answer_to(self, tokens: int, size: str) -> tuple[float, str]:
        """The leader takes so many outcomes: seconds from the start of our next cycle until our last order was there.

        By the exchange's clock, which is this machine's too: an order is there when its batch is looked at.
        """
        self.exchange.ask(do="hold", tokens=tokens, size=size)
        cycle = self.cycle()
        told = self.exchange.ask(do="tell")
        posts = [Decimal(at) for name, at, _ in told["asked"] if name == "POST /orders"]
        placed = sum(items for name, _, items in told["asked"] if name == "POST /orders")
        note = f"{placed} orders in {len(posts)} batches, {told['busy']} times 429, {len(told['asked'])} requests"
        return float(max(posts) - cycle.started_at), note

    def close(self) -> None:
        """Close connections, files and the exchange."""
        self._do(self._stack.aclose())
        self._loop.close()
        self.exchange.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)
