"""Standard output and standard error of a run that lasts: neither one that is full nor one that is gone ends it.

A run may have orders resting, so that what it can't show must not stop it half way. A full disk is told once, on the
other stream, and the run goes on. A reader that has left (`copytrade run | head`) has seen enough: it is asked to stop.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO


class Screen(Protocol):
    """What `print(file=…, flush=True)` needs."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class Guarded:
    """A stream that can't raise: `failed` is told of what would have been raised."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], object]) -> None:
        self._stream = stream
        self._failed = failed

    def write(self, text: str, /) -> None:
        try:
            self._stream.write(text)
        except OSError as error:
            self._failed(error)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)


@contextmanager
def guarded(*, reader_left: Callable[[], object]) -> Iterator[tuple[Screen, Screen]]:
    """Standard output and standard error; `reader_left` is called when nobody reads the former any more."""
    told = False

    def out_failed(error: OSError) -> None:
        nonlocal told
        if isinstance(error, BrokenPipeError):
            reader_left()
        elif not told:
            told = True
            words = f"standard output cannot be written ({error.strerror}): the run goes on, and so does its journal"
            print(words, file=err, flush=True)

    err = Guarded(sys.stderr, lambda _: None)  # nobody is left to be told
    try:
        yield Guarded(sys.stdout, out_failed), err
    finally:
        for stream in (sys.stdout, sys.stderr):
            _let_go(stream)


def _let_go(stream: TextIO) -> None:
    """Give up what can't be written, or the interpreter's own last try to would spoil the exit code."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
