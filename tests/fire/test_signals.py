"""SIGTERM in each phase of a cycle: exit code 0 in time, nothing of ours rests, nothing is said on standard error."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.server import serve
from tests.e2e.driving import D, Ended, ended, ours, started, until, world_of, write_config
from tests.fire.truth import assert_state_is_readable, in_state, watched

STOP_SEC = 10

# Slow to make the first file durable of which it is told to be; it says when it begins.
SLOW_DISK = """
import os, time
real = os.fsync
def fsync(fd):
    if os.path.exists({armed!r}):
        os.remove({armed!r})
        open({begun!r}, "w").close()
        time.sleep(0.5)
    return real(fd)
os.fsync = fsync
"""


class Phase:
    """A moment of a cycle: how to make it last, and how to see that it has come."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.name = name
        self.world = world_of(tokens=2, leader_holds="300")
        self.hook = ""
        self.settings: dict[str, object] = {"order_ttl_sec": D(60), "settle_timeout_sec": D(120)}
        self.armed, self.begun = folder / f"{name}.armed", folder / f"{name}.begun"
        if name == "saving":
            self.hook = SLOW_DISK.format(armed=str(self.armed), begun=str(self.begun))
        if name == "cancelling":
            self.settings = {"order_ttl_sec": D("0.2")}
        if name == "sleeping":
            self.settings["poll_interval_sec"] = D(600)

    async def come(self) -> None:
        """Two orders rest (or are about to); now wait until the phase has come, and make it last."""
        world = self.world
        if self.name == "posting":
            world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, delay_sec=0.6))
            await self._under_way(Endpoint.POST_ORDERS)
            return
        await until(lambda: len(ours(world)) == 2)
        if self.name == "asking":
            await self._delayed(Endpoint.POSITIONS_V2, 5.0)
        elif self.name == "cancelling":
            await self._delayed(Endpoint.CANCEL_ORDERS, 0.6)
        elif self.name == "saving":
            self.armed.touch()
            await until(self.begun.exists)
        else:
            await until(lambda: any(self.folder.glob("journal/*.jsonl")))

    async def _delayed(self, endpoint: Endpoint, seconds: float) -> None:
        self.world.at_once[endpoint] = 0
        self.world.faults.add(endpoint, Fault(kind=Kind.NONE, delay_sec=seconds))
        await until(lambda: not self.world.faults.waiting.get(endpoint))

    async def _under_way(self, endpoint: Endpoint) -> None:
        await until(lambda: self.world.at_once[endpoint] > 0)

    async def stopped(self) -> Ended:
        async with serve(self.world) as urls:
            write_config(urls, self.folder, **self.settings)
            async with started(self.folder, "--yes", hook=self.hook) as process:
                await self.come()
                process.send_signal(signal.SIGTERM)
                return await ended(process)


class TestStoppedInEachPhase:
    """DESIGN 9: finish the action in hand, cancel own resting orders, save, exit 0 within 10 s."""

    @pytest.mark.parametrize(
        "names",
        [("cancelling", "posting", "saving"), pytest.param(("asking", "sleeping"), marks=pytest.mark.slow)],
        ids=" ".join,
    )
    def test_in_each_phase(self, names, tmp_path):
        phases = [Phase(tmp_path, name) for name in names]

        async def talk():
            return await asyncio.gather(*(phase.stopped() for phase in phases))

        with ExitStack() as stack:
            truths = [stack.enter_context(watched(phase.world)) for phase in phases]
            ends = asyncio.run(talk())
        for phase, end, truth in zip(phases, ends, truths, strict=True):
            assert (phase.name, end.code, end.err) == (phase.name, 0, "")
            assert end.seconds < STOP_SEC, phase.name
            assert (phase.name, ours(phase.world)) == (phase.name, [])
            assert "the state is saved" in end.out, phase.name
            assert truth.wrongs == []
            assert len(truth.accepted) >= 2
            assert_state_is_readable(phase.folder)
            assert in_state(phase.folder, "open_orders")["open_orders"] == 0
