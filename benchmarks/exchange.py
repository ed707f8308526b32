"""The embedded exchange in a process of its own, as the real one is not in ours either; told what to do on its input.

    python benchmarks/exchange.py TOKENS LATENCY_SEC      => {"data_api_url": …, "gamma_api_url": …, "clob_url": …}
    {"do": "hold", "tokens": 50, "size": "200"}           the leader now holds so much of the first 50   => {"at": …}
    {"do": "tell"}                                        what was asked for since "hold"  => {"asked": […], "busy": 0}

It keeps its limits: 60 orders at once and 40 a second, 120 cancels and 80 a second, one batch of 15 orders at most.
"""

from __future__ import annotations

import asyncio
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.facts import ADDRESS  # noqa: E402
from copytrade.adapters.simulated import server  # noqa: E402
from copytrade.adapters.simulated.scenario import LEADER, small_world, yes_of  # noqa: E402
from copytrade.adapters.simulated.server import serve  # noqa: E402
from copytrade.adapters.simulated.world import World  # noqa: E402
from copytrade.adapters.system_clock import SystemClock  # noqa: E402


class Counting:
    """How many requests were answered with 429."""

    def __init__(self) -> None:
        self.busy = 0
        respond = server._response  # noqa: SLF001  # the one way out of the server

        def counted(answer: Any) -> Any:
            self.busy += answer.status == 429
            return respond(answer)

        server._response = counted  # noqa: SLF001


async def main(tokens: int, latency_sec: float) -> None:
    """Serve until the input ends."""
    counting, clock = Counting(), SystemClock()
    held = dict.fromkeys(range(tokens), "20")  # the leader's 100 of each, followed to the share
    world = small_world(clock.now, me=ADDRESS, signer=ADDRESS, tokens=tokens, mine=held, cash="1000000")
    world.latency_sec = latency_sec
    loop = asyncio.get_running_loop()
    async with serve(world) as urls:
        _say({"data_api_url": urls.data_api_url, "gamma_api_url": urls.gamma_api_url, "clob_url": urls.clob_url})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            _say(_done(world, counting, json.loads(line)))


def _done(world: World, counting: Counting, asked: dict[str, Any]) -> dict[str, Any]:
    if asked["do"] == "hold":
        for number in range(asked["tokens"]):
            world.exchange.hold(LEADER, yes_of(world, number), Decimal(asked["size"]))
        world.forget_requests()
        counting.busy = 0
        return {"at": str(world.now())}
    rows = [[each.endpoint, str(each.at), each.items] for each in world.asked]
    resting = sum(len(wallet.live) for wallet in world.exchange.wallets.values())
    return {"asked": rows, "busy": counting.busy, "resting": resting}


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
