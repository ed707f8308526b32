"""`copytrade run` on a terminal: the view is drawn in place, the terminal given back, and losing it loses nothing."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from copytrade.adapters.simulated.server import serve
from copytrade.adapters.simulated.world import World
from tests.e2e.driving import ours, started, until, world_of, write_config
from tests.e2e.terminal import ENTER, LEAVE, SHOW_CURSOR, Terminal, on_terminal

ROOT = Path(__file__).resolve().parents[2]


def run_on_terminal(tmp_path: Path, world: World, play, *args: str, **settings) -> Terminal:
    """Run against `world` on a terminal, and let `play` do what a person does there."""

    async def talk() -> Terminal:
        async with serve(world) as urls:
            write_config(urls, tmp_path, order_ttl_sec=30, settle_timeout_sec=90)
            async with on_terminal(tmp_path, *args, **settings) as terminal:
                await play(terminal)
                return terminal

    return asyncio.run(talk())


def shown(terminal: Terminal, words: str) -> bool:
    return any(words in line for line in terminal.last_frame)


def assert_sane(terminal: Terminal) -> None:
    """What was entered was left, in pairs, and the cursor is there again."""
    said = terminal.said
    assert said.count(ENTER) == said.count(LEAVE) > 0
    assert said.rindex(LEAVE) > said.rindex(ENTER)
    assert said.rindex(SHOW_CURSOR) > said.rindex("\x1b[?25l")


class TestTheView:
    def test_it_is_drawn_in_place_follows_a_resize_and_gives_the_terminal_back(self, tmp_path):
        world = world_of(tokens=40)

        async def play(terminal: Terminal) -> None:
            await terminal.until(lambda: shown(terminal, "order or why") and shown(terminal, "more:"))
            assert max(map(len, terminal.last_frame)) <= 80
            assert len(terminal.last_frame) <= 24
            terminal.resize(120, 50)
            await terminal.until(lambda: any("  why" in line for line in terminal.last_frame))
            assert 80 < max(map(len, terminal.last_frame)) <= 120
            terminal.send(signal.SIGINT)
            assert await terminal.ended() == 0

        terminal = run_on_terminal(tmp_path, world, play)
        assert_sane(terminal)
        assert "\x1b[32m" in terminal.said
        assert "stopped after " in terminal.said.rpartition(LEAVE)[2]
        assert ours(world) == []

    def test_the_start_prompt_comes_before_it(self, tmp_path):
        world = world_of(tokens=1, mine={1: "40"})

        async def play(terminal: Terminal) -> None:
            await terminal.until(lambda: "Go on? [y/N]" in terminal.said)
            assert ENTER not in terminal.said
            assert not ours(world)
            terminal.type("y\n")
            await terminal.until(lambda: shown(terminal, "SELL") and bool(ours(world)))
            terminal.send(signal.SIGTERM)
            assert await terminal.ended() == 0

        assert_sane(run_on_terminal(tmp_path, world, play))

    @pytest.mark.slow
    def test_a_no_leaves_the_terminal_alone(self, tmp_path):
        async def play(terminal: Terminal) -> None:
            await terminal.until(lambda: "Go on? [y/N]" in terminal.said)
            terminal.type("n\n")
            assert await terminal.ended() == 3

        terminal = run_on_terminal(tmp_path, world_of(tokens=1, mine={1: "40"}), play)
        assert ENTER not in terminal.said
        assert "the start was not confirmed" in terminal.said

    @pytest.mark.slow
    @pytest.mark.parametrize(("args", "env"), [(("--plain",), {}), ((), {"TERM": "dumb"})])
    def test_plain_lines_have_no_escapes(self, tmp_path, args, env):
        async def play(terminal: Terminal) -> None:
            await terminal.until(lambda: "cycle 2 " in terminal.said)
            terminal.send(signal.SIGINT)
            assert await terminal.ended() == 0

        assert "\x1b" not in run_on_terminal(tmp_path, world_of(tokens=2), play, *args, **env).said

    @pytest.mark.slow
    @pytest.mark.parametrize(("args", "env"), [(("--no-color",), {}), ((), {"NO_COLOR": "1"})])
    def test_without_colour(self, tmp_path, args, env):
        async def play(terminal: Terminal) -> None:
            await terminal.until(lambda: shown(terminal, "BUY"))
            terminal.send(signal.SIGINT)
            assert await terminal.ended() == 0

        terminal = run_on_terminal(tmp_path, world_of(tokens=2), play, *args, **env)
        assert_sane(terminal)
        assert not any(f"\x1b[{number}m" in terminal.said for number in range(30, 48))

    @pytest.mark.slow
    def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(self, tmp_path):
        async def play(terminal: Terminal) -> None:
            await terminal.until(lambda: shown(terminal, "BUY"))
            terminal.send(signal.SIGTSTP)
            await terminal.until(lambda: _asleep(terminal.pid))
            assert_sane(terminal)
            terminal.send(signal.SIGCONT)
            await terminal.until(lambda: terminal.said.count(ENTER) == 2)
            terminal.send(signal.SIGINT)
            assert await terminal.ended() == 0

        assert_sane(run_on_terminal(tmp_path, world_of(tokens=2), play))


def _asleep(pid: int) -> bool:
    """Is the process stopped? By what the kernel says of it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


