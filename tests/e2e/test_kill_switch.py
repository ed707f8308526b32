"""`copytrade stop`: within a moment nothing of ours rests, and nothing is placed until it is lifted.

The run of these tests polls once in eleven days: what happens sooner happens because it was woken.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.server import Urls, serve
from copytrade.adapters.simulated.world import World
from copytrade.adapters.stop_file import StopFile
from copytrade.app import cli, loop
from copytrade.app.config import Config
from copytrade.app.outcomes import Cycle
from copytrade.wiring import running
from tests.e2e.driving import (
    D,
    assert_replays,
    config_of,
    ended,
    journal_of,
    ours,
    run,
    signer,
    started,
    until,
    world_of,
    write_config,
)

RARELY = D(10**6)


def reasons(line) -> set[str]:
    return {decision["reason"] for decision in json.loads(line)["plan"]["decisions"]}


def posted(world) -> int:
    return sum(asked.endpoint in (Endpoint.POST_ORDERS, Endpoint.POST_ORDER) for asked in world.asked)


@asynccontextmanager
async def following(config: Config) -> AsyncIterator[list[Cycle]]:
    """A run in this process; its cycles."""
    cycles: list[Cycle] = []
    stop = asyncio.Event()
    async with running.opened(config, signer()) as ready:
        run_ = asyncio.ensure_future(
            loop.follow(
                ready.trader,
                clock=ready.clock,
                stop=stop,
                poll_interval_sec=config.poll_interval_sec,
                watch=cycles.append,
                jitter=lambda: D(0),
            )
        )
        yield cycles
        stop.set()
        await run_


def served(world: World, story: Callable[[Urls], Awaitable[list[Cycle]]]) -> list[Cycle]:
    """What comes of the story, told on this world."""

    async def talk() -> list[Cycle]:
        async with serve(world) as urls:
            return await story(urls)

    return asyncio.run(talk())


class TestARunThatIsThere:
    def test_takes_everything_down_and_stays_stopped_over_a_restart_until_it_is_lifted(self, tmp_path):
        world = world_of(tokens=3)

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path, poll_interval_sec=RARELY)
                async with started(tmp_path, "--yes") as process:
                    await until(lambda: len(ours(world)) == 3)
                    stop = await run(tmp_path, key=None, command="stop")
                    assert (stop.code, stop.err) == (0, "")
                    assert "nothing of ours rests" in stop.out
                    assert ours(world) == []
                    process.send_signal(signal.SIGTERM)
                    first = await ended(process)
                assert first.code == 0, first.err
                before = posted(world)
                second = await run(tmp_path, "--once", "--yes")
                assert second.code == 0
                assert "note: everything is stopped" in second.err
                assert posted(world) == before
                StopFile(tmp_path / "state.json").lift()
                third = await run(tmp_path, "--once", "--yes")
                assert third.code == 0
                assert len(ours(world)) == 3
                return first, second

        first, second = asyncio.run(talk())
        assert "STOPPED" in first.out + second.out
        lines = journal_of(tmp_path)
        assert reasons(lines[0]) == {"QUOTED"}
        assert [reasons(line) for line in lines[1:-1]] == [{"STOPPED"}] * (len(lines) - 2)
        assert reasons(lines[-1]) == {"QUOTED"}
        assert json.loads(lines[1])["snapshot"]["stopped"] is True
        assert_replays(tmp_path, 3)

    def test_goes_on_by_itself_once_it_is_lifted(self, tmp_path):
        world, switch = world_of(tokens=2), StopFile(tmp_path / "state.json")

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                async with started(tmp_path, "--yes") as process:
                    await until(lambda: len(ours(world)) == 2)
                    switch.throw("a test")
                    await until(lambda: ours(world) == [])
                    world.forget_requests()
                    await until(lambda: world.count[Endpoint.OPEN_ORDERS] > 3)
                    assert (posted(world), ours(world)) == (0, [])
                    switch.lift()
                    await until(lambda: len(ours(world)) == 2)
                    process.send_signal(signal.SIGTERM)
                    return await ended(process)

        assert asyncio.run(talk()).code == 0
        assert not switch.thrown()

    @pytest.mark.parametrize("after_effect", [True, pytest.param(False, marks=pytest.mark.slow)])
    def test_a_post_that_got_no_answer_is_taken_down_as_well(self, after_effect, tmp_path):
        """It is in no listing yet, and may rest all the same."""
        world = world_of(tokens=2)
        world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.DROP, after_effect=after_effect))

        async def story(urls):
            async with following(config_of(urls, tmp_path, poll_interval_sec=RARELY)) as cycles:
                await until(lambda: len(cycles) == 1)
                StopFile(tmp_path / "state.json").throw("a test")
                await until(lambda: len(cycles) >= 2)
                assert ours(world) == []
                return cycles

        cycles = served(world, story)
        assert cycles[1].snapshot.stopped


class TestAnActionInHand:
    def test_places_that_were_planned_are_dropped(self, tmp_path):
        """The switch is thrown while the plan's cancels are on their way."""
        world = world_of(tokens=2, leader_holds="300")

        async def story(urls):
            async with following(config_of(urls, tmp_path, poll_interval_sec=D("0.2"), order_ttl_sec=D(1))) as cycles:
                await until(lambda: len(ours(world)) == 2)
                world.faults.add(Endpoint.CANCEL_ORDERS, Fault(kind=Kind.NONE, delay_sec=0.3))
                await until(lambda: world.at_once[Endpoint.CANCEL_ORDERS] > 0)
                before = posted(world)
                StopFile(tmp_path / "state.json").throw("a test")
                await until(lambda: any(cycle.snapshot.stopped for cycle in cycles))
                assert (posted(world), ours(world)) == (before, [])
                return cycles

        cycles = served(world, story)
        assert "a stop came first" in [result.words for cycle in cycles for result in cycle.results]


