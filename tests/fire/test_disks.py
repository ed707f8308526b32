"""A disk that is full, a folder that takes nothing, a screen that can't be written: nothing is bought twice or lost.

A full disk is made in two ways: by the kernel's limit on the size of files, which can be set on a running process and
works for everyone, and (`make fire`, as root) by a small file system that is filled to the brim.
"""

import asyncio
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from copytrade.adapters.simulated.faults import Endpoint
from copytrade.adapters.simulated.scenario import LEADER, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.app.config import Config
from copytrade.app.state import start_from
from tests.app.stage import Disk
from tests.e2e.driving import (
    D,
    config_of,
    ended,
    files,
    ours,
    run,
    run_until,
    started,
    until,
    world_of,
    write_config,
)
from tests.fire.truth import assert_state_is_readable, watched


def steady(urls, folder: Path, **settings: Any) -> Config:
    """Settings under which orders stay: in a file in `folder`, and as they are read from it."""
    settings = {"order_ttl_sec": D(60), "settle_timeout_sec": D(120), **settings}
    write_config(urls, folder, **settings)
    return config_of(urls, folder, **settings)


def limit(process: asyncio.subprocess.Process, size: int) -> None:
    """No file of this process grows beyond `size` bytes from now on: EFBIG, as a full disk says ENOSPC."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def cycles(world, number: int) -> None:
    """Wait until so many more cycles have begun."""
    begun = world.count[Endpoint.OPEN_ORDERS]
    await until(lambda: world.count[Endpoint.OPEN_ORDERS] > begun + number)


class TestAFullDisk:
    """DESIGN 3: intents are on the disk before they are posted; where they can't be, nothing is posted."""

    def test_from_the_start_nothing_is_sent_and_the_end_says_so(self, tmp_path):
        world = world_of(tokens=2)

        async def talk():
            async with serve(world) as urls:
                steady(urls, tmp_path)
                async with started(tmp_path, "--yes") as process:
                    limit(process, 0)
                    await cycles(world, 3)
                    process.send_signal(signal.SIGTERM)
                    return await ended(process)

        end = asyncio.run(talk())
        assert (end.code, world.exchange.orders) == (0, {})
        assert "outcome=dropped" in end.out
        assert "words='the state could not be saved'" in end.out
        assert "the journal could not be written" in end.out
        assert "the state is saved" not in end.out
        assert end.err.count("\n") == 1
        assert "the state could not be saved: File too large" in end.err
        assert not any((tmp_path / name).exists() for name in ("state.json", "state.json.tmp"))

    def test_in_the_middle_then_killed_then_freed(self, tmp_path):
        """What fills while nothing can be written is learned by the next process: no share is bought twice."""
        world = world_of(tokens=2)
        world.exchange.hold(LEADER, yes_of(world, 1), D(0))

        async def talk():
            async with serve(world) as urls:
                config = steady(urls, tmp_path)
                async with started(tmp_path, "--yes") as process:
                    await until(lambda: len(ours(world)) == 1)
                    await cycles(world, 1)
                    limit(process, 0)
                    world.exchange.hold(LEADER, yes_of(world, 1), D(100))
                    world.exchange.hit(ours(world)[0], D(12))
                    await cycles(world, 4)
                    assert len(truth.accepted) == 1  # nothing that the disk does not know
                    process.kill()
                    end = await ended(process)
                assert_state_is_readable(tmp_path)
                return end, await run_until(config, lambda _: len(truth.accepted) == 2)

        with watched(world) as truth:
            end, story = asyncio.run(talk())
        assert "outcome=dropped" in end.out
        assert "words='the state could not be saved'" in end.out
        assert end.err == ""
        assert [fill.shares for cycle in story.cycles for fill in cycle.fills] == [12]
        assert [order.token_id for order in truth.accepted] == [yes_of(world, 0), yes_of(world, 1)]
        assert truth.wrongs == []

    @pytest.mark.slow
    def test_filled_to_the_brim_and_freed_again(self, tiny_disk):
        world = world_of(tokens=2)

        async def talk():
            async with serve(world) as urls:
                steady(urls, tiny_disk)
                async with started(tiny_disk, "--yes") as process:
                    await until(lambda: len(ours(world)) == 2)
                    await cycles(world, 1)
                    brim = fill(tiny_disk)
                    world.exchange.hold(LEADER, yes_of(world, 0), D(300))
                    for order_id in ours(world):
                        world.exchange.hit(order_id, D(20))
                    await cycles(world, 4)
                    assert len(truth.accepted) == 2
                    brim.unlink()
                    await until(lambda: len(truth.accepted) == 3)
                    process.send_signal(signal.SIGTERM)
                    return await ended(process)

        with watched(world) as truth:
            end = asyncio.run(talk())
        assert (end.code, end.err) == (0, "")
        assert "No space left on device" in end.out
        assert "the state is saved" in end.out
        assert truth.wrongs == []
        assert_state_is_readable(tiny_disk)