class TestNobodyLooks:
    """A run ends in order where its terminal is closed, and trades on where nobody reads what it says."""

    def test_a_terminal_that_is_closed_ends_the_run_as_a_stop_does(self, tmp_path):
        world = world_of(tokens=2)

        async def play(terminal: Terminal) -> None:
            await terminal.until(lambda: shown(terminal, "BUY"))
            assert ours(world)
            terminal.hang_up()
            assert await terminal.ended() == 0

        run_on_terminal(tmp_path, world, play)
        assert ours(world) == []

    @pytest.mark.slow
    def test_a_terminal_that_takes_nothing_stops_nothing(self, tmp_path):
        """Ctrl-S, or a link that is stuck: nobody reads any more, and the terminal's buffer is full."""
        world = world_of(tokens=30)

        async def play(terminal: Terminal) -> None:
            await terminal.until(lambda: shown(terminal, "BUY"))
            before = len(lines_of(tmp_path))
            await until(lambda: len(lines_of(tmp_path)) >= before + 40)  # nothing is read meanwhile
            terminal.send(signal.SIGTERM)
            await until(lambda: not ours(world))
            assert await terminal.ended() == 0

        run_on_terminal(tmp_path, world, play)

    def test_a_pipe_whose_reader_is_gone_stops_nothing(self, tmp_path):
        world = world_of(tokens=2)

        async def talk() -> int | None:
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                async with started(tmp_path) as process:
                    assert process.stdout is not None
                    await process.stdout.readline()
                    process.stdout._transport.close()  # type: ignore[attr-defined]  # there is no other way to stop reading
                    before = len(lines_of(tmp_path))
                    await until(lambda: len(lines_of(tmp_path)) >= before + 5)
                    os.kill(process.pid, signal.SIGTERM)
                    _, err = await process.communicate()
                    assert b"nobody reads standard output any more: the run goes on" in err
                    return process.returncode

        assert asyncio.run(talk()) == 0
        assert ours(world) == []


# The third plan of the process finds a bug of ours.
BUG = """
from copytrade.app import cycle
real, calls = cycle.plan, []
def plan(snapshot):
    calls.append(1)
    if len(calls) == 3: raise ZeroDivisionError('a bug of ours')
    return real(snapshot)
cycle.plan = plan
"""


class TestABug:
    """It ends the run with its traceback, where a person sees it, after the orders were taken down."""

    def test_on_a_terminal_it_is_shown_when_the_view_is_gone(self, tmp_path):
        world = world_of(tokens=2)

        async def play(terminal: Terminal) -> None:
            assert await terminal.ended() == 1

        terminal = run_on_terminal(tmp_path, world, play, hook=BUG)
        assert_sane(terminal)
        after = terminal.said.rpartition(LEAVE)[2]
        assert "ZeroDivisionError: a bug of ours" in after
        assert "uncaught_exception" in after
        assert ours(world) == []

    @pytest.mark.slow
    def test_in_a_log_it_is_an_event_and_the_traceback_is_on_standard_error(self, tmp_path):
        world = world_of(tokens=2)

        async def talk() -> tuple[int | None, bytes, bytes]:
            async with serve(world) as urls:
                write_config(urls, tmp_path, order_ttl_sec=30, settle_timeout_sec=90)
                async with started(tmp_path, "--log-format", "json", hook=BUG) as process:
                    out, err = await process.communicate()
                    return process.returncode, out, err

        code, out, err = asyncio.run(talk())
        assert code == 1
        last = json.loads(out.splitlines()[-1])
        assert (last["event"], last["words"], last["kind"]) == ("run_failed", "a bug of ours", "ZeroDivisionError")
        assert "ZeroDivisionError: a bug of ours" in json.loads(err)["exception"]
        assert ours(world) == []


class TestStatus:
    """`copytrade status` beside a run: it sees it, and the run does not notice."""

    def test_while_it_runs_and_after_it_stopped(self, tmp_path):
        world = world_of(tokens=3)

        async def look(*args: str) -> str:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "copytrade", "status", *args,
                cwd=tmp_path, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            out, _ = await process.communicate()
            assert process.returncode == 0
            return out.decode()

        async def talk() -> tuple[object, str]:
            async with serve(world) as urls:
                write_config(urls, tmp_path, order_ttl_sec=30, settle_timeout_sec=90)
                async with started(tmp_path) as process:
                    await until(lambda: len(lines_of(tmp_path)) >= 2 and len(ours(world)) == 3)
                    during = json.loads(await look("--json"))
                    assert (during["running"], during["pid"]) == (True, process.pid)
                    assert len(during["orders"]) == 3
                    before = len(lines_of(tmp_path))
                    await until(lambda: len(lines_of(tmp_path)) >= before + 2)
                    process.send_signal(signal.SIGTERM)
                    await process.wait()
                return during, await look()

        _, after = asyncio.run(talk())
        assert " STOPPED " in after
        assert "0 orders of ours may rest" in after

    def test_it_is_watched_on_a_terminal(self, tmp_path):
        world = world_of(tokens=3)

        async def talk() -> Terminal:
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                async with started(tmp_path):
                    await until(lambda: len(lines_of(tmp_path)) >= 2)
                    watching = on_terminal(tmp_path, "--watch", "--every", "0.2", command="status")
                    async with watching as terminal:
                        await terminal.until(lambda: shown(terminal, "RUNNING") and shown(terminal, "Market"))
                        first = terminal.last_frame
                        await terminal.until(lambda: terminal.last_frame[1] != first[1])
                        terminal.type("\x03")  # Ctrl-C
                        assert await terminal.ended() == 0
                        return terminal

        assert_sane(asyncio.run(talk()))


def lines_of(folder: Path) -> list[str]:
    """The journal so far."""
    return [line for path in (folder / "journal").glob("*.jsonl") for line in path.read_text().splitlines()]
