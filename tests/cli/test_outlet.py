"""Whoever writes never waits, and nothing that happens to the reader reaches him."""

import io
import os
import threading
import time
from collections.abc import Iterator

import pytest

from copytrade.app.cli import _outlet
from copytrade.app.cli._outlet import Outlet


class Pipe:
    """A pipe whose reader does what the test says."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.reader, self.writer = os.pipe()
        self.stream = os.fdopen(self.writer, "w", encoding=encoding, closefd=False)

    def read(self) -> str:
        return os.read(self.reader, 1 << 20).decode()

    def stop_reading(self) -> None:
        if self.reader >= 0:
            os.close(self.reader)
        self.reader = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.stop_reading()  # whoever still writes there fails, and ends
    os.close(made.writer)


def test_everything_is_written_in_order(pipe):
    outlet = Outlet(pipe.stream)
    for number in range(1000):
        outlet.write(f"{number}\n")
    assert outlet.drain(10)
    assert pipe.read() == "".join(f"{number}\n" for number in range(1000))


def test_a_reader_that_sleeps_is_not_waited_for(pipe):
    outlet = Outlet(pipe.stream)
    begun = time.monotonic()
    outlet.write("x" * (1 << 20))  # more than a pipe holds
    outlet.write("the end\n")
    assert not outlet.drain(0.05)
    outlet.close(0.05)
    assert time.monotonic() - begun < 5


def test_what_does_not_fit_is_dropped_and_counted(pipe, monkeypatch):
    monkeypatch.setattr(_outlet, "ROOM", 3)
    taken: list[str] = []
    outlet = Outlet(pipe.stream)
    outlet.write("x" * (1 << 20))
    while outlet._waiting:  # until the thread has it in hand
        time.sleep(0.001)
    for number in range(10):
        outlet.write(f"{number}\n")

    def read() -> None:
        while "lost" not in "".join(taken)[-200:]:
            taken.append(pipe.read())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(20)
    assert "".join(taken).endswith("x0\n1\n2\n… 7 pieces of output were lost: the reader was too slow\n")


def test_a_reader_that_is_gone_costs_the_lines_and_nothing_else(pipe):
    outlet = Outlet(pipe.stream)
    pipe.stop_reading()
    outlet.write("hello\n")
    assert outlet.drain(10)
    assert outlet.broken
    assert outlet.write("hello again\n") == 12
    outlet.close()


def test_a_stream_without_a_file_is_written_to_as_well():
    stream = io.StringIO()
    outlet = Outlet(stream)
    outlet.write("hello\n")
    outlet.close()
    outlet.write("too late\n")
    assert stream.getvalue() == "hello\n"
    assert not outlet.isatty()


def test_a_stream_that_is_closed_is_no_terminal_and_takes_nothing():
    stream = io.StringIO()
    stream.close()
    outlet = Outlet(stream)
    outlet.write("hello\n")
    assert outlet.drain(10)
    assert not outlet.isatty()
    assert outlet.broken


def test_letters_that_the_reader_s_encoding_lacks_do_not_break_it():
    pipe = Pipe("ascii")
    outlet = Outlet(pipe.stream)
    outlet.write("× 東京\n")
    assert outlet.drain(10)
    assert pipe.read() == "? ??\n"
    pipe.stop_reading()
    os.close(pipe.writer)