class TestAStartWhileStopped:
    def test_takes_down_what_the_last_run_left_and_asks_nobody_about_sales(self, tmp_path):
        world = world_of(tokens=2, mine={1: "90"})

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path, on_stop="keep")
                await run(tmp_path, "--once", "--yes")
                assert len(ours(world)) == 2
                stop = await run(tmp_path, key=None, command="stop")
                assert stop.code == 0
                assert "no run uses this state now" in stop.out
                assert "2 orders of ours may rest, until 20" in stop.out
                return await run(tmp_path, "--once")  # without --yes: nothing is sold, so nobody need say so

        end = asyncio.run(talk())
        assert end.code == 0, end.err
        assert ours(world) == []
        assert "STOPPED" in end.out

    def test_a_dry_run_shows_it(self, tmp_path):
        world = world_of(tokens=1)

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                StopFile(tmp_path / "state.json").throw("a test")
                return await run(tmp_path, "--dry-run", "--once", key=None)

        end = asyncio.run(talk())
        assert "note: everything is stopped" in end.err
        assert "STOPPED" in end.out
        assert "BUY" not in end.out


class TestTheCommand:
    def said(self, capsys, *args):
        with pytest.raises(SystemExit) as exit_:
            cli.main(["stop", *args])
        captured = capsys.readouterr()
        return exit_.value.code or 0, captured.out, captured.err

    def test_where_no_run_has_ever_been_nothing_is_stopped_and_that_is_an_error(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        code, out, err = self.said(capsys)
        assert (code, out) == (2, "")
        assert "NOTHING WAS STOPPED; name it with --config or --state" in err
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_is_no_state(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "data").mkdir()
        assert self.said(capsys, "--state", "data")[0] == 2
        assert [path.name for path in tmp_path.iterdir()] == ["data"]

    def test_a_broken_configuration_is_no_hindrance(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "data").mkdir()
        (tmp_path / "data/s.json").write_bytes(b"")
        (tmp_path / "copytrade_config.json").write_text(
            '{"state_path": "data/s.json", "slize_max": "x", "private_key": "y"}'
        )
        code, out, _ = self.said(capsys)
        assert code == 0
        assert "no run uses this state now" in out
        assert (tmp_path / "data/s.json.stop").exists()
        assert self.said(capsys, "--lift")[1] == "lifted: the next run trades\n"
        assert not (tmp_path / "data/s.json.stop").exists()
        assert self.said(capsys, "--lift")[1].startswith("nothing was stopped: there is no ")

    @pytest.mark.parametrize("raw", ["", "[]", "{", '{"state_path": 5}', '{"state_path": ""}'])
    def test_one_that_does_not_say_where_the_state_is(self, raw, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "copytrade_config.json").write_text(raw)
        code, out, err = self.said(capsys)
        assert (code, out) == (2, "")
        assert "NOTHING WAS STOPPED; name the state file with --state" in err
        (tmp_path / "state.json").write_bytes(b"")
        assert self.said(capsys, "--state", "state.json")[0] == 0

    def test_a_folder_that_takes_no_file_is_told_loudly(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "state.json").write_bytes(b"")
        (tmp_path / "state.json.stop").symlink_to(tmp_path / "nowhere/else")  # which is a stop, too: it is there
        assert "stopped already" in self.said(capsys)[1]