class TestAFolderThatTakesNothing:
    """DESIGN 9: refused to start, exit code 3, one message that names the place, and nothing was asked or sent."""

    @pytest.mark.slow
    def test_a_file_stands_where_a_folder_or_a_file_should_be(self, tmp_path):
        world, folders = world_of(tokens=1), [tmp_path / name for name in ("state", "journal")]

        async def talk():
            async with serve(world) as urls:
                for folder in folders:
                    folder.mkdir()
                    steady(urls, folder)
                (folders[0] / "blocked").touch()
                (folders[1] / "journal").touch()
                flags: tuple[list[str], ...] = ["--state", "blocked/state.json"], []
                return await asyncio.gather(
                    *(run(each, "--yes", *more) for each, more in zip(folders, flags, strict=True))
                )

        ends = asyncio.run(talk())
        for end, words in zip(ends, ("blocked/state.json", "journal"), strict=True):
            assert (end.code, end.out) == (3, "")
            assert words in end.err
            assert "Traceback" not in end.err
        assert not world.asked

    @pytest.mark.slow
    def test_a_read_only_folder(self, read_only):
        world, folder = world_of(tokens=1), read_only.folder

        async def talk():
            async with serve(world) as urls:
                steady(urls, folder)
                read_only.close()
                return await asyncio.gather(run(folder, "--yes"), run(folder, "--once", "--dry-run", key=None))

        live, dry = asyncio.run(talk())
        assert live.code == 3
        assert f"state.json: the state cannot be kept there ({read_only.words})" in live.err
        assert "Make its folder writable" in live.err
        assert (dry.code, dry.err) == (0, "")  # it only looks, and writes nothing
        assert files(folder).keys() == {"copytrade_config.json"}
        assert world.exchange.orders == {}


class TestAScreenThatCannotBeWritten:
    """What is shown never ends a run that has orders resting: that is told once, on the other stream."""

    def test_a_full_one_and_a_closed_one_are_told_once_and_the_run_goes_on(self, tmp_path):
        world, (full, piped) = world_of(tokens=2), (tmp_path / "full", tmp_path / "piped")
        reader, writer = os.pipe()
        nowhere = os.open("/dev/full", os.O_WRONLY)

        async def talk():
            async with serve(world) as urls:
                for folder in (full, piped):
                    folder.mkdir()
                    steady(urls, folder)
                async with started(full, "--yes", stdout=nowhere) as process:
                    os.close(nowhere)
                    await until(lambda: len(ours(world)) == 2)
                    await cycles(world, 2)
                    process.send_signal(signal.SIGTERM)
                    first = await ended(process)
                async with started(piped, "--yes", stdout=writer) as process:
                    os.close(writer)
                    await cycles(world, 1)
                    os.close(reader)
                    await cycles(world, 3)
                    process.send_signal(signal.SIGTERM)
                    return first, await ended(process)

        first, second = asyncio.run(talk())
        assert first.code == 0
        assert first.err == (
            "standard output cannot be written (No space left on device): the run goes on, and so does its journal\n"
        )
        assert second.code == 0
        assert second.err == ("nobody reads standard output any more: the run goes on, and so does its journal\n")
        assert ours(world) == []


class TestAStateThatIsCutAnywhere:
    """DESIGN 6: a broken file is named and kept, the backup is used, and nothing is placed before it is safe."""

    def test_at_each_byte(self, tmp_path):
        """In process, over each byte of a state that a run has written, with and without a good backup."""
        world = world_of(tokens=2)

        async def talk():
            async with serve(world) as urls:
                config = steady(urls, tmp_path)
                await run_until(config, lambda story: len(story.cycles) == 2)
                return config

        config = asyncio.run(talk())
        good, backup = ((tmp_path / name).read_bytes() for name in ("state.json", "state.json.bak"))
        disk = Disk()
        assert len(good) > 1500  # two orders, two ledgers, two polls
        for cut in range(len(good)):
            disk.good, disk.backup = good[:cut], backup if cut % 2 else None
            start = start_from(disk, config.policy, name="state.json", journal_exists=False, now=world.now())
            assert start.memory.recovery is not None
            assert not start.first
            assert bool(start.memory.bases) == bool(cut % 2)
            assert start.notes[0].startswith("state.json is broken (")
        assert disk.moved == ["state"] * len(good)

    @pytest.mark.slow
    def test_and_the_real_process_says_so_and_waits(self, tmp_path):
        world = world_of(tokens=1)
        cuts = (0, 1, 200, -1)
        folders = [tmp_path / str(number) for number in range(len(cuts))]

        async def talk():
            async with serve(world) as urls:
                for folder in folders:
                    folder.mkdir()
                    steady(urls, folder, fill_grace_sec=D(60))
                await run_until(steady(urls, tmp_path), lambda _: True, once=True)
                [order] = ours(world)
                whole = (tmp_path / "state.json").read_bytes()
                world.exchange.vanish(order)
                for folder, cut in zip(folders, cuts, strict=True):
                    (folder / "state.json").write_bytes(whole[:cut])
                return await asyncio.gather(*(run(folder, "--yes", "--once") for folder in folders))

        with watched(world) as truth:
            ends = asyncio.run(talk())
        for folder, end in zip(folders, ends, strict=True):
            assert end.code == 0, end.err
            assert "state.json is broken (" in end.err
            assert "kept as state.json.broken-1" in end.err
            assert "every token is on hold" in end.err
            assert "ON_HOLD" in end.out
            assert "Traceback" not in end.err
            assert (folder / "state.json.broken-1").exists()
            assert_state_is_readable(folder)
        assert len(truth.accepted) == 1  # that of the run before


def fill(folder: Path) -> Path:
    """Take all the space of a small file system, to the last byte."""
    brim = folder / "brim"
    with brim.open("wb", buffering=0) as file:
        for piece in (4096, 1):
            try:
                while True:
                    file.write(b"x" * piece)
            except OSError:
                pass
    return brim


@pytest.fixture
def tiny_disk(tmp_path) -> Iterator[Path]:
    """A file system of 256 KB."""
    with mounted(tmp_path) as folder:
        yield folder


@contextmanager
def mounted(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "mounted"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"NO FILE SYSTEM OF OUR OWN: it takes root to mount one ({done.stderr.decode().strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@frozen
class ReadOnly:
    """A folder that can be written until it is closed, and what the kernel says then."""

    folder: Path
    close: Callable[[], object]
    words: str


@pytest.fixture
def read_only(tmp_path) -> Iterator[ReadOnly]:
    """Root may write anywhere, but not into a file system that is read-only."""
    if os.geteuid() == 0:
        with mounted(tmp_path) as folder:
            command = ["mount", "-o", "remount,ro", str(folder)]
            yield ReadOnly(folder, lambda: subprocess.run(command, check=True), "Read-only file system")
    else:
        yield ReadOnly(tmp_path, lambda: tmp_path.chmod(0o555), "Permission denied")
        tmp_path.chmod(0o755)
